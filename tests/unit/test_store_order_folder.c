/* The order files of a run: one a process, the newest of them holds its checkpoint. */
#include "ckpt_case.h"
#include "core/file.h"
#include "suite.h"

static int64_t newest(void)
{
    char *path = NULL, *expected;
    int64_t step = -7;
    adn_status st = adn_order_newest(ckpt_run, &path, &step);
    ck_assert(st == ADN_OK || (st == ADN_END && path == NULL && step == -7));
    if (st != ADN_OK) return -1;
    expected = adn_order_path(ckpt_run, step);
    ck_assert_str_eq(path, expected);
    adn_free(expected);
    adn_free(path);
    return step;
}

static void begin(int64_t step)
{
    adn_order *o;
    adn_order_reader *r;
    ck_assert(adn_order_begin(ckpt_run, 3, step, &o) == ADN_OK);
    for (int k = 0; k < 5; k++)
        ck_assert(adn_order_append(o, &(adn_order_step){.in_slot = -1, .out_slot = -1}) == ADN_OK);
    ck_assert(adn_order_close(o) == ADN_OK);
    char *path = adn_order_path(ckpt_run, step);
    ck_assert(adn_order_open(path, &r) == ADN_OK);
    ck_assert(adn_order_about(r).first_step == step && adn_order_about(r).n_step == 5);
    adn_order_reader_close(r);
    adn_free(path);
}

static bool is_there(const char *name)
{
    char *path = adn_path_join(ckpt_run, name);
    bool is = adn_path_exists(path);
    adn_free(path);
    return is;
}

START_TEST(each_process_has_an_order_named_by_where_it_began)
{
    static const char *const no_orders[] = {"order-.bin",      "order-07.bin",
                                            "order-7.bin.tmp", "order-7x.bin",
                                            "order--7.bin",    "order.bin.tmp",
                                            "aorder-7.bin",    "order-0.bin",
                                            "order- 9.bin",    "order-99999999999999999999.bin"};
    ckpt_fresh();
    ck_assert_int_eq(newest(), -1);
    for (size_t i = 0; i < ADN_COUNT(no_orders); i++)
        ck_assert(ckpt_put(ckpt_run, no_orders[i], "") == ADN_OK);
    ck_assert_int_eq(newest(), -1);
    begin(0);
    ck_assert(newest() == 0 && is_there("order.bin"));
    begin(900);
    ck_assert(newest() == 900 && is_there("order-900.bin"));
    begin(1000);
    ck_assert(newest() == 1000 && is_there("order-1000.bin")); /* by number, not by letter */
    begin(1000);
    ck_assert(newest() == 1000);
    ck_assert(is_there("order.bin") && is_there("order-900.bin"));
}
END_TEST

START_TEST(a_process_that_goes_on_from_before_removes_the_orders_behind)
{
    ckpt_fresh();
    for (int64_t step = 0; step <= 500; step += 100) begin(step);
    begin(250); /* the checkpoints behind were damaged */
    ck_assert_int_eq(newest(), 250);
    ck_assert(is_there("order.bin") && is_there("order-200.bin") && !is_there("order-300.bin") &&
              !is_there("order-500.bin"));
    begin(0);
    ck_assert(newest() == 0 && !is_there("order-100.bin"));
}
END_TEST

START_TEST(the_checkpoint_of_the_newest_order_is_kept)
{
    ckpt_fresh();
    begin(0);
    ckpt_must_save(1, 90, 1, 0);
    ckpt_must_save(2, 50, 1, 0);
    ck_assert_str_eq(ckpt_names(), "e0002-b0000 "); /* replay begins at the start */
    begin(200);
    for (int e = 3; e <= 5; e++) ckpt_must_save(e, 40 + e, 1, 1);
    ck_assert_str_eq(ckpt_names(), "e0002-b0000 e0005-b0000 ");
    ck_assert(adn_ckpt_clean(ckpt_run) == ADN_OK);
    ck_assert_str_eq(ckpt_names(), "e0002-b0000 e0005-b0000 ");
    ck_assert_str_eq(ckpt_link("last"), "e0005-b0000");
    ck_assert_str_eq(ckpt_link("best"), "e0002-b0000");
    begin(500);
    ckpt_must_save(6, 20, 1, 0);
    ck_assert_str_eq(ckpt_names(), "e0005-b0000 e0006-b0000 ");
    ckpt_must_save(7, 30, 2, 0);
    ck_assert_str_eq(ckpt_names(), "e0005-b0000 e0006-b0000 e0007-b0000 ");
}
END_TEST

static adn_status begin_again(void)
{
    adn_order *o = NULL;
    adn_status st = adn_order_begin(ckpt_run, 3, 100, &o);
    ck_assert((o != NULL) == (st == ADN_OK));
    adn_order_close(o);
    return st;
}

static adn_status open_newest(void)
{
    char *path = NULL;
    int64_t step;
    adn_order_reader *r = NULL;
    adn_status st = adn_order_newest(ckpt_run, &path, &step);
    ck_assert((path != NULL) == (st == ADN_OK));
    if (st == ADN_OK) st = adn_order_open(path, &r);
    ck_assert((r != NULL) == (st == ADN_OK));
    adn_order_reader_close(r);
    adn_free(path);
    return st;
}

START_TEST(any_failed_allocation_leaves_an_order_or_none)
{
    adn_status (*const calls[])(void) = {begin_again, open_newest};
    ckpt_fresh();
    begin(0);
    begin(200);
    for (size_t i = 0; i < ADN_COUNT(calls); i++) {
        adn_status st = ADN_NOMEM;
        for (int n = 1; st != ADN_OK; n++) {
            int64_t live = adn_alloc_live();
            adn_alloc_fail_at(n);
            st = calls[i]();
            adn_alloc_fail_at(0);
            ck_assert(st == ADN_OK || st == ADN_NOMEM);
            ck_assert(adn_alloc_live() == live && newest() >= 0);
        }
    }
    ck_assert_int_eq(newest(), 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_order_folder");
    TCase *tc = tcase_create("folder");

    tcase_add_test(tc, each_process_has_an_order_named_by_where_it_began);
    tcase_add_test(tc, a_process_that_goes_on_from_before_removes_the_orders_behind);
    tcase_add_test(tc, the_checkpoint_of_the_newest_order_is_kept);
    tcase_add_test(tc, any_failed_allocation_leaves_an_order_or_none);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
