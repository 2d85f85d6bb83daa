/* The device table's queues and events, over every device that opens. */
#include <check.h>
#include <string.h>

#include "core/thread.h"
#include "device/cpu/cpu.h"
#include "devices.h"
#include "op_run.h"
#include "queue_bench.h"
#include "suite.h"

static devices all;

/* The record of step s is all (uint8_t)s. */
static void check_record(bench *t, int n)
{
    ck_assert_int_eq(t->ops->queue_sync(t->a), ADN_OK);
    ck_assert_int_eq(t->ops->queue_sync(t->b), ADN_OK);
    ck_assert_int_eq(t->ops->download(t->a, t->host, t->record, (size_t)n * BYTES), ADN_OK);
    ck_assert_int_eq(t->ops->queue_sync(t->a), ADN_OK);
    for (size_t k = 0; k < (size_t)n * BYTES; k++)
        if (t->host[k] != (uint8_t)(k / BYTES))
            ck_abort_msg("step %zu left %d", k / BYTES, t->host[k]);
}

START_TEST(work_of_a_queue_runs_in_order)
{
    for (int i = 0; i < all.n; i++)
        for (uint64_t jitter = 0; jitter <= 9; jitter += 9) {
            bench t;
            bench_open(&t, all.one[i].dev, jitter);
            for (int s = 0; s < STEPS; s++) {
                bench_fill(&t, t.a, s);
                bench_keep(&t, t.a, s);
            }
            check_record(&t, STEPS);
            bench_close(&t);
        }
}
END_TEST

START_TEST(events_hand_one_slot_to_and_fro)
{
    for (int i = 0; i < all.n; i++)
        for (uint64_t jitter = 0; jitter <= 5; jitter += 5) {
            bench t;
            bench_open(&t, all.one[i].dev, jitter);
            for (int s = 0; s < STEPS; s++) {
                ck_assert_int_eq(t.ops->event_wait(t.a, t.f),
                                 ADN_OK); /* the first time nothing was recorded */
                bench_fill(&t, t.a, s);
                ck_assert_int_eq(t.ops->event_record(t.a, t.e), ADN_OK);
                ck_assert_int_eq(t.ops->event_wait(t.b, t.e), ADN_OK);
                bench_keep(&t, t.b, s);
                ck_assert_int_eq(t.ops->event_record(t.b, t.f), ADN_OK);
            }
            check_record(&t, STEPS);
            bench_close(&t);
        }
}
END_TEST

START_TEST(a_wait_takes_the_latest_record_and_none_that_comes_later)
{
    for (int i = 0; i < all.n; i++)
        for (uint64_t jitter = 0; jitter <= 3; jitter += 3) {
            bench t;
            bench_open(&t, all.one[i].dev, jitter);
            for (int s = 0; s < 3; s++) {
                bench_fill(&t, t.a, s == 2 ? 0 : 99);
                ck_assert_int_eq(t.ops->event_record(t.a, t.e), ADN_OK);
            }
            ck_assert_int_eq(t.ops->event_wait(t.b, t.e), ADN_OK);
            bench_keep(&t, t.b, 0);
            ck_assert_int_eq(t.ops->event_record(t.b, t.f), ADN_OK);
            ck_assert_int_eq(t.ops->event_wait(t.a, t.f), ADN_OK);
            ck_assert_int_eq(t.ops->event_record(t.a, t.e),
                             ADN_OK); /* b's wait is for the third one */
            check_record(&t, 1);
            bench_close(&t);
        }
}
END_TEST

START_TEST(the_host_waits_for_an_event_and_may_ask_it)
{
    for (int i = 0; i < all.n; i++) {
        bench t;
        bench_open(&t, all.one[i].dev, 4);
        ck_assert(t.ops->event_query(t.e)); /* never recorded: nothing is awaited */
        ck_assert_int_eq(t.ops->event_sync(t.e), ADN_OK);
        for (int s = 0; s < 50; s++) {
            memset(t.host, 0xff, BYTES);
            bench_fill(&t, t.a, s);
            ck_assert_int_eq(t.ops->download(t.a, t.host, t.slot, BYTES), ADN_OK);
            ck_assert_int_eq(t.ops->event_record(t.a, t.e), ADN_OK);
            ck_assert_int_eq(t.ops->event_sync(t.e), ADN_OK);
            ck_assert_int_eq(t.host[BYTES - 1], s);
            ck_assert(t.ops->event_query(t.e));
        }
        ck_assert_int_eq(t.ops->event_record(t.a, t.e), ADN_OK);
        while (!t.ops->event_query(t.e)) continue; /* happens by itself */
        bench_close(&t);
    }
}
END_TEST

