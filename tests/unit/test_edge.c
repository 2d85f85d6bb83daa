/* The local edge: order, blocking, ends, markers, and a stress of two queues that pass numbers on.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/thread.h"
#include "edge_wait.h"
#include "suite.h"

static adn_device *dev;
static adn_queue *in, *out;
static adn_bell bells[ADN_N_SIDE];

static void setup(void)
{
    ck_assert_int_eq(adn_cpu_open(&dev), ADN_OK);
    ck_assert_int_eq(
        dev->ops->queue_create(dev, &(adn_queue_conf){.name = "in", .n_thread = 1}, &in), ADN_OK);
    ck_assert_int_eq(dev->ops->queue_create(
                         dev, &(adn_queue_conf){.name = "out", .n_thread = 1, .jitter = 5}, &out),
                     ADN_OK);
    for (int k = 0; k < ADN_N_SIDE; k++) adn_bell_init(&bells[k]);
}

static void teardown(void)
{
    dev->ops->queue_destroy(in);
    dev->ops->queue_destroy(out);
    dev->ops->close(dev);
    for (int k = 0; k < ADN_N_SIDE; k++) adn_bell_clear(&bells[k]);
}

static adn_status acquire(adn_edge *e, adn_lane lane, adn_slot **s)
{
    return edge_acquire(e, &bells[ADN_SIDE_PRODUCER], lane, in, s);
}

static adn_status take(adn_edge *e, adn_lane lane, adn_slot **s)
{
    return edge_take(e, &bells[ADN_SIDE_CONSUMER], lane, out, s);
}

static adn_edge *edge_of(int n_slot)
{
    adn_edge *e;
    adn_edge_conf conf = {.dev = {dev},
                          .n_slot = {n_slot, 1},
                          .shape = {2, 1, 1, 4},
                          .type = ADN_F32,
                          .bells = {&bells[ADN_SIDE_PRODUCER], &bells[ADN_SIDE_CONSUMER]}};
    ck_assert_int_eq(adn_edge_create(&conf, &e), ADN_OK);
    ck_assert_uint_eq(adn_edge_slot_bytes(&conf),
                      2 * 4 * sizeof(float) + 2 * (sizeof(adn_label) + sizeof(uint32_t)));
    return e;
}

/* After what the queues still do with it. */
static void done_with(adn_edge *e)
{
    ck_assert_int_eq(dev->ops->queue_sync(in), ADN_OK);
    ck_assert_int_eq(dev->ops->queue_sync(out), ADN_OK);
    adn_edge_destroy(e);
}

static void push(adn_edge *e, int64_t step)
{
    adn_slot *s = NULL;
    ck_assert_int_eq(acquire(e, ADN_LANE_TRAIN, &s), ADN_OK);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(dev->ops->fill(in, s->x, (int)step, 4), ADN_OK);
    s->step = step;
    ck_assert_int_eq(dev->ops->event_record(in, s->written), ADN_OK);
    adn_edge_commit(e, s);
}

static int64_t pull(adn_edge *e)
{
    adn_slot *s = NULL;
    ck_assert_int_eq(take(e, ADN_LANE_TRAIN, &s), ADN_OK);
    if (s == NULL) return -1;
    int64_t step = s->step;
    ck_assert_int_eq(dev->ops->event_record(out, s->read), ADN_OK);
    adn_edge_release(e, s);
    return step;
}

START_TEST(batches_come_in_the_order_they_were_pushed)
{
    adn_edge *e = edge_of(3);
    push(e, 0);
    push(e, 1);
    for (int64_t k = 2; k < 11; k++) { /* the newest lies before the oldest, among others */
        push(e, k);
        ck_assert_int_eq(pull(e), k - 2);
    }
    ck_assert_int_eq(adn_edge_counts(e).pushed, 11);
    ck_assert_int_eq(adn_edge_counts(e).pulled, 9);
    done_with(e);
}
END_TEST

START_TEST(what_was_pushed_before_the_end_is_still_taken)
{
    adn_edge *e = edge_of(2);
    adn_slot *s = NULL;
    push(e, 0);
    push(e, 1);
    edge_close(e);
    ck_assert_int_eq(pull(e), 0);
    ck_assert_int_eq(pull(e), 1);
    ck_assert_int_eq(take(e, ADN_LANE_TRAIN, &s), ADN_END);
    ck_assert_ptr_null(s);
    done_with(e);
}
END_TEST

/* Batches and markers, more than there is room for. None waits, none is kept. */
static void offer_all(adn_edge *e)
{
    for (int n = 0; n <= ADN_EDGE_MARKERS; n++)
        for (adn_lane lane = 0; lane < ADN_N_LANE; lane++) {
            adn_slot *s = (adn_slot *)&s;
            ck_assert_int_eq(acquire(e, lane, &s), ADN_OK);
            ck_assert_ptr_null(s);
            adn_edge_mark(e, n, false);
        }
}

