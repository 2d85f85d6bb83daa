/* An edge in modelled time: a batch is there at its ready_s, and no event is asked. Here they say
 * of all work that it never ends. */
#include "edge/edge.h"
#include "fake_device.h"
#include "suite.h"

static fake_device fake;
static double now_s;

static double now(void *user)
{
    return *(const double *)user;
}

static void setup(void)
{
    fake_device_init(&fake);
    now_s = 0;
}

static adn_edge *edge_of(int n_slot, adn_replay_conf replay)
{
    static const adn_clock clock = {now, &now_s};
    adn_edge *e;
    adn_edge_conf conf = {.dev = {&fake.base},
                          .n_slot = {n_slot, 1},
                          .replay = replay,
                          .shape = {2, 1, 1, 4},
                          .type = ADN_F32,
                          .clock = &clock};
    ck_assert_int_eq(adn_edge_create(&conf, &e), ADN_OK);
    return e;
}

static const adn_replay_conf fifo = {.on_the_way = 2};
static const adn_replay_conf lossy = {
    .policy = ADN_REPLAY_PRIORITY_LIFO, .when_full = ADN_FULL_DROP_OLDEST, .on_the_way = 2};

static adn_status try_push(adn_edge *e, int64_t step, double ready_s)
{
    adn_slot *s = NULL;
    adn_status st = adn_edge_acquire(e, ADN_LANE_TRAIN, no_queue, &s);

    if (st != ADN_OK) return st;
    s->step = step;
    s->ready_s = ready_s;
    fake_event_of(s->written)->is_pending = true;
    ck_assert_int_eq(fake_event_of(s->written)->n_sync, 0);
    adn_edge_commit(e, s);
    return ADN_OK;
}

static void push(adn_edge *e, int64_t step, double ready_s)
{
    ck_assert_int_eq(try_push(e, step, ready_s), ADN_OK);
}

static const int64_t none = -1, marker = -2;

/* The step that the consumer gets. */
static int64_t pull(adn_edge *e)
{
    adn_slot *s = NULL;
    adn_status st = adn_edge_take(e, ADN_LANE_TRAIN, no_queue, &s);

    if (st == ADN_AGAIN) return none;
    ck_assert_int_eq(st, ADN_OK);
    if (s == NULL) return marker;
    fake_event_of(s->read)->is_pending = true;
    ck_assert_int_eq(fake_event_of(s->read)->n_sync, 0);
    adn_edge_release(e, s);
    return s->step;
}

