/* The window of learned source steps against a plain set: a byte a step. */
#include "stage/fresh.h"

#include "core/core.h"
#include "core/rng.h"
#include "suite.h"

enum { N_STEP = 1 << 20, N_DRAW = 6000 };

static uint8_t learned[N_STEP]; /* the model: all that was ever learned */
static int64_t model_end;       /* behind the newest */
static adn_fresh fresh;

static void begin(void)
{
    for (int64_t k = 0; k < N_STEP; k++) learned[k] = 0;
    model_end = 0;
    fresh = (adn_fresh){0};
}

static bool model_is(int64_t step)
{
    return step >= model_end - ADN_FRESH_WINDOW && !learned[step];
}

static void learn(int64_t step)
{
    learned[step] = 1;
    model_end = ADN_MAX(model_end, step + 1);
    adn_fresh_learn(&fresh, step);
}

/* Around the window's two ends, and at a few places in it. */
static void compare(uint64_t draw)
{
    adn_draw d = adn_rng_draw(1, ADN_RNG_TEST, 7, draw);
    int64_t at[8] = {model_end - 1,
                     model_end,
                     model_end + 1,
                     model_end - ADN_FRESH_WINDOW - 1,
                     model_end - ADN_FRESH_WINDOW,
                     model_end - ADN_FRESH_WINDOW + 1,
                     model_end - (int64_t)(d.u[0] % ADN_FRESH_WINDOW),
                     (int64_t)(d.u[1] % (uint32_t)(model_end + 1))};
    for (int i = 0; i < 8; i++)
        if (at[i] >= 0 && at[i] < N_STEP)
            ck_assert_msg(adn_fresh_is(&fresh, at[i]) == model_is(at[i]), "step %lld, end %lld",
                          (long long)at[i], (long long)model_end);
}

/* The next step to learn: `near` beside the newest, else anywhere in what is `jump` steps wide. */
static int64_t draw_step(uint64_t k, int64_t jump)
{
    adn_draw d = adn_rng_draw(2, ADN_RNG_TEST, (uint64_t)jump, k);
    int64_t back = (int64_t)(d.u[1] % 40), to = (int64_t)(d.u[2] % (uint32_t)jump);
    int64_t step = d.u[0] % 8 > 0 ? model_end + 8 - back : model_end + to - jump / 2;
    return ADN_MIN(ADN_MAX(step, 0), N_STEP - 1);
}

START_TEST(random_steps_are_fresh_when_the_set_has_none_of_them)
{
    static const int64_t jumps[] = {64, 4096, ADN_FRESH_WINDOW, 4 * (int64_t)ADN_FRESH_WINDOW};

    for (size_t j = 0; j < ADN_COUNT(jumps); j++) {
        begin();
        for (uint64_t k = 0; k < N_DRAW; k++) {
            learn(draw_step(k, jumps[j]));
            compare(k);
        }
    }
}
END_TEST

START_TEST(nothing_is_learned_at_first)
{
    begin();
    ck_assert(adn_fresh_is(&fresh, 0) && adn_fresh_is(&fresh, ADN_FRESH_WINDOW));
    compare(0);
}
END_TEST

/* One short of the window, the window, one more, two windows: every bit behind the jump is clear.
 */
START_TEST(a_far_jump_forgets_nothing_in_the_window_and_all_behind_it)
{
    for (int64_t jump = ADN_FRESH_WINDOW - 2; jump <= ADN_FRESH_WINDOW + 2; jump++) {
        begin();
        for (int64_t k = 0; k < 200; k++) learn(k);
        learn(199 + jump);
        for (int64_t k = 0; k < 199 + jump + 10; k++)
            ck_assert_int_eq(adn_fresh_is(&fresh, k), model_is(k));
        learn(199 + 3 * jump);
        for (int64_t k = 199 + jump; k < 199 + 3 * jump + 10; k++)
            ck_assert_int_eq(adn_fresh_is(&fresh, k), model_is(k));
    }
}
END_TEST

START_TEST(what_is_older_than_the_window_counts_as_learned_and_harms_nothing)
{
    begin();
    learn(10 + ADN_FRESH_WINDOW);
    ck_assert(!adn_fresh_is(&fresh, 10) && adn_fresh_is(&fresh, 11));
    learn(3); /* its bit is that of a step within the window */
    ck_assert(adn_fresh_is(&fresh, 3 + ADN_FRESH_WINDOW));
    for (int64_t k = 0; k < 100 + ADN_FRESH_WINDOW; k++)
        ck_assert_int_eq(adn_fresh_is(&fresh, k), model_is(k));
}
END_TEST

START_TEST(a_step_in_between_is_learned_once)
{
    begin();
    for (int64_t k = 0; k < 3000; k += 3) learn(k);
    ck_assert(adn_fresh_is(&fresh, 1501));
    learn(1501);
    ck_assert(!adn_fresh_is(&fresh, 1501) && adn_fresh_is(&fresh, 1502));
    ck_assert_int_eq(fresh.end, 3000 - 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fresh");
    TCase *tc = tcase_create("fresh");
    tcase_add_test(tc, nothing_is_learned_at_first);
    tcase_add_test(tc, random_steps_are_fresh_when_the_set_has_none_of_them);
    tcase_add_test(tc, a_far_jump_forgets_nothing_in_the_window_and_all_behind_it);
    tcase_add_test(tc, what_is_older_than_the_window_counts_as_learned_and_harms_nothing);
    tcase_add_test(tc, a_step_in_between_is_learned_once);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
