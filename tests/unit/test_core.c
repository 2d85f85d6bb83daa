/* Core: random numbers against published vectors, memory, statuses, the log, threads. */
#include "suite.h"

#include <string.h>

#include "core/rng.h"
#include "core/thread.h"

/* ---- random numbers ---- */

START_TEST(philox_gives_random123s_known_answers)
{
    /* kat_vectors of Random123, philox4x32 with 10 rounds. Counter words 0, 1 are b; 2 and the low
     * half of 3 are a; its high half is the purpose. The key is the seed. */
    static const struct {
        uint64_t seed, a, b;
        unsigned purpose;
        uint32_t expected[4];
    } known[] = {
        {0, 0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX,
         0xffffffffffff,
         UINT64_MAX,
         0xffff,
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822,
         0x734413198a2e,
         0x85a308d3243f6a88,
         0x0370,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    for (size_t i = 0; i < ADN_COUNT(known); i++) {
        adn_draw d =
            adn_rng_draw(known[i].seed, (adn_purpose)known[i].purpose, known[i].a, known[i].b);
        ck_assert_mem_eq(d.u, known[i].expected, sizeof(d.u));
    }
}
END_TEST

START_TEST(each_argument_of_a_draw_matters)
{
    adn_draw d = adn_rng_draw(1, ADN_RNG_TEST, 2, 3);
    adn_draw others[] = {
        adn_rng_draw(2, ADN_RNG_TEST, 2, 3),
        adn_rng_draw(1, ADN_RNG_ORDER, 2, 3),
        adn_rng_draw(1, ADN_RNG_TEST, 3, 3),
        adn_rng_draw(1, ADN_RNG_TEST, 2, 4),
        adn_rng_draw(1 | UINT64_C(1) << 63, ADN_RNG_TEST, 2, 3),
        adn_rng_draw(1, ADN_RNG_TEST, 2 | UINT64_C(1) << 47, 3),
        adn_rng_draw(1, ADN_RNG_TEST, 2, 3 | UINT64_C(1) << 63),
    };

    for (size_t i = 0; i < ADN_COUNT(others); i++)
        for (int k = 0; k < 4; k++) ck_assert_uint_ne(d.u[k], others[i].u[k]);
}
END_TEST

START_TEST(units_and_ranges_end_where_they_say)
{
    ck_assert(adn_rng_unit(0) == 0.0f);
    ck_assert(adn_rng_unit(UINT32_MAX) == 1.0f - 0x1p-24f);
    ck_assert_uint_eq(adn_rng_below(0, 10), 0);
    ck_assert_uint_eq(adn_rng_below(UINT32_MAX, 10), 9);
    ck_assert_uint_eq(adn_rng_below(UINT32_MAX, 1), 0);
    ck_assert_uint_eq(adn_rng_below(0x7fffffff, 2), 0);
    ck_assert_uint_eq(adn_rng_below(0x80000000, 2), 1);
}
END_TEST

START_TEST(a_names_hash_stays_and_has_48_bits)
{
    /* FNV-1a 64 of "" and "a" are published: cbf29ce484222325, af63dc4c8601ec8c */
    ck_assert_uint_eq(adn_rng_hash(""), UINT64_C(0x9ce484222325) ^ 0xcbf2);
    ck_assert_uint_eq(adn_rng_hash("a"), UINT64_C(0xdc4c8601ec8c) ^ 0xaf63);
    ck_assert_uint_ne(adn_rng_hash("unit1.conv.weight"), adn_rng_hash("unit2.conv.weight"));
}
END_TEST

/* ---- memory, statuses, threads ---- */

START_TEST(memory_is_zeroed_aligned_and_counted)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1 << 20};
    int64_t live = adn_alloc_live();
    uint64_t calls = adn_alloc_calls();

    for (size_t i = 0; i < ADN_COUNT(sizes); i++) {
        uint8_t *p = adn_alloc(sizes[i]);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % 64, 0);
        for (size_t k = 0; k < sizes[i]; k++) ck_assert_int_eq(p[k], 0);
        memset(p, 0xff, sizes[i]);
        ck_assert_int_eq(adn_alloc_live(), live + 1);
        adn_free(p);
    }
    adn_free(NULL);
    ck_assert_int_eq(adn_alloc_live(), live);
    ck_assert_uint_eq(adn_alloc_calls(), calls + ADN_COUNT(sizes));
    ck_assert_ptr_null(adn_alloc(SIZE_MAX));
    ck_assert_int_eq(adn_alloc_live(), live);
}
END_TEST

