/* Who is told of as hanging, and when: times are given, nothing sleeps. */
#include "pipeline/hang.h"

#include "suite.h"

static adn_hang h;
static double rest_s;

/* n blocks that have done `done` each are seen and asked about at now_s. */
static int look(const int64_t *done, int n, double now_s)
{
    for (int j = 0; j < n; j++) adn_hang_see(&h, j, done[j], false, now_s);
    return adn_hang_tell(&h, n, now_s, &rest_s);
}

START_TEST(a_block_that_rests_too_long_is_told_of)
{
    h = (adn_hang){.patience_s = 60};
    ck_assert_int_eq(look((int64_t[]){5, 0}, 2, 100), -1);
    ck_assert_int_eq(look((int64_t[]){6, 0}, 2, 160), -1); /* a minute, and not more */
    ck_assert_int_eq(look((int64_t[]){7, 0}, 2, 161), 1);
    ck_assert(rest_s == 61);
}
END_TEST

START_TEST(time_counts_from_the_first_look_even_at_zero)
{
    h = (adn_hang){.patience_s = 60};
    ck_assert_int_eq(look((int64_t[]){0}, 1, 0), -1);
    ck_assert_int_eq(look((int64_t[]){0}, 1, 30), -1);
    ck_assert_int_eq(look((int64_t[]){0}, 1, 61), 0);
    ck_assert(rest_s == 61);
    ck_assert_int_eq(adn_hang_tell(&h, 2, 500, &rest_s), 0);
    h = (adn_hang){.patience_s = 60};
    ck_assert_int_eq(adn_hang_tell(&h, 2, 500, &rest_s), -1); /* none was ever looked at */
}
END_TEST

START_TEST(it_is_told_once_in_the_patience)
{
    int n = 0;

    h = (adn_hang){.patience_s = 60};
    for (int s = 0; s <= 300; s++) n += look((int64_t[]){s, 3, s}, 3, s) == 1;
    ck_assert_int_eq(n, 4); /* at 61, 121, 181, 241 */
}
END_TEST

START_TEST(whatever_moves_is_not_told_of_and_who_may_rest_neither)
{
    h = (adn_hang){.patience_s = 60};
    for (int s = 0; s < 1000; s++) {
        adn_hang_see(&h, 0, s / 50, false, s);
        adn_hang_see(&h, 1, 100 - s / 50, false, s); /* fewer counts too: a pass has ended */
        adn_hang_see(&h, 2, 7, true, s);
        ck_assert_int_eq(adn_hang_tell(&h, 3, s, &rest_s), -1);
    }
    adn_hang_see(&h, 2, 7, false, 1050); /* its turn: the time before does not count */
    ck_assert_int_eq(adn_hang_tell(&h, 3, 1050, &rest_s), 0);
    ck_assert(rest_s == 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hang");
    TCase *tc = tcase_create("hang");
    tcase_add_test(tc, a_block_that_rests_too_long_is_told_of);
    tcase_add_test(tc, time_counts_from_the_first_look_even_at_zero);
    tcase_add_test(tc, it_is_told_once_in_the_patience);
    tcase_add_test(tc, whatever_moves_is_not_told_of_and_who_may_rest_neither);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
