/* The local edge with policies that re-read: on a device of the test's own, where work ends when
 * the test says so. test_edge_stress.c has real queues. */
#include "core/thread.h"
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

static fake_event *written(const adn_slot *s)
{
    return fake_event_of(s->written);
}

static fake_event *read_of(const adn_slot *s)
{
    return fake_event_of(s->read);
}

static adn_edge *edge_of(int n_slot, adn_replay_conf replay)
{
    adn_edge *e;
    adn_edge_conf conf = {.dev = {&fake.base},
                          .n_slot = {n_slot, 1},
                          .replay = replay,
                          .shape = {2, 1, 1, 4},
                          .type = ADN_F32,
                          .bells = {&bells[ADN_SIDE_PRODUCER], &bells[ADN_SIDE_CONSUMER]}};
    ck_assert_int_eq(adn_edge_n_slot(&conf, ADN_LANE_TRAIN), n_slot + 4);
    ck_assert_int_eq(adn_edge_n_slot(&conf, ADN_LANE_TEST), 1);
    ck_assert_int_eq(adn_edge_create(&conf, &e), ADN_OK);
    return e;
}

static adn_slot *push(adn_edge *e, int64_t step, bool ends)
{
    adn_slot *s = NULL;
    ck_assert_int_eq(edge_acquire(e, &bells[ADN_SIDE_PRODUCER], ADN_LANE_TRAIN, NULL, &s), ADN_OK);
    ck_assert_ptr_nonnull(s);
    ck_assert(!read_of(s)->is_pending);
    s->step = step;
    s->version = step + 100;
    written(s)->is_pending = !ends;
    adn_edge_commit(e, s);
    return s;
}

/* The step it gives. */
static int64_t pull(adn_edge *e, bool ends)
{
    adn_slot *s = NULL;
    ck_assert_int_eq(edge_take(e, &bells[ADN_SIDE_CONSUMER], ADN_LANE_TRAIN, NULL, &s), ADN_OK);
    ck_assert_ptr_nonnull(s);
    read_of(s)->is_pending = !ends;
    int64_t step = s->step;
    adn_edge_release(e, s);
    return step;
}

static adn_status take_status(adn_edge *e)
{
    adn_slot *s = NULL;
    return adn_edge_take(e, ADN_LANE_TRAIN, no_queue, &s);
}

static const adn_replay_conf lossy = {.policy = ADN_REPLAY_PRIORITY_LIFO,
                                      .when_full = ADN_FULL_DROP_OLDEST};

