/* What an edge answers when it can't go on, what rings, and what it counts: on a device where work
 * ends when the test says so. */
#include "edge_wait.h"
#include "fake_device.h"
#include "suite.h"

static fake_device fake;
static adn_bell bells[ADN_N_SIDE];

static void setup(void)
{
    fake_device_init(&fake);
    for (int k = 0; k < ADN_N_SIDE; k++) adn_bell_init(&bells[k]);
}

static void teardown(void)
{
    for (int k = 0; k < ADN_N_SIDE; k++) adn_bell_clear(&bells[k]);
}

static adn_edge *edge_of(int n_slot, int n_test, adn_replay_conf replay)
{
    adn_edge *e;
    adn_edge_conf conf = {.dev = {&fake.base},
                          .n_slot = {n_slot, n_test},
                          .replay = replay,
                          .shape = {4, 1, 1, 3},
                          .type = ADN_F32,
                          .bells = {&bells[ADN_SIDE_PRODUCER], &bells[ADN_SIDE_CONSUMER]}};
    ck_assert_int_eq(adn_edge_create(&conf, &e), ADN_OK);
    return e;
}

static const adn_replay_conf fifo = {0};
static const adn_replay_conf lossy = {.policy = ADN_REPLAY_PRIORITY_LIFO,
                                      .when_full = ADN_FULL_DROP_OLDEST};

static adn_status acquire(adn_edge *e, adn_lane lane, adn_slot **s)
{
    *s = NULL;
    return adn_edge_acquire(e, lane, no_queue, s);
}

static adn_status take(adn_edge *e, adn_lane lane, adn_slot **s)
{
    *s = NULL;
    return adn_edge_take(e, lane, no_queue, s);
}

static adn_slot *push_on(adn_edge *e, adn_lane lane, int64_t step)
{
    adn_slot *s;
    ck_assert_int_eq(acquire(e, lane, &s), ADN_OK);
    ck_assert_ptr_nonnull(s);
    s->step = step;
    s->n_valid = 4;
    adn_edge_commit(e, s);
    return s;
}

static adn_slot *push(adn_edge *e, int64_t step)
{
    return push_on(e, ADN_LANE_TRAIN, step);
}

static int64_t pull_from(adn_edge *e, adn_lane lane)
{
    adn_slot *s;
    ck_assert_int_eq(take(e, lane, &s), ADN_OK);
    ck_assert_ptr_nonnull(s);
    adn_edge_release(e, s);
    return s->step;
}

static int64_t pull(adn_edge *e)
{
    return pull_from(e, ADN_LANE_TRAIN);
}

/* What take says on the training lane where it gives no batch. */
static adn_status says(adn_edge *e)
{
    adn_slot *s;
    adn_status st = take(e, ADN_LANE_TRAIN, &s);
    ck_assert_ptr_null(s);
    return st;
}

static void meets(adn_edge *e, int64_t marker)
{
    ck_assert_int_eq(says(e), ADN_OK);
    ck_assert_int_eq(adn_edge_pop_marker(e), marker);
}

/* --- bells */

/* Both bells alike: who rings does not know what the other waits for. */
#define RINGS(n, call)                                                                             \
    do {                                                                                           \
        uint64_t p = adn_bell_count(&bells[0]), c = adn_bell_count(&bells[1]);                     \
        call;                                                                                      \
        ck_assert_uint_eq(adn_bell_count(&bells[0]) - p, n);                                       \
        ck_assert_uint_eq(adn_bell_count(&bells[1]) - c, n);                                       \
    } while (0)

