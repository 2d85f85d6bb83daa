/* Schedules of the learning rate, by hand-made tables; decays; warm-up. */
#include <math.h>

#include "optim/optim.h"
#include "suite.h"

static const adn_duration until = {10, ADN_EPOCHS};

static double lr_until(const adn_sched_conf *s, adn_duration end, double epochs, int64_t steps)
{
    adn_optim_conf conf = {.lr = 0.8, .schedule = *s};
    return adn_schedule_lr(&conf, end, (adn_progress){epochs, steps, 0, 0.01});
}

static double lr_at(const adn_sched_conf *s, double epochs, int64_t steps)
{
    return lr_until(s, until, epochs, steps);
}

START_TEST(step_decays_exactly_at_its_epochs)
{
    adn_sched_conf s = {.kind = ADN_SCHED_STEP, .every = {3, ADN_EPOCHS}, .factor = 0.5};
    ck_assert_double_eq(lr_at(&s, 0, 0), 0.8);
    ck_assert_double_eq(lr_at(&s, 2.9999, 0), 0.8);
    ck_assert_double_eq(lr_at(&s, 3, 0), 0.4);
    ck_assert_double_eq(lr_at(&s, 9, 0), 0.1);
    ck_assert_int_eq(adn_schedule_decays(&s, (adn_progress){.epochs = 8.99}), 2);
}
END_TEST

START_TEST(step_counts_steps_too_and_may_never_decay)
{
    adn_sched_conf s = {.kind = ADN_SCHED_STEP, .every = {50, ADN_STEPS}, .factor = 0.5};
    ck_assert_double_eq(lr_at(&s, 9, 49), 0.8);
    ck_assert_double_eq(lr_at(&s, 9, 50), 0.4);
    ck_assert_double_eq(lr_at(&s, 0, 149), 0.2);
    s.every = (adn_duration){0, ADN_NEVER};
    ck_assert_double_eq(lr_at(&s, 9, 149), 0.8);
    ck_assert_int_eq(adn_schedule_decays(&s, (adn_progress){.epochs = 9, .steps = 149}), 0);
}
END_TEST

START_TEST(multistep_decays_at_each_of_its_places_in_steps_too)
{
    adn_duration at[] = {{100, ADN_STEPS}, {150, ADN_STEPS}};
    adn_sched_conf s = {.kind = ADN_SCHED_MULTISTEP, .at = at, .n_at = 2, .factor = 0.1};
    ck_assert_double_eq(lr_at(&s, 5, 99), 0.8);
    ck_assert_double_eq_tol(lr_at(&s, 5, 100), 0.08, 1e-15);
    ck_assert_double_eq_tol(lr_at(&s, 5, 150), 0.008, 1e-15);
    for (int n = 0; n < 3; n++)
        ck_assert_int_eq(adn_schedule_decays(&s, (adn_progress){.steps = 50 + 50 * n}), n);
}
END_TEST

START_TEST(linear_and_cosine_end_at_zero)
{
    adn_sched_conf s = {.kind = ADN_SCHED_LINEAR};
    ck_assert_double_eq(lr_at(&s, 0, 0), 0.8);
    ck_assert_double_eq_tol(lr_at(&s, 2.5, 0), 0.6, 1e-15);
    ck_assert_double_eq(lr_at(&s, 10, 0), 0);
    s.kind = ADN_SCHED_COSINE;
    ck_assert_double_eq(lr_at(&s, 0, 0), 0.8);
    ck_assert_double_eq_tol(lr_at(&s, 5, 0), 0.4, 1e-15);
    ck_assert_double_eq_tol(lr_at(&s, 2.5, 0), 0.8 * 0.8535533905932737, 1e-15);
    ck_assert_double_eq_tol(lr_at(&s, 10, 0), 0, 1e-15);
}
END_TEST

START_TEST(what_ends_in_steps_is_measured_in_steps)
{
    const adn_duration steps = {200, ADN_STEPS};
    adn_sched_conf s = {.kind = ADN_SCHED_LINEAR};
    ck_assert_double_eq_tol(lr_until(&s, steps, 9, 50), 0.6, 1e-15);
    s.warmup = (adn_duration){40, ADN_STEPS};
    ck_assert_double_eq_tol(lr_until(&s, steps, 9, 120), 0.4, 1e-15); /* 40 to 200 */
    s.warmup = (adn_duration){2, ADN_EPOCHS}; /* where it ends in steps is not known */
    ck_assert_double_eq_tol(lr_until(&s, steps, 9, 100), 0.4, 1e-15);
}
END_TEST

START_TEST(nothing_rises_again_behind_the_end)
{
    adn_sched_conf s = {.kind = ADN_SCHED_LINEAR};
    ck_assert_double_eq(lr_at(&s, 12, 0), 0);
    s.kind = ADN_SCHED_COSINE;
    ck_assert_double_eq_tol(lr_at(&s, 12, 0), 0, 1e-15);
}
END_TEST

START_TEST(warm_up_rises_in_a_line_and_the_first_step_moves)
{
    adn_sched_conf s = {.kind = ADN_SCHED_CONSTANT, .warmup = {4, ADN_STEPS}};
    ck_assert_double_eq_tol(lr_at(&s, 0, 0), 0.2, 1e-15);
    ck_assert_double_eq_tol(lr_at(&s, 0, 1), 0.4, 1e-15);
    ck_assert_double_eq(lr_at(&s, 0, 3), 0.8);
    ck_assert_double_eq(lr_at(&s, 0, 9), 0.8);
    s = (adn_sched_conf){.kind = ADN_SCHED_LINEAR, .warmup = {2, ADN_EPOCHS}};
    ck_assert_double_eq_tol(lr_at(&s, 0.99, 0), 0.4, 1e-15);
    ck_assert_double_eq_tol(lr_at(&s, 6, 0), 0.4, 1e-15); /* half of the way from epoch 2 to 10 */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tc = tcase_create("schedule");
    tcase_add_test(tc, step_decays_exactly_at_its_epochs);
    tcase_add_test(tc, step_counts_steps_too_and_may_never_decay);
    tcase_add_test(tc, multistep_decays_at_each_of_its_places_in_steps_too);
    tcase_add_test(tc, linear_and_cosine_end_at_zero);
    tcase_add_test(tc, what_ends_in_steps_is_measured_in_steps);
    tcase_add_test(tc, nothing_rises_again_behind_the_end);
    tcase_add_test(tc, warm_up_rises_in_a_line_and_the_first_step_moves);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