START_TEST(the_nth_allocation_fails_once)
{
    void *p[5];
    int64_t live = adn_alloc_live();

    adn_alloc_fail_at(3);
    for (int i = 0; i < 5; i++) p[i] = adn_alloc(8);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(p[i] == NULL, i == 2);
    ck_assert_int_eq(adn_alloc_live(), live + 4);
    for (int i = 0; i < 5; i++) adn_free(p[i]);
    adn_alloc_fail_at(1);
    ck_assert_ptr_null(adn_format("%d", 1));
    adn_alloc_fail_at(1);
    ck_assert_ptr_null(adn_strdup("a"));
    char *text = adn_format("%s-%03d", "a", 7);
    ck_assert_str_eq(text, "a-007");
    adn_free(text);
}
END_TEST

START_TEST(statuses_have_the_products_exit_codes)
{
    ck_assert_int_eq(adn_status_exit(ADN_OK), 0);
    ck_assert_int_eq(adn_status_exit(ADN_IO), 1);
    ck_assert_int_eq(adn_status_exit(ADN_BADCONF), 2);
    ck_assert_int_eq(adn_status_exit(ADN_BADDATA), 3);
    ck_assert_int_eq(adn_status_exit(ADN_NOMEM), 4);
    ck_assert_int_eq(adn_status_exit(ADN_DIVERGED), 5);
    ck_assert_int_eq(adn_status_exit(ADN_BADCKPT), 6);
    ck_assert_int_eq(adn_status_exit(ADN_NET), 7);
    ck_assert_int_eq(adn_status_exit(ADN_STOPPED), 75);
    ck_assert_str_eq(adn_status_name(ADN_BADDATA), "BADDATA");
    ck_assert_int_eq(adn_status_exit((adn_status)99), 1);
    ck_assert_str_eq(adn_status_name((adn_status)99), "?");
}
END_TEST

START_TEST(a_failure_is_logged_once_with_its_text)
{
    adn_test_log_clear();
    ck_assert_int_eq(ADN_FAIL(ADN_IO, "%s: byte %d", "file", 7), ADN_IO);
    ck_assert_str_eq(adn_test_log(), "error: file: byte 7\n");
    adn_test_log_clear();
    adn_log_level_set(ADN_LEVEL_DEBUG);
    ck_assert_int_eq(ADN_FAIL(ADN_IO, "again"), ADN_IO);
    adn_log_level_set(ADN_LEVEL_INFO);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "IO, seen at"));
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "test_core.c"));
}
END_TEST

static adn_status give(void *user)
{
    return *(adn_status *)user;
}

START_TEST(a_thread_gives_what_its_function_returned)
{
    adn_thread t;
    adn_status wanted = ADN_BADDATA;

    ck_assert_int_eq(adn_thread_start(&t, "a name longer than fifteen", give, &wanted), ADN_OK);
    ck_assert_int_eq(adn_thread_join(&t), ADN_BADDATA);
    ck_assert_int_eq(adn_thread_join(&t), ADN_OK); /* once only */
}
END_TEST

START_TEST(a_thread_may_be_pinned_to_an_allowed_core)
{
    int cores[256], n = adn_cores_allowed(cores, 256), again[256];

    ck_assert_int_ge(n, 1);
    for (int i = 1; i < n; i++) ck_assert_int_gt(cores[i], cores[i - 1]);
    ck_assert_int_eq(adn_cores_allowed(again, 1), 1);
    ck_assert_int_eq(adn_thread_pin(cores, 1), ADN_OK);
    ck_assert_int_eq(adn_cores_allowed(again, 256), 1);
    ck_assert_int_eq(again[0], cores[0]);
    ck_assert_int_eq(adn_thread_pin(cores, n), ADN_OK);
}
END_TEST

START_TEST(the_clock_goes_forward)
{
    double a = adn_now(), b = adn_now();

    ck_assert_double_ge(b, a);
    ck_assert_double_lt(b - a, 60);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core");
    TCase *rng = tcase_create("rng");
    TCase *rest = tcase_create("rest");

    tcase_add_test(rng, philox_gives_random123s_known_answers);
    tcase_add_test(rng, each_argument_of_a_draw_matters);
    tcase_add_test(rng, units_and_ranges_end_where_they_say);
    tcase_add_test(rng, a_names_hash_stays_and_has_48_bits);
    tcase_add_test(rest, memory_is_zeroed_aligned_and_counted);
    tcase_add_test(rest, the_nth_allocation_fails_once);
    tcase_add_test(rest, statuses_have_the_products_exit_codes);
    tcase_add_test(rest, a_failure_is_logged_once_with_its_text);
    tcase_add_test(rest, a_thread_gives_what_its_function_returned);
    tcase_add_test(rest, a_thread_may_be_pinned_to_an_allowed_core);
    tcase_add_test(rest, the_clock_goes_forward);
    suite_add_tcase(suite, rng);
    suite_add_tcase(suite, rest);
    return adn_suite_run(suite);
}