START_TEST(a_batch_of_a_fifo_is_not_there_before_its_time)
{
    adn_edge *e = edge_of(2, fifo);

    push(e, 0, 3);
    push(e, 1, 5);
    for (now_s = 0; now_s < 3; now_s += 0.5) ck_assert_int_eq(pull(e), none);
    ck_assert_int_eq(pull(e), 0); /* at 3 */
    now_s = 4.75;
    ck_assert_int_eq(pull(e), none);
    now_s = 6;
    ck_assert_int_eq(pull(e), 1);
    ck_assert_int_eq(pull(e), none);
    ck_assert_double_eq(adn_edge_counts(e).occupancy_sum, 0.5 + 0.5);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(while_a_batch_is_on_its_way_older_ones_are_re_read)
{
    adn_edge *e = edge_of(2, lossy);

    push(e, 0, 3);
    ck_assert_int_eq(pull(e), none);
    now_s = 3;
    ck_assert_int_eq(pull(e), 0);
    push(e, 1, 5);
    ck_assert_int_eq(pull(e), 0);
    now_s = 5;
    ck_assert_int_eq(pull(e), 1);
    push(e, 2, 6);
    push(e, 3, 7);
    ck_assert_int_eq(pull(e), 1); /* nothing is dropped before the new ones are there */
    ck_assert_int_eq(pull(e), 1);
    ck_assert_int_eq(pull(e), 0);
    now_s = 7;
    ck_assert_int_eq(pull(e), 3);
    ck_assert_int_eq(pull(e), 2);
    adn_edge_stats c = adn_edge_counts(e);
    ck_assert(c.pushed == 4 && c.pulled == 8 && c.reused == 4 && c.dropped == 0);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(a_marker_waits_for_the_batches_before_it_and_for_no_later_one)
{
    adn_replay_conf confs[] = {fifo, lossy};
    for (size_t k = 0; k < ADN_COUNT(confs); k++) {
        adn_edge *e = edge_of(2, confs[k]);
        now_s = 0;
        push(e, 0, 3);
        adn_edge_mark(e, 0, false);
        push(e, 1, 5);
        now_s = 2;
        ck_assert_int_eq(pull(e), none);
        now_s = 3;
        ck_assert_int_eq(pull(e), 0);
        if (k == 1) ck_assert_int_eq(pull(e), 0); /* again, not the marker: there is no later one */
        now_s = k == 1 ? 5 : 3;
        ck_assert_int_eq(pull(e), marker);
        ck_assert_int_eq(adn_edge_pop_marker(e), 0);
        now_s = 5;
        ck_assert_int_eq(pull(e), 1);
        adn_edge_destroy(e);
    }
}
END_TEST

START_TEST(a_link_holds_so_many_batches_and_no_more)
{
    enum { WRITES = 2 + 2 }; /* the ring's, and on the way */
    adn_edge *e = edge_of(1, lossy);
    adn_slot *held = NULL;

    push(e, 0, 0);
    ck_assert_int_eq(adn_edge_take(e, ADN_LANE_TRAIN, no_queue, &held), ADN_OK);
    push(e, 1, 0); /* beside what is held and what is there, so many have slots: */
    for (int64_t k = 0; k < WRITES; k++) push(e, k + 2, (double)k + 10);
    ck_assert_int_eq(try_push(e, 9, 20), ADN_AGAIN);
    ck_assert(adn_edge_counts(e).producer_waits);
    now_s = 9.5;
    ck_assert_int_eq(try_push(e, 9, 20), ADN_AGAIN);
    now_s = 10;
    push(e, 9, 20);
    ck_assert_int_eq(try_push(e, 10, 21), ADN_AGAIN);
    ck_assert_int_eq(held->step, 0);
    adn_edge_release(e, held);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(reads_have_ended_when_they_are_released)
{
    adn_edge *e = edge_of(1, lossy);
    adn_slot *held = NULL;

    push(e, 0, 0);
    ck_assert_int_eq(adn_edge_take(e, ADN_LANE_TRAIN, no_queue, &held), ADN_OK);
    for (int64_t k = 1; k < 50; k++) {
        now_s = (double)k;
        push(e, k, now_s);
        if (k < 20) ck_assert_int_eq(held->step, 0); /* overwritten by nobody */
        if (k == 20) adn_edge_release(e, held);
        if (k > 20) ck_assert_int_eq(pull(e), k);
    }
    ck_assert_int_gt(held->step, 20);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(waits_are_counted_in_modelled_seconds)
{
    adn_edge *e = edge_of(1, (adn_replay_conf){0});

    now_s = 2;
    ck_assert_int_eq(pull(e), none);
    now_s = 3;
    ck_assert_int_eq(pull(e), none);
    ck_assert_double_eq(adn_edge_counts(e).wait_in_s, 1);
    push(e, 0, 6);
    ck_assert_int_eq(try_push(e, 1, 7), ADN_AGAIN);
    now_s = 6;
    ck_assert_int_eq(pull(e), 0);
    now_s = 8;
    adn_edge_stats c = adn_edge_counts(e);
    ck_assert(c.wait_in_s == 4 && !c.consumer_waits);
    ck_assert(c.wait_out_s == 5 && c.producer_waits);
    push(e, 1, 8);
    now_s = 9;
    c = adn_edge_counts(e);
    ck_assert(c.wait_out_s == 5 && !c.producer_waits);
    ck_assert_int_eq(pull(e), 1);
    ck_assert_int_eq(pull(e), none);
    now_s = 11;
    adn_edge_abort(e); /* ends a wait, too */
    now_s = 12;
    ck_assert_double_eq(adn_edge_counts(e).wait_in_s, 6);
    adn_edge_destroy(e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge_time");
    TCase *tc = tcase_create("edge_time");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_batch_of_a_fifo_is_not_there_before_its_time);
    tcase_add_test(tc, while_a_batch_is_on_its_way_older_ones_are_re_read);
    tcase_add_test(tc, a_marker_waits_for_the_batches_before_it_and_for_no_later_one);
    tcase_add_test(tc, a_link_holds_so_many_batches_and_no_more);
    tcase_add_test(tc, reads_have_ended_when_they_are_released);
    tcase_add_test(tc, waits_are_counted_in_modelled_seconds);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