START_TEST(bytes_go_up_across_and_down_and_none_are_fine)
{
    for (int i = 0; i < all.n; i++) {
        bench t;
        bench_open(&t, all.one[i].dev, 0);
        for (size_t k = 0; k < BYTES; k++) t.host[k] = (uint8_t)(k * 7);
        ck_assert_int_eq(t.ops->upload(t.a, t.slot, t.host, BYTES), ADN_OK);
        ck_assert_int_eq(t.ops->copy(t.a, t.record + 64, t.slot, BYTES), ADN_OK);
        ck_assert_int_eq(t.ops->fill(t.a, t.record + 64 + 10, 200, 3), ADN_OK);
        ck_assert_int_eq(t.ops->download(t.a, t.host + BYTES, t.record + 64, BYTES), ADN_OK);
        ck_assert_int_eq(t.ops->upload(t.a, NULL, NULL, 0), ADN_OK);
        ck_assert_int_eq(t.ops->copy(t.a, NULL, NULL, 0), ADN_OK);
        ck_assert_int_eq(t.ops->fill(t.a, NULL, 1, 0), ADN_OK);
        ck_assert_int_eq(t.ops->download(t.a, NULL, NULL, 0), ADN_OK);
        ck_assert_int_eq(t.ops->queue_sync(t.a), ADN_OK);
        for (int k = 0; k < 3; k++) t.host[10 + k] = 200;
        ck_assert_mem_eq(t.host, t.host + BYTES, BYTES);
        ck_assert_int_eq(t.ops->queue_sync(t.a), ADN_OK); /* idle */
        bench_close(&t);
    }
}
END_TEST

START_TEST(memory_of_a_device_starts_as_zeros)
{
    for (int i = 0; i < all.n; i++) {
        bench t;
        bench_open(&t, all.one[i].dev, 0);
        memset(t.host, 0xff, BYTES);
        ck_assert_int_eq(t.ops->download(t.a, t.host, t.slot, BYTES), ADN_OK);
        ck_assert_int_eq(t.ops->queue_sync(t.a), ADN_OK);
        for (size_t k = 0; k < BYTES; k++) ck_assert_int_eq(t.host[k], 0);
        t.ops->release(t.dev, NULL);
        t.ops->queue_destroy(NULL);
        t.ops->event_destroy(NULL);
        t.ops->layout_destroy(NULL);
        t.ops->op_destroy(NULL);
        bench_close(&t);
    }
}
END_TEST

START_TEST(far_more_work_than_a_queue_holds_makes_the_host_wait)
{
    for (int i = 0; i < all.n; i++) {
        bench t;
        bench_open(&t, all.one[i].dev, 0);
        for (int s = 0; s < 20000; s++) bench_fill(&t, t.a, s % 7 == 0 ? 0 : 50);
        bench_fill(&t, t.a, 0);
        bench_keep(&t, t.a, 0);
        check_record(&t, 1);
        bench_close(&t);
    }
}
END_TEST

START_TEST(destroying_a_queue_ends_its_work_first)
{
    for (int i = 0; i < all.n; i++) {
        bench t;
        bench_open(&t, all.one[i].dev, 6);
        for (int s = 0; s < 100; s++) {
            bench_fill(&t, t.a, s);
            bench_keep(&t, t.a, s);
        }
        t.ops->queue_destroy(t.a);
        t.a = NULL;
        ck_assert_int_eq(t.ops->download(t.b, t.host, t.record, 100 * BYTES), ADN_OK);
        ck_assert_int_eq(t.ops->queue_sync(t.b), ADN_OK);
        for (int k = 0; k < 100; k++) ck_assert_int_eq(t.host[(size_t)k * BYTES], k);
        bench_close(&t);
    }
}
END_TEST