START_TEST(an_edge_whose_consumer_is_gone_drops)
{
    for (int n_slot = 1; n_slot <= 2; n_slot++) { /* full, and with a free slot */
        adn_edge *e = edge_of(n_slot);
        push(e, 0);
        edge_leave(e);
        offer_all(e);
        ck_assert_int_eq(adn_edge_counts(e).pushed, 1);
        done_with(e);
    }
}
END_TEST

START_TEST(markers_wait_in_line_and_never_on_the_test_lane)
{
    adn_edge *e = edge_of(3);
    adn_slot *s = NULL;
    push(e, 0);
    adn_edge_mark(e, 0, false);
    push(e, 1);
    adn_edge_mark(e, 1, false);
    ck_assert_int_eq(pull(e), 0);
    ck_assert_int_eq(acquire(e, ADN_LANE_TEST, &s), ADN_OK);
    ck_assert_int_eq(dev->ops->event_record(in, s->written), ADN_OK);
    s->step = 7;
    adn_edge_commit(e, s);
    s = NULL;
    ck_assert_int_eq(take(e, ADN_LANE_TEST, &s), ADN_OK);
    ck_assert(s != NULL && s->step == 7); /* tests of a step come before its save */
    ck_assert_int_eq(dev->ops->event_record(out, s->read), ADN_OK);
    adn_edge_release(e, s);
    ck_assert_int_eq(pull(e), -1);
    ck_assert_int_eq(adn_edge_pop_marker(e), 0);
    ck_assert_int_eq(pull(e), 1);
    ck_assert_int_eq(pull(e), -1);
    ck_assert_int_eq(adn_edge_pop_marker(e), 1);
    done_with(e);
}
END_TEST

START_TEST(a_marker_comes_between_its_step_and_the_next)
{
    adn_edge *e = edge_of(3);
    push(e, 0);
    push(e, 1);
    adn_edge_mark(e, 1, false);
    push(e, 2);
    ck_assert_int_eq(pull(e), 0);
    ck_assert_int_eq(pull(e), 1);
    ck_assert_int_eq(pull(e), -1);
    ck_assert_int_eq(adn_edge_pop_marker(e), 1);
    ck_assert_int_eq(pull(e), 2);
    adn_edge_mark(e, 2, false);
    edge_close(e); /* a marker comes before the end, too */
    ck_assert_int_eq(pull(e), -1);
    ck_assert_int_eq(adn_edge_pop_marker(e), 2);
    done_with(e);
}
END_TEST

/* --- who waits, and what wakes them */

typedef struct waiter {
    adn_edge *e;
    adn_side side;
    adn_lane lane;
    adn_slot *slot;
    _Atomic bool is_back;
} waiter;

static adn_status wait_on_edge(void *user)
{
    waiter *w = user;
    adn_status st = (w->side == ADN_SIDE_PRODUCER ? acquire : take)(w->e, w->lane, &w->slot);

    atomic_store(&w->is_back, true);
    return st;
}

/* Starts a call that must wait, and returns when the edge says that it does. */
static void start_waiter(waiter *w, adn_thread *t)
{
    bool waits = false;

    ck_assert_int_eq(adn_thread_start(t, "waiter", wait_on_edge, w), ADN_OK);
    for (; !waits; sched_yield()) {
        adn_edge_stats c = adn_edge_counts(w->e);
        bool consumes = w->side == ADN_SIDE_CONSUMER;
        waits = consumes ? c.consumer_waits : c.producer_waits;
        ck_assert(!(consumes ? c.producer_waits : c.consumer_waits));
        ck_assert(!atomic_load(&w->is_back));
    }
}

static void nobody_waits(adn_edge *e)
{
    adn_edge_stats c = adn_edge_counts(e);
    ck_assert(!c.producer_waits && !c.consumer_waits);
}

/* No slot is free on the lane. */
static adn_edge *full_edge(adn_lane lane)
{
    adn_edge *e = edge_of(1);
    adn_slot *s = NULL;
    ck_assert_int_eq(acquire(e, lane, &s), ADN_OK);
    ck_assert_int_eq(dev->ops->event_record(in, s->written), ADN_OK);
    s->step = 0;
    adn_edge_commit(e, s);
    return e;
}

START_TEST(who_waits_is_seen_and_an_abort_wakes_them)
{
    for (adn_lane lane = 0; lane < ADN_N_LANE; lane++)
        for (adn_side k = 0; k < ADN_N_SIDE; k++) {
            waiter w = {.e = k == ADN_SIDE_CONSUMER ? edge_of(1) : full_edge(lane),
                        .side = k,
                        .lane = lane};
            adn_thread t;
            start_waiter(&w, &t);
            adn_edge_abort(w.e);
            ck_assert_int_eq(adn_thread_join(&t), ADN_STOPPED);
            ck_assert_ptr_null(w.slot);
            nobody_waits(w.e);
            ck_assert_int_eq(acquire(w.e, lane, &w.slot), ADN_STOPPED); /* for good */
            ck_assert_int_eq(take(w.e, lane, &w.slot), ADN_STOPPED);
            done_with(w.e);
        }
}
END_TEST

