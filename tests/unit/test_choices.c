/* Choices: what is put is found, once, in order. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/thread.h"
#include "device/choices.h"
#include "suite.h"

enum { N_KEY = 200, N_THREAD = 3 };

static adn_choices *choices;

static void setup(void)
{
    ck_assert_int_eq(adn_choices_create(&choices), ADN_OK);
}

static void teardown(void)
{
    int64_t live = adn_alloc_live();

    adn_choices_destroy(choices);
    ck_assert_int_lt(adn_alloc_live(), live);
    adn_choices_destroy(NULL);
}

START_TEST(a_key_keeps_its_first_choice)
{
    char text[16] = "untouched";

    ck_assert(!adn_choices_get(choices, "a", text, sizeof(text)));
    ck_assert_str_eq(text, "untouched");
    ck_assert_int_eq(adn_choices_put(choices, "a", "first"), ADN_OK);
    ck_assert_int_eq(adn_choices_put(choices, "a", "second"), ADN_OK);
    ck_assert(adn_choices_get(choices, "a", text, sizeof(text)));
    ck_assert_str_eq(text, "first");
    ck_assert(!adn_choices_get(choices, "", text, sizeof(text)));
    ck_assert(!adn_choices_get(choices, "aa", text, sizeof(text)));
    ck_assert(!adn_choices_get(choices, "a", text, strlen("first"))); /* and no 0 behind it */
}
END_TEST

static void must_follow(void *user, const char *key, const char *choice)
{
    int *n = user;
    char wanted[24];

    snprintf(wanted, sizeof(wanted), "%03d", (*n)++);
    ck_assert_str_eq(key, wanted);
    ck_assert_str_eq(choice, wanted);
}

/* All threads put all keys, each in an order of its own. */
static adn_status put_all(void *user)
{
    const int step = *(const int *)user; /* prime to N_KEY */
    char text[24];

    for (int i = 0; i < N_KEY; i++) {
        snprintf(text, sizeof(text), "%03d", i * step % N_KEY);
        adn_status st = adn_choices_put(choices, text, text);
        if (st != ADN_OK) return st;
        if (!adn_choices_get(choices, text, text, sizeof(text)))
            return ADN_FAIL(ADN_END, "%s was put and is not there", text);
    }
    return ADN_OK;
}

START_TEST(threads_put_and_all_is_there_in_order)
{
    static int steps[N_THREAD] = {1, 7, 199};
    adn_thread threads[N_THREAD] = {0};
    int n = 0;

    for (int k = 0; k < N_THREAD; k++)
        ck_assert_int_eq(adn_thread_start(&threads[k], "put", put_all, &steps[k]), ADN_OK);
    for (int k = 0; k < N_THREAD; k++) ck_assert_int_eq(adn_thread_join(&threads[k]), ADN_OK);
    adn_choices_each(choices, must_follow, &n);
    ck_assert_int_eq(n, N_KEY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("choices");
    TCase *tests = tcase_create("choices");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_key_keeps_its_first_choice);
    tcase_add_test(tests, threads_put_and_all_is_there_in_order);
    suite_add_tcase(suite, tests);
    return adn_suite_run(suite);
}