START_TEST(delays_change_no_number)
{
    op_case c = {.desc = {.kind = ADN_OP_CONV_FWD,
                          .type = ADN_F32,
                          .src = {5, 7, 7, 5},
                          .dst = {5, 7, 7, 9}},
                 .layout_n = 5};
    c.desc.u.conv.kernel = 3;
    c.desc.u.conv.stride = c.desc.u.conv.pad = 1;

    for (int i = 0; i < all.n; i++) {
        op_data plain, late;
        adn_queue_conf conf = {.name = "late", .n_thread = 1, .jitter = 77};
        adn_queue *q = NULL;
        ck_assert_int_eq(all.one[i].dev->ops->queue_create(all.one[i].dev, &conf, &q), ADN_OK);
        op_data_init(&plain, &c, 1);
        op_data_copy(&late, &plain, &c);
        op_run(all.one[i].queues[0], &c, &plain);
        op_run(q, &c, &late);
        ck_assert_mem_eq(plain.p[ADN_DST], late.p[ADN_DST], plain.count[ADN_DST] * sizeof(double));
        op_data_clear(&plain);
        op_data_clear(&late);
        all.one[i].dev->ops->queue_destroy(q);
    }
}
END_TEST

/* ---- the cpu device alone ---- */

static adn_status fail_to_run(const adn_cpu_op *op, const adn_op_args *args)
{
    (void)op;
    (void)args;
    return ADN_DEVICE;
}

START_TEST(after_a_failure_a_queue_skips_work_but_its_events_happen)
{
    bench t;
    uint8_t byte = 7;
    adn_profile profile;

    bench_open(&t, all.one[0].dev, 0);
    adn_op *op = bench_relu(t.a);
    ((adn_cpu_op *)op)->run = fail_to_run;
    adn_op_args args = {{[ADN_SRC] = t.slot, [ADN_DST] = t.record}, {0}};
    ck_assert_int_eq(adn_op_run(op, &args), ADN_OK); /* enqueued */
    bench_fill(&t, t.a, 1);
    ck_assert_int_eq(t.ops->event_record(t.a, t.e), ADN_OK);
    ck_assert_int_eq(t.ops->event_wait(t.b, t.e), ADN_OK);
    ck_assert_int_eq(t.ops->download(t.b, &byte, t.slot, 1), ADN_OK);
    ck_assert_int_eq(t.ops->queue_sync(t.b), ADN_OK);
    ck_assert_int_eq(byte, 0);
    ck_assert_int_eq(t.ops->queue_sync(t.a), ADN_DEVICE);
    ck_assert_int_eq(t.ops->queue_profile(t.a, &profile), ADN_DEVICE);
    ck_assert_int_eq(profile.copies.runs, 0);
    adn_op_destroy(op);
    bench_close(&t);
}
END_TEST

START_TEST(a_worker_pins_itself_to_its_cores_or_the_queue_is_refused)
{
    adn_device *dev = all.one[0].dev;
    adn_queue_conf conf = {.name = "pinned", .n_core = 1, .n_thread = 2};
    adn_queue *q = NULL, *refused = (adn_queue *)&conf;
    int64_t live = adn_alloc_live();

    ck_assert_int_ge(adn_cores_allowed(conf.cores, 1), 1);
    ck_assert_int_eq(dev->ops->queue_create(dev, &conf, &q), ADN_OK);
    ck_assert_int_eq(dev->ops->queue_sync(q), ADN_OK);
    dev->ops->queue_destroy(q);
    conf.cores[0] = 1000; /* no such core */
    ck_assert_int_ne(dev->ops->queue_create(dev, &conf, &refused), ADN_OK);
    ck_assert_ptr_eq(refused, (adn_queue *)&conf);
    ck_assert_int_eq(adn_alloc_live(), live);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *order = tcase_create("order"), *cpu = tcase_create("cpu");

    devices_open(&all);
    tcase_add_test(order, work_of_a_queue_runs_in_order);
    tcase_add_test(order, events_hand_one_slot_to_and_fro);
    tcase_add_test(order, a_wait_takes_the_latest_record_and_none_that_comes_later);
    tcase_add_test(order, the_host_waits_for_an_event_and_may_ask_it);
    tcase_add_test(order, bytes_go_up_across_and_down_and_none_are_fine);
    tcase_add_test(order, memory_of_a_device_starts_as_zeros);
    tcase_add_test(order, far_more_work_than_a_queue_holds_makes_the_host_wait);
    tcase_add_test(order, destroying_a_queue_ends_its_work_first);
    tcase_add_test(order, delays_change_no_number);
    tcase_add_test(cpu, after_a_failure_a_queue_skips_work_but_its_events_happen);
    tcase_add_test(cpu, a_worker_pins_itself_to_its_cores_or_the_queue_is_refused);
    suite_add_tcase(suite, order);
    if (!devices_are_gpus()) suite_add_tcase(suite, cpu); /* a GPU that failed is lost */
    int result = adn_suite_run(suite);
    devices_close(&all);
    return result;
}