START_TEST(a_consumer_that_goes_wakes_its_producer)
{
    for (adn_lane lane = 0; lane < ADN_N_LANE; lane++) {
        waiter w = {.e = full_edge(lane), .side = ADN_SIDE_PRODUCER, .lane = lane};
        adn_thread t;
        start_waiter(&w, &t);
        adn_edge_leave(w.e, lane);
        ck_assert_int_eq(adn_thread_join(&t), ADN_OK);
        ck_assert_ptr_null(w.slot);
        done_with(w.e);
    }
}
END_TEST

START_TEST(a_consumer_that_waits_is_woken_by_a_batch_a_marker_or_the_end)
{
    for (int what = 0; what < 3; what++) {
        waiter w = {.e = edge_of(1), .side = ADN_SIDE_CONSUMER};
        adn_thread t;
        start_waiter(&w, &t);
        if (what == 0) push(w.e, 5);
        if (what == 1) adn_edge_mark(w.e, 5, false);
        if (what == 2) adn_edge_close(w.e, ADN_LANE_TRAIN);
        ck_assert_int_eq(adn_thread_join(&t), what == 2 ? ADN_END : ADN_OK);
        ck_assert((w.slot != NULL) == (what == 0));
        nobody_waits(w.e);
        ck_assert_double_gt(adn_edge_counts(w.e).wait_in_s, 0);
        ck_assert(adn_edge_counts(w.e).wait_out_s == 0); /* nobody asked for a slot in vain */
        done_with(w.e);
    }
}
END_TEST

START_TEST(a_producer_that_waits_is_woken_by_a_free_slot)
{
    waiter w = {.e = full_edge(ADN_LANE_TRAIN), .side = ADN_SIDE_PRODUCER};
    adn_thread t;

    start_waiter(&w, &t);
    ck_assert_int_eq(pull(w.e), 0);
    ck_assert_int_eq(adn_thread_join(&t), ADN_OK);
    ck_assert_ptr_nonnull(w.slot);
    ck_assert_double_gt(adn_edge_counts(w.e).wait_out_s, 0);
    nobody_waits(w.e);
    done_with(w.e);
}
END_TEST

/* A producer and a consumer thread, queues of their own, delays: every batch arrives whole and in
 * order. */
enum { N_STRESS = 3000 };

static adn_status produce(void *user)
{
    for (int64_t k = 0; k < N_STRESS; k++) push(user, k);
    edge_close(user);
    return ADN_OK;
}

START_TEST(a_stress_with_delays_loses_and_mixes_nothing)
{
    for (int n_slot = 1; n_slot <= 3; n_slot++) {
        adn_edge *e = edge_of(n_slot);
        adn_thread t;
        static unsigned char seen[N_STRESS];
        ck_assert_int_eq(adn_thread_start(&t, "produce", produce, e), ADN_OK);
        for (int64_t k = 0; k < N_STRESS; k++) {
            adn_slot *s = NULL;
            ck_assert_int_eq(take(e, ADN_LANE_TRAIN, &s), ADN_OK);
            ck_assert_int_eq(s->step, k);
            ck_assert_int_eq(dev->ops->download(out, &seen[k], s->x, 1), ADN_OK);
            ck_assert_int_eq(dev->ops->event_record(out, s->read), ADN_OK);
            adn_edge_release(e, s);
        }
        ck_assert_int_eq(adn_thread_join(&t), ADN_OK);
        ck_assert_int_eq(dev->ops->queue_sync(out), ADN_OK);
        for (int k = 0; k < N_STRESS; k++) ck_assert_int_eq(seen[k], (unsigned char)k);
        done_with(e);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge");
    TCase *tc = tcase_create("edge");
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, batches_come_in_the_order_they_were_pushed);
    tcase_add_test(tc, what_was_pushed_before_the_end_is_still_taken);
    tcase_add_test(tc, an_edge_whose_consumer_is_gone_drops);
    tcase_add_test(tc, a_marker_comes_between_its_step_and_the_next);
    tcase_add_test(tc, markers_wait_in_line_and_never_on_the_test_lane);
    tcase_add_test(tc, who_waits_is_seen_and_an_abort_wakes_them);
    tcase_add_test(tc, a_consumer_that_goes_wakes_its_producer);
    tcase_add_test(tc, a_consumer_that_waits_is_woken_by_a_batch_a_marker_or_the_end);
    tcase_add_test(tc, a_producer_that_waits_is_woken_by_a_free_slot);
    tcase_add_test(tc, a_stress_with_delays_loses_and_mixes_nothing);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