START_TEST(every_call_that_may_let_the_other_go_on_rings_and_no_other)
{
    for (adn_lane lane = 0; lane < ADN_N_LANE; lane++) {
        adn_edge *e = edge_of(1, 1, fifo);
        adn_slot *s, *none;

        RINGS(0, ck_assert_int_eq(take(e, lane, &none), ADN_AGAIN));
        RINGS(0, ck_assert_int_eq(acquire(e, lane, &s), ADN_OK));
        RINGS(1, adn_edge_commit(e, s));
        RINGS(0, ck_assert_int_eq(acquire(e, lane, &none), ADN_AGAIN));
        RINGS(1, ck_assert_int_eq(take(e, lane, &s), ADN_OK));
        RINGS(0, ck_assert_int_eq(acquire(e, lane, &none), ADN_AGAIN));
        RINGS(1, adn_edge_release(e, s));
        RINGS(1, adn_edge_mark(e, 0, false));
        RINGS(0, ck_assert_int_eq(says(e), ADN_OK));
        RINGS(0, adn_edge_pop_marker(e));
        RINGS(0, adn_edge_lose(e));
        RINGS(0, adn_edge_resume(e, 3));
        RINGS(0, adn_edge_read_once(e));
        RINGS(0, (void)adn_edge_counts(e));
        RINGS(1, adn_edge_close(e, lane));
        RINGS(0, ck_assert_int_eq(take(e, lane, &none), ADN_END));
        RINGS(1, adn_edge_leave(e, lane));
        RINGS(0, ck_assert_int_eq(acquire(e, lane, &none), ADN_OK));
        RINGS(1, adn_edge_abort(e));
        RINGS(0, ck_assert_int_eq(take(e, lane, &none), ADN_STOPPED));
        adn_edge_destroy(e);
    }
}
END_TEST

START_TEST(a_re_reading_policy_rings_when_it_takes)
{
    adn_edge *e = edge_of(1, 1, (adn_replay_conf){.policy = ADN_REPLAY_LATEST});
    adn_slot *s, *none;

    RINGS(1, push(e, 0));
    RINGS(0, ck_assert_int_eq(acquire(e, ADN_LANE_TRAIN, &none), ADN_AGAIN));
    RINGS(1, ck_assert_int_eq(take(e, ADN_LANE_TRAIN, &s), ADN_OK)); /* it may be dropped now */
    RINGS(1, push(e, 1));
    RINGS(0, adn_edge_release(e, s));
    adn_edge_destroy(e);
}
END_TEST

