/* The local edge: order, blocking, ends, markers, and a stress of two queues that pass numbers on.
 */
#include <stdio.h>
#include <string.h>

#include "core/thread.h"
#include "edge/edge.h"
#include "edge/replay.h"
#include "suite.h"

static adn_device *dev;
static adn_queue *in, *out;

static void setup(void)
{
    ck_assert_int_eq(adn_cpu_open(&dev), ADN_OK);
    ck_assert_int_eq(
        dev->ops->queue_create(dev, &(adn_queue_conf){.name = "in", .n_thread = 1}, &in), ADN_OK);
    ck_assert_int_eq(dev->ops->queue_create(
                         dev, &(adn_queue_conf){.name = "out", .n_thread = 1, .jitter = 5}, &out),
                     ADN_OK);
}

static void teardown(void)
{
    dev->ops->queue_destroy(in);
    dev->ops->queue_destroy(out);
    dev->ops->close(dev);
}

static adn_edge *edge_of(int n_slot)
{
    adn_edge *e;
    adn_edge_conf conf = {
        .dev = dev, .n_slot = {n_slot, 1}, .shape = {2, 1, 1, 4}, .type = ADN_F32};
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
    ck_assert_int_eq(adn_edge_acquire(e, ADN_LANE_TRAIN, in, &s), ADN_OK);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(dev->ops->fill(in, s->x, (int)step, 4), ADN_OK);
    s->step = step;
    ck_assert_int_eq(dev->ops->event_record(in, s->written), ADN_OK);
    adn_edge_commit(e, s);
}

static int64_t pull(adn_edge *e)
{
    adn_slot *s = NULL;
    ck_assert_int_eq(adn_edge_take(e, ADN_LANE_TRAIN, out, &s), ADN_OK);
    if (s == NULL) return -1;
    int64_t step = s->step;
    ck_assert_int_eq(dev->ops->event_record(out, s->read), ADN_OK);
    adn_edge_release(e, s);
    return step;
}

START_TEST(batches_come_in_the_order_they_were_pushed)
{
    adn_edge *e = edge_of(3);
    for (int64_t k = 0; k < 9; k += 3) {
        for (int64_t i = 0; i < 3; i++) push(e, k + i);
        for (int64_t i = 0; i < 3; i++) ck_assert_int_eq(pull(e), k + i);
    }
    ck_assert_int_eq(adn_edge_counts(e).pushed, 9);
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
    adn_edge_close(e);
    ck_assert_int_eq(pull(e), 0);
    ck_assert_int_eq(pull(e), 1);
    ck_assert_int_eq(adn_edge_take(e, ADN_LANE_TRAIN, out, &s), ADN_END);
    ck_assert_ptr_null(s);
    done_with(e);
}
END_TEST

START_TEST(an_edge_whose_consumer_is_gone_drops)
{
    adn_edge *e = edge_of(1);
    adn_slot *s = (adn_slot *)&s;
    push(e, 0);
    adn_edge_leave(e);
    ck_assert_int_eq(adn_edge_acquire(e, ADN_LANE_TRAIN, in, &s), ADN_OK);
    ck_assert_ptr_null(s);
    done_with(e);
}
END_TEST

START_TEST(a_marker_comes_between_its_step_and_the_next)
{
    adn_edge *e = edge_of(3);
    push(e, 0);
    push(e, 1);
    ck_assert_int_eq(adn_edge_mark(e, 1), ADN_OK);
    push(e, 2);
    ck_assert_int_eq(pull(e), 0);
    ck_assert_int_eq(pull(e), 1);
    ck_assert_int_eq(pull(e), -1);
    ck_assert_int_eq(adn_edge_pop_marker(e), 1);
    ck_assert_int_eq(pull(e), 2);
    ck_assert_int_eq(adn_edge_mark(e, 2), ADN_OK);
    adn_edge_close(e); /* a marker comes before the end, too */
    ck_assert_int_eq(pull(e), -1);
    ck_assert_int_eq(adn_edge_pop_marker(e), 2);
    done_with(e);
}
END_TEST

typedef struct waiter {
    adn_edge *e;
    bool takes;
} waiter;

static adn_status wait_on_edge(void *user)
{
    waiter *w = user;
    adn_slot *s = NULL;
    return w->takes ? adn_edge_take(w->e, ADN_LANE_TRAIN, out, &s)
                    : adn_edge_acquire(w->e, ADN_LANE_TRAIN, in, &s);
}

START_TEST(who_waits_is_seen_and_an_abort_wakes_them)
{
    for (int takes = 0; takes < 2; takes++) {
        adn_edge *e = edge_of(1);
        waiter w = {e, takes == 1};
        adn_thread t;
        if (!w.takes) push(e, 0);
        ck_assert_int_eq(adn_thread_start(&t, "waiter", wait_on_edge, &w), ADN_OK);
        while (!(w.takes ? adn_edge_counts(e).consumer_waits : adn_edge_counts(e).producer_waits))
            sched_yield();
        adn_edge_abort(e);
        ck_assert_int_eq(adn_thread_join(&t), ADN_STOPPED);
        done_with(e);
    }
}
END_TEST

/* A producer and a consumer thread, queues of their own, delays: every batch arrives whole and in
 * order. */
enum { N_STRESS = 3000 };

static adn_status produce(void *user)
{
    for (int64_t k = 0; k < N_STRESS; k++) push(user, k);
    adn_edge_close(user);
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
            ck_assert_int_eq(adn_edge_take(e, ADN_LANE_TRAIN, out, &s), ADN_OK);
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

START_TEST(fifo_names_a_free_slot_to_write_and_the_oldest_to_read)
{
    adn_replay_slot s[3] = {{ADN_SLOT_READY, 5}, {ADN_SLOT_READING, 3}, {ADN_SLOT_READY, 4}};
    ck_assert_int_eq(adn_replay_write(s, 3), -1);
    ck_assert_int_eq(adn_replay_read(s, 3), 2);
    s[1].state = ADN_SLOT_FREE;
    ck_assert_int_eq(adn_replay_write(s, 3), 1);
    s[0].state = s[2].state = ADN_SLOT_WRITING;
    ck_assert_int_eq(adn_replay_read(s, 3), -1);
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
    tcase_add_test(tc, who_waits_is_seen_and_an_abort_wakes_them);
    tcase_add_test(tc, a_stress_with_delays_loses_and_mixes_nothing);
    tcase_add_test(tc, fifo_names_a_free_slot_to_write_and_the_oldest_to_read);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
