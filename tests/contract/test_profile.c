/* What the device table's queues tell of their work, over every device that opens. */
#include <check.h>
#include <time.h>

#include "devices.h"
#include "queue_bench.h"
#include "suite.h"

static devices all;

START_TEST(each_operation_has_a_tally_of_its_own)
{
    for (int i = 0; i < all.n; i++) {
        bench t;
        bench_open(&t, all.one[i].dev, 0);
        adn_op *op = bench_relu(t.a), *same = bench_relu(t.a);
        adn_op_args args = {{[ADN_SRC] = t.slot, [ADN_DST] = t.record}, {0}};
        ck_assert_int_eq(op->tally.runs, 0);
        for (int k = 0; k < 4; k++) ck_assert_int_eq(adn_op_run(k < 3 ? op : same, &args), ADN_OK);
        ck_assert_int_eq(t.ops->queue_sync(t.a), ADN_OK);
        ck_assert_int_eq(op->tally.runs, 3);
        ck_assert_int_eq(same->tally.runs, 1);
        ck_assert(op->tally.seconds > 0 && op->tally.seconds < 60);
        adn_op_destroy(op);
        adn_op_destroy(same);
        bench_close(&t);
    }
}
END_TEST

START_TEST(a_profile_counts_copies_and_waits)
{
    for (int i = 0; i < all.n; i++) {
        bench t;
        adn_profile then, now;
        bench_open(&t, all.one[i].dev, 0);
        ck_assert_int_eq(t.ops->queue_profile(t.a, &then), ADN_OK);
        ck_assert_int_eq(then.copies.runs, 0);
        ck_assert_double_eq(then.copy_bytes, 0);
        bench_fill(&t, t.a, 1);
        bench_keep(&t, t.a, 0);
        ck_assert_int_eq(t.ops->upload(t.a, t.slot, t.host, 10), ADN_OK);
        ck_assert_int_eq(t.ops->download(t.a, t.host, t.slot, 10), ADN_OK);
        ck_assert_int_eq(t.ops->copy(t.a, NULL, NULL, 0), ADN_OK); /* is none */
        ck_assert_int_eq(t.ops->queue_profile(t.a, &now), ADN_OK);
        ck_assert_int_eq(now.copies.runs, 4);
        ck_assert_double_eq(now.copy_bytes, 3 * BYTES + 2 * 2 * 10);
        ck_assert(now.copies.seconds > 0 && now.copies.seconds < 60);
        /* Between two questions a queue has nothing to do; on a busy machine it may be late for
         * that. */
        for (int k = 0; k < 1000 && now.wait_s == then.wait_s; k++) {
            struct timespec nap = {0, 1000 * 1000};
            nanosleep(&nap, NULL);
            ck_assert_int_eq(t.ops->queue_profile(t.a, &now), ADN_OK);
        }
        ck_assert_double_gt(now.wait_s, then.wait_s);
        bench_close(&t);
    }
}
END_TEST

/* Queue a works, waits for what b does in the meantime, and works again: it waited about as long as
 * that takes, if the host was not late, and no moment is of a wait and of work. */
START_TEST(a_wait_for_another_queue_is_told_and_is_no_work)
{
    enum { LARGE = 128 << 20, TRIES = 10 };

    for (int i = 0; i < all.n; i++) {
        bench t;
        void *large = NULL;
        bool is_told = false;
        bench_open(&t, all.one[i].dev, 0);
        ck_assert_int_eq(t.ops->alloc(t.dev, LARGE, &large), ADN_OK);
        adn_op *op = bench_relu(t.a);
        adn_op_args args = {{[ADN_SRC] = t.slot, [ADN_DST] = t.record}, {0}};
        for (int k = 0; k < TRIES && !is_told; k++) {
            adn_profile a[2], b[2];
            double start = adn_now(); /* and a wait that is under way at a[0] begins behind it */
            ck_assert_int_eq(adn_op_run(op, &args), ADN_OK);
            ck_assert_int_eq(t.ops->queue_profile(t.b, &b[0]), ADN_OK);
            ck_assert_int_eq(t.ops->queue_profile(t.a, &a[0]), ADN_OK);
            double worked_s = op->tally.seconds;
            ck_assert_int_eq(adn_op_run(op, &args), ADN_OK);
            ck_assert_int_eq(t.ops->fill(t.b, large, k, LARGE), ADN_OK);
            ck_assert_int_eq(t.ops->event_record(t.b, t.e), ADN_OK);
            ck_assert_int_eq(t.ops->event_wait(t.a, t.e), ADN_OK);
            for (int n = 0; n < STEPS; n++) ck_assert_int_eq(adn_op_run(op, &args), ADN_OK);
            ck_assert_int_eq(t.ops->queue_profile(t.a, &a[1]), ADN_OK);
            ck_assert_int_eq(t.ops->queue_profile(t.b, &b[1]), ADN_OK);
            double wait_s = a[1].wait_s - a[0].wait_s, span_s = adn_now() - start;
            worked_s = op->tally.seconds - worked_s;
            ck_assert_msg(wait_s + worked_s <= 1.01 * span_s, "%g s of waits, %g of work, in %g",
                          wait_s, worked_s, span_s);
            is_told = wait_s > (b[1].copies.seconds - b[0].copies.seconds) / 2;
        }
        ck_assert_msg(is_told, "%s: its waits are not told", all.one[i].name);
        adn_op_destroy(op);
        t.ops->release(t.dev, large);
        bench_close(&t);
    }
}
END_TEST

START_TEST(a_queue_measures_its_floors)
{
    for (int i = 0; i < all.n; i++) {
        adn_rates got = {0};
        ck_assert_int_eq(all.one[i].dev->ops->queue_rates(all.one[i].queues[0], &got), ADN_OK);
        ck_assert_double_gt(got.macs_s, 1e8); /* any processor of this century */
        ck_assert_double_lt(got.macs_s, 1e16);
        if (!all.one[i].dev->ops->has_own_memory) /* emulated GPUs keep no such order */
            ck_assert_double_ge(got.macs_bf16_s, 0.9 * got.macs_s);
        ck_assert_double_gt(got.macs_bf16_s, 1e8);
        ck_assert_double_lt(got.macs_bf16_s, 1e16);
        ck_assert_double_gt(got.copy_bytes_s, 1e8);
        ck_assert_double_lt(got.copy_bytes_s, 1e14);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("profile");
    TCase *tc = tcase_create("profile");

    devices_open(&all);
    tcase_add_test(tc, each_operation_has_a_tally_of_its_own);
    tcase_add_test(tc, a_profile_counts_copies_and_waits);
    tcase_add_test(tc, a_wait_for_another_queue_is_told_and_is_no_work);
    tcase_add_test(tc, a_queue_measures_its_floors);
    suite_add_tcase(suite, tc);
    int result = adn_suite_run(suite);
    devices_close(&all);
    return result;
}