START_TEST(a_slot_says_how_often_it_was_read_and_how_old_it_is)
{
    adn_edge *e = edge_of(2, lossy);
    static const int64_t steps[] = {1, 0, 1, 0}, uses[] = {1, 1, 2, 2}, ages[] = {0, 1, 0, 1};

    push(e, 0, true);
    push(e, 1, true);
    for (size_t i = 0; i < ADN_COUNT(steps); i++) {
        adn_slot *s = NULL;
        ck_assert_int_eq(adn_edge_take(e, ADN_LANE_TRAIN, no_queue, &s), ADN_OK);
        ck_assert(s->step == steps[i] && s->push == steps[i] && s->version == steps[i] + 100);
        ck_assert(s->use == uses[i] && s->age == ages[i]);
        adn_edge_release(e, s);
    }
    push(e, 2, true);
    push(e, 3, true);
    push(e, 4, true); /* drops 0, 1, and 2 unread */
    ck_assert_int_eq(pull(e, true), 4);
    adn_edge_stats c = adn_edge_counts(e);
    ck_assert(c.pushed == 5 && c.pulled == 5 && c.reused == 2 && c.dropped == 1);
    ck_assert(c.n_full == 2 && c.n_unread == 1);
    ck_assert(c.ages.n == 5 && c.ages.max == 1 && c.ages.sum == 2);
    ck_assert(adn_ages_quantile(&c.ages, 0.5) == 0 && adn_ages_quantile(&c.ages, 0.99) == 1);
    ck_assert(c.wait_in_s == 0 && c.wait_out_s == 0);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(an_unfinished_slot_is_taken_only_while_there_is_no_other)
{
    adn_edge *e = edge_of(2, (adn_replay_conf){.policy = ADN_REPLAY_LATEST, .max_reuse = 2});
    adn_slot *a = push(e, 0, false);

    ck_assert_int_eq(pull(e, true), 0); /* none else: the queue waits */
    ck_assert_int_eq(written(a)->n_wait, 1);
    written(a)->is_pending = false;
    adn_slot *b = push(e, 1, false);
    ck_assert_int_eq(pull(e, true), 0);
    ck_assert_int_eq(pull(e, true), 1); /* 0 is used up */
    ck_assert_int_eq(written(b)->n_wait, 1);
    written(b)->is_pending = false;
    ck_assert_int_eq(pull(e, true), 1);
    ck_assert_int_eq(written(a)->n_sync + written(b)->n_sync, 0);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(with_drop_oldest_a_producer_waits_for_its_own_work_alone)
{
    adn_edge *e = edge_of(1, lossy);
    adn_slot *held = NULL, *a = push(e, 0, true);

    ck_assert_int_eq(adn_edge_take(e, ADN_LANE_TRAIN, no_queue, &held), ADN_OK);
    ck_assert_ptr_eq(held, a);
    adn_slot *b = push(e, 1, false), *c = push(e, 2, false);
    ck_assert_int_eq(written(b)->n_sync, 0);
    push(e, 3, false);
    ck_assert_int_eq(written(b)->n_sync, 1); /* two were unfinished */
    ck_assert_int_eq(written(c)->n_sync, 0);
    for (int64_t k = 4; k < 40; k++) ck_assert_ptr_ne(push(e, k, k % 3 != 0), held);
    ck_assert(held->step == 0 && written(held)->n_sync == 0);
    read_of(held)->is_pending = true;
    adn_edge_release(e, held);
    for (int64_t k = 40; k < 80; k++) ck_assert_ptr_ne(push(e, k, true), held);
    read_of(held)->is_pending = false;
    bool is_used = false; /* free again, and waited for on the queue */
    for (int64_t k = 80; k < 90 && !is_used; k++) is_used = push(e, k, false) == held;
    ck_assert(is_used);
    ck_assert_int_eq(read_of(held)->n_wait, 2);
    ck_assert(adn_edge_counts(e).wait_out_s == 0);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(a_consumer_has_two_slots_unfinished_and_waits_for_the_older)
{
    adn_edge *e = edge_of(3, lossy);
    adn_slot *s[3];

    for (int64_t k = 0; k < 3; k++) s[k] = push(e, k, true);
    ck_assert_int_eq(pull(e, false), 2);
    ck_assert_int_eq(pull(e, false), 1);
    ck_assert_int_eq(read_of(s[2])->n_sync, 0);
    ck_assert_int_eq(pull(e, false), 0);
    ck_assert(read_of(s[2])->n_sync == 1 && read_of(s[1])->n_sync == 0);
    adn_edge_destroy(e);
    e = edge_of(2, lossy); /* the same slots again need no others */
    for (int64_t k = 0; k < 2; k++) s[k] = push(e, k, true);
    for (int k = 0; k < 6; k++) ck_assert_int_eq(pull(e, false), 1 - k % 2);
    ck_assert(read_of(s[0])->n_sync == 0 && read_of(s[1])->n_sync == 0);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(a_wait_that_fails_is_told_and_gives_nothing)
{
    adn_edge *e = edge_of(3, lossy);
    adn_slot *none = NULL;

    push(e, 0, false);
    adn_slot *b = push(e, 1, false);
    fake.sync_result = ADN_DEVICE;
    ck_assert_int_eq(adn_edge_acquire(e, ADN_LANE_TRAIN, no_queue, &none), ADN_DEVICE);
    fake.sync_result = ADN_OK;
    written(b)->is_pending = false;
    push(e, 2, true);
    pull(e, false);
    pull(e, false);
    fake.sync_result = ADN_DEVICE;
    ck_assert_int_eq(adn_edge_take(e, ADN_LANE_TRAIN, no_queue, &none), ADN_DEVICE);
    ck_assert_ptr_null(none);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(after_the_end_what_is_unread_is_read)
{
    for (int reads_on = 0; reads_on < 2; reads_on++) {
        adn_edge *e =
            edge_of(3, (adn_replay_conf){
                           .policy = ADN_REPLAY_LATEST, .max_reuse = 3, .reads_on = reads_on != 0});
        for (int64_t k = 0; k < 3; k++) push(e, k, true);
        ck_assert_int_eq(pull(e, true), 2);
        adn_edge_mark(e, 2, false);
        edge_close(e);
        int n[3] = {0, 0, 1};
        for (int k = 0; k < (reads_on ? 8 : 2); k++) n[pull(e, true)]++;
        for (int k = 0; k < 3; k++) ck_assert_int_eq(n[k], reads_on ? 3 : 1);
        ck_assert_int_eq(take_status(e), ADN_OK); /* the marker, then the end */
        ck_assert_int_eq(adn_edge_pop_marker(e), 2);
        ck_assert_int_eq(take_status(e), ADN_END);
        adn_edge_destroy(e);
    }
}
END_TEST

START_TEST(a_marker_waits_while_older_steps_are_re_read)
{
    adn_edge *e = edge_of(2, lossy);
    adn_slot *none = NULL;

    push(e, 4, true);
    adn_edge_mark(e, 4, false);
    for (int k = 0; k < 3; k++) ck_assert_int_eq(pull(e, true), 4);
    push(e, 5, true);
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(adn_edge_take(e, ADN_LANE_TRAIN, no_queue, &none), ADN_OK);
        ck_assert_ptr_null(none);
    }
    ck_assert_int_eq(adn_edge_pop_marker(e), 4);
    ck_assert_int_eq(pull(e, true), 5);
    ck_assert_int_eq(adn_edge_counts(e).pulled, 4); /* being told of a marker is none */
    adn_edge_destroy(e);
}
END_TEST

START_TEST(an_edge_whose_consumer_is_gone_drops_though_it_should_block)
{
    adn_edge *e = edge_of(1, (adn_replay_conf){.policy = ADN_REPLAY_LIFO});
    adn_slot *s = (adn_slot *)&s;

    push(e, 0, true);
    edge_leave(e);
    ck_assert_int_eq(adn_edge_acquire(e, ADN_LANE_TRAIN, no_queue, &s), ADN_OK);
    ck_assert_ptr_null(s);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(an_edge_without_memory_owes_nothing)
{
    adn_edge_conf conf = {.dev = {&fake.base},
                          .n_slot = {2, 1},
                          .replay = lossy,
                          .shape = {1, 1, 1, 1},
                          .type = ADN_F32};
    int64_t live = adn_alloc_live(), n = 0;
    adn_status st = ADN_NOMEM;
    adn_edge *e = NULL;

    while (st == ADN_NOMEM) {
        ck_assert_ptr_null(e);
        ck_assert_int_eq(adn_alloc_live(), live);
        adn_alloc_fail_at(++n);
        st = adn_edge_create(&conf, &e);
        adn_alloc_fail_at(0);
    }
    ck_assert_int_eq(st, ADN_OK);
    ck_assert_int_gt(n, 7 * 5); /* seven slots */
    adn_edge_destroy(e);
    ck_assert_int_eq(adn_alloc_live(), live);
}
END_TEST

/* --- who waits is woken */

static adn_status pull_on_thread(void *user)
{
    return pull(user, true) == 1 ? ADN_OK : ADN_BADCONF;
}

static adn_status push_on_thread(void *user)
{
    push(user, 1, true);
    return ADN_OK;
}

START_TEST(a_silent_producers_slots_are_re_read_then_the_consumer_waits)
{
    adn_edge *e =
        edge_of(2, (adn_replay_conf){.policy = ADN_REPLAY_UNIFORM, .max_reuse = 3, .max_age = 1});
    adn_thread t;

    push(e, 0, true);
    for (int k = 0; k < 3; k++) ck_assert_int_eq(pull(e, true), 0);
    ck_assert_int_eq(adn_thread_start(&t, "take", pull_on_thread, e), ADN_OK);
    while (!adn_edge_counts(e).consumer_waits) sched_yield();
    push(e, 1, true);
    ck_assert_int_eq(adn_thread_join(&t), ADN_OK);
    ck_assert_double_gt(adn_edge_counts(e).wait_in_s, 0);
    adn_edge_destroy(e);
}
END_TEST

START_TEST(a_producer_that_must_not_drop_waits_for_a_read)
{
    adn_edge *e = edge_of(1, (adn_replay_conf){.policy = ADN_REPLAY_LATEST});
    adn_thread t;

    push(e, 0, true);
    ck_assert_int_eq(adn_thread_start(&t, "acquire", push_on_thread, e), ADN_OK);
    while (!adn_edge_counts(e).producer_waits) sched_yield();
    ck_assert_int_eq(pull(e, true), 0);
    ck_assert_int_eq(adn_thread_join(&t), ADN_OK);
    ck_assert_int_eq(pull(e, true), 1);
    ck_assert_double_gt(adn_edge_counts(e).wait_out_s, 0);
    adn_edge_destroy(e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge_replay");
    TCase *tc = tcase_create("edge_replay");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_slot_says_how_often_it_was_read_and_how_old_it_is);
    tcase_add_test(tc, an_unfinished_slot_is_taken_only_while_there_is_no_other);
    tcase_add_test(tc, with_drop_oldest_a_producer_waits_for_its_own_work_alone);
    tcase_add_test(tc, a_consumer_has_two_slots_unfinished_and_waits_for_the_older);
    tcase_add_test(tc, a_wait_that_fails_is_told_and_gives_nothing);
    tcase_add_test(tc, after_the_end_what_is_unread_is_read);
    tcase_add_test(tc, a_marker_waits_while_older_steps_are_re_read);
    tcase_add_test(tc, an_edge_whose_consumer_is_gone_drops_though_it_should_block);
    tcase_add_test(tc, an_edge_without_memory_owes_nothing);
    tcase_add_test(tc, a_silent_producers_slots_are_re_read_then_the_consumer_waits);
    tcase_add_test(tc, a_producer_that_must_not_drop_waits_for_a_read);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
