/* Schedules of the learning rate, by hand-made tables; decays; warm-up. */
#include <math.h>

#include "optim/optim.h"
#include "suite.h"

static const adn_duration until = {10, ADN_EPOCHS};

static double lr_at(const adn_sched_conf *s, double epochs, int64_t steps)
{
    adn_optim_conf conf = {.lr = 0.8, .schedule = *s};
    return adn_schedule_lr(&conf, until, (adn_progress){epochs, steps, 0.01});
}

START_TEST(step_decays_exactly_at_its_epochs)
{
    adn_sched_conf s = {.kind = ADN_SCHED_STEP, .every = {3, ADN_EPOCHS}, .factor = 0.5};
    ck_assert_double_eq(lr_at(&s, 0, 0), 0.8);
    ck_assert_double_eq(lr_at(&s, 2.9999, 0), 0.8);
    ck_assert_double_eq(lr_at(&s, 3, 0), 0.4);
    ck_assert_double_eq(lr_at(&s, 9, 0), 0.1);
    ck_assert_int_eq(adn_schedule_decays(&s, (adn_progress){8.99, 0, 0}), 2);
}
END_TEST

START_TEST(multistep_decays_at_each_of_its_places_in_steps_too)
{
    adn_duration at[] = {{100, ADN_STEPS}, {150, ADN_STEPS}};
    adn_sched_conf s = {.kind = ADN_SCHED_MULTISTEP, .at = at, .n_at = 2, .factor = 0.1};
    ck_assert_double_eq(lr_at(&s, 5, 99), 0.8);
    ck_assert_double_eq_tol(lr_at(&s, 5, 100), 0.08, 1e-15);
    ck_assert_double_eq_tol(lr_at(&s, 5, 150), 0.008, 1e-15);
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
    ck_assert_double_eq_tol(lr_at(&s, 10, 0), 0, 1e-15);
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
    tcase_add_test(tc, multistep_decays_at_each_of_its_places_in_steps_too);
    tcase_add_test(tc, linear_and_cosine_end_at_zero);
    tcase_add_test(tc, warm_up_rises_in_a_line_and_the_first_step_moves);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