START_TEST(an_edge_without_bells_rings_nobody)
{
    adn_edge_conf conf = {
        .dev = {&fake.base}, .n_slot = {1, 1}, .shape = {4, 1, 1, 3}, .type = ADN_F32};
    adn_edge *e;
    adn_slot *none;

    ck_assert_int_eq(adn_edge_create(&conf, &e), ADN_OK);
    push(e, 0);
    ck_assert_int_eq(acquire(e, ADN_LANE_TRAIN, &none), ADN_AGAIN);
    ck_assert_int_eq(pull(e), 0);
    ck_assert_int_eq(says(e), ADN_AGAIN);
    adn_edge_abort(e);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(a_wait_is_counted_from_the_first_again_to_the_next_other_answer)
{
    adn_edge *e = edge_of(1, 1, fifo);
    adn_slot *none;

    ck_assert_int_eq(says(e), ADN_AGAIN);
    ck_assert(adn_edge_counts(e).consumer_waits && !adn_edge_counts(e).producer_waits);
    double since_s = adn_now();
    while (adn_now() < since_s + 0.002) continue;
    ck_assert_double_ge(adn_edge_counts(e).wait_in_s, 0.002); /* while it lasts, too */
    push(e, 0);
    ck_assert_int_eq(acquire(e, ADN_LANE_TRAIN, &none), ADN_AGAIN);
    adn_edge_stats c = adn_edge_counts(e);
    ck_assert(c.consumer_waits && c.producer_waits); /* until it asks */
    ck_assert_int_eq(pull(e), 0);
    ck_assert_int_eq(says(e), ADN_AGAIN);
    adn_edge_leave(e, ADN_LANE_TRAIN); /* who is gone does not wait */
    ck_assert(!adn_edge_counts(e).consumer_waits && adn_edge_counts(e).producer_waits);
    ck_assert_int_eq(acquire(e, ADN_LANE_TRAIN, &none), ADN_OK);
    c = adn_edge_counts(e);
    ck_assert(!c.producer_waits && c.wait_out_s > 0);
    ck_assert(c.wait_in_s == adn_edge_counts(e).wait_in_s); /* it is over */
    adn_edge_destroy(e);
}
END_TEST

/* --- lanes that were left, and markers */

START_TEST(a_lane_that_was_left_gives_markers_and_then_the_end)
{
    for (int k = 0; k < 2; k++) {
        adn_edge *e = edge_of(2, 1, k == 0 ? fifo : lossy);
        adn_slot *s;

        push(e, 0);
        adn_edge_mark(e, 0, false);
        adn_edge_leave(e, ADN_LANE_TRAIN);
        meets(e, 0);
        ck_assert_int_eq(says(e), ADN_AGAIN); /* not the batch */
        ck_assert_int_eq(acquire(e, ADN_LANE_TRAIN, &s), ADN_OK);
        ck_assert_ptr_null(s);
        push_on(e, ADN_LANE_TEST, 7); /* the test lane goes on */
        ck_assert_int_eq(pull_from(e, ADN_LANE_TEST), 7);
        adn_edge_mark(e, 1, false);
        adn_edge_close(e, ADN_LANE_TRAIN);
        meets(e, 1);
        ck_assert_int_eq(says(e), ADN_END);
        ck_assert(adn_edge_counts(e).pulled == 0 && adn_edge_counts(e).pushed == 1);
        adn_edge_destroy(e);
    }
}
END_TEST

START_TEST(a_lane_ends_alone)
{
    adn_edge *e = edge_of(1, 1, fifo);
    adn_slot *s;

    adn_edge_close(e, ADN_LANE_TRAIN);
    ck_assert_int_eq(says(e), ADN_END);
    ck_assert_int_eq(take(e, ADN_LANE_TEST, &s), ADN_AGAIN);
    push_on(e, ADN_LANE_TEST, 3);
    adn_edge_close(e, ADN_LANE_TEST);
    ck_assert_int_eq(pull_from(e, ADN_LANE_TEST), 3);
    ck_assert_int_eq(take(e, ADN_LANE_TEST, &s), ADN_END);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(a_marker_after_tests_comes_when_those_before_it_were_released)
{
    for (int ends = 0; ends < 2; ends++) {
        adn_edge *e = edge_of(1, 3, fifo);
        adn_status before = ends != 0 ? ADN_END : ADN_AGAIN;
        adn_slot *s;

        for (int64_t k = 0; k < 2; k++) push_on(e, ADN_LANE_TEST, k);
        adn_edge_mark(e, 5, true);
        adn_edge_mark(e, 6, false); /* in line behind it */
        push_on(e, ADN_LANE_TEST, 2);
        if (ends != 0) adn_edge_close(e, ADN_LANE_TRAIN);
        ck_assert_int_eq(says(e), before);
        ck_assert_int_eq(pull_from(e, ADN_LANE_TEST), 0);
        ck_assert_int_eq(take(e, ADN_LANE_TEST, &s), ADN_OK);
        ck_assert_int_eq(says(e), before); /* taken, not released */
        RINGS(1, adn_edge_release(e, s));
        meets(e, 5);
        meets(e, 6);
        ck_assert_int_eq(says(e), before);
        adn_edge_destroy(e);
    }
}
END_TEST

START_TEST(markers_are_dropped_only_when_the_test_lane_was_left)
{
    for (adn_lane left = 0; left < ADN_N_LANE; left++) {
        adn_edge *e = edge_of(1, 1, fifo);
        adn_edge_leave(e, left);
        for (int64_t k = 0; k < ADN_EDGE_MARKERS; k++) adn_edge_mark(e, k, k % 2 != 0);
        for (int64_t k = 0; left == ADN_LANE_TRAIN && k < ADN_EDGE_MARKERS; k++) meets(e, k);
        ck_assert_int_eq(says(e), ADN_AGAIN);
        adn_edge_destroy(e);
    }
}
END_TEST

/* --- what is read again, and drawn */

START_TEST(from_read_once_on_nothing_is_read_again)
{
    adn_edge *e = edge_of(2, 1, lossy);

    push(e, 0);
    push(e, 1);
    ck_assert_int_eq(pull(e), 1);
    ck_assert_int_eq(pull(e), 0);
    ck_assert_int_eq(pull(e), 1);
    push(e, 2);
    adn_edge_read_once(e);
    ck_assert_int_eq(pull(e), 2); /* unread until then */
    ck_assert_int_eq(says(e), ADN_AGAIN);
    push(e, 3);
    ck_assert_int_eq(pull(e), 3);
    ck_assert_int_eq(says(e), ADN_AGAIN);
    ck_assert_int_eq(adn_edge_counts(e).reused, 1);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(draws_of_uniform_go_on_behind_those_of_an_earlier_process)
{
    enum { N = 60, FROM = 20 };
    adn_replay_conf uniform = {.policy = ADN_REPLAY_UNIFORM, .seed = 5, .edge = 1};
    adn_edge *whole = edge_of(4, 1, uniform), *resumed = edge_of(4, 1, uniform);
    int64_t step[N];
    int n_other = 0;

    adn_edge_resume(resumed, FROM);
    for (int64_t k = 0; k < 4; k++) {
        push(whole, k);
        push(resumed, k);
    }
    for (int k = 0; k < N; k++) step[k] = pull(whole);
    for (int k = FROM; k < N; k++) {
        ck_assert_int_eq(pull(resumed), step[k]);
        n_other += step[k] != step[k - FROM];
    }
    ck_assert_int_gt(n_other, 10); /* 30 expected: it would be seen */
    ck_assert_int_eq(adn_edge_counts(resumed).pulled, N - FROM);
    adn_edge_destroy(whole);
    adn_edge_destroy(resumed);
}
END_TEST

/* --- counts */

START_TEST(bytes_are_those_of_valid_samples_and_lost_batches_none)
{
    enum { SAMPLE_BYTES = 3 * sizeof(float) + sizeof(adn_label) + sizeof(uint32_t) };
    adn_edge *e = edge_of(2, 1, fifo);
    adn_slot *s;

    push(e, 0);
    ck_assert_int_eq(acquire(e, ADN_LANE_TRAIN, &s), ADN_OK);
    s->n_valid = 3;
    ck_assert_int_eq(adn_edge_counts(e).bytes, 4 * SAMPLE_BYTES);
    adn_edge_commit(e, s);
    push_on(e, ADN_LANE_TEST, 0); /* is the test lane's */
    adn_edge_lose(e);
    adn_edge_lose(e);
    adn_edge_stats c = adn_edge_counts(e);
    ck_assert_int_eq(c.bytes, 7 * SAMPLE_BYTES);
    ck_assert(c.lost == 2 && c.pushed == 2 && c.dropped == 0);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(occupancy_is_the_share_of_slots_with_an_unread_batch)
{
    adn_edge *e = edge_of(4, 1, lossy);
    double sum = 0;
    adn_slot *s;

    for (int64_t k = 0; k < 3; k++) push(e, k);
    for (int k = 0; k < 5; k++) { /* 2, 1, 0, and again 2, 1 */
        pull(e);
        sum += k < 3 ? (3 - k) / 4.0 : 0;
        ck_assert_double_eq(adn_edge_counts(e).occupancy_sum, sum);
    }
    adn_edge_destroy(e);
    e = edge_of(2, 1, fifo);
    push(e, 0);
    ck_assert_int_eq(acquire(e, ADN_LANE_TRAIN, &s), ADN_OK);
    pull(e); /* what is being written is no batch yet */
    ck_assert_double_eq(adn_edge_counts(e).occupancy_sum, 0.5);
    adn_edge_destroy(e);
    e = edge_of(2, 1, lossy);
    fake_event_of(push(e, 0)->written)->is_pending = true;
    pull(e); /* unfinished, but taken */
    ck_assert_double_eq(adn_edge_counts(e).occupancy_sum, 0.5);
    adn_edge_destroy(e);
    e = edge_of(2, 1, lossy); /* two in spare slots */
    for (int64_t k = 0; k < 4; k++) fake_event_of(push(e, k)->written)->is_pending = k >= 2;
    pull(e);
    ck_assert_double_eq(adn_edge_counts(e).occupancy_sum, 1);
    adn_edge_destroy(e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge_rings");
    TCase *tc = tcase_create("edge_rings");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_call_that_may_let_the_other_go_on_rings_and_no_other);
    tcase_add_test(tc, a_re_reading_policy_rings_when_it_takes);
    tcase_add_test(tc, an_edge_without_bells_rings_nobody);
    tcase_add_test(tc, a_wait_is_counted_from_the_first_again_to_the_next_other_answer);
    tcase_add_test(tc, a_lane_that_was_left_gives_markers_and_then_the_end);
    tcase_add_test(tc, a_lane_ends_alone);
    tcase_add_test(tc, a_marker_after_tests_comes_when_those_before_it_were_released);
    tcase_add_test(tc, markers_are_dropped_only_when_the_test_lane_was_left);
    tcase_add_test(tc, from_read_once_on_nothing_is_read_again);
    tcase_add_test(tc, draws_of_uniform_go_on_behind_those_of_an_earlier_process);
    tcase_add_test(tc, bytes_are_those_of_valid_samples_and_lost_batches_none);
    tcase_add_test(tc, occupancy_is_the_share_of_slots_with_an_unread_batch);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
