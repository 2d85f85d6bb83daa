/* What a run under way says of itself: rates, the time left, a block's place in its epochs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/progress_text.h"
#include "suite.h"

/* Two blocks of a run of 100 steps each, 40 an epoch, after so many steps and seconds. */
static adn_tick tick_at(int64_t steps_0, int64_t steps_1, double seconds)
{
    adn_tick t = {.n_block = 2,
                  .until_steps = 100,
                  .block_until_steps = 100,
                  .epoch_steps = 40,
                  .seconds = seconds};
    int64_t steps[] = {steps_0, steps_1};

    for (int j = 0; j < 2; j++)
        t.blocks[j] = (adn_stage_view){.steps = steps[j],
                                       .samples = 16 * steps[j],
                                       .lr = 0.1,
                                       .loss = 1.5,
                                       .top1 = 25,
                                       .img_s = 1000};
    return t;
}

START_TEST(rates_and_the_time_left_are_of_this_process)
{
    const adn_duration until = {100, ADN_STEPS};
    adn_pace pace = {0};
    adn_tick first = tick_at(20, 10, 10), soon = tick_at(22, 12, 11), later = tick_at(40, 30, 14),
             end = tick_at(100, 100, 90);

    adn_pace_update(&pace, &first, &until); /* resumed: those steps took no time of ours */
    ck_assert(pace.img_s == 0 && isnan(pace.eta_s));
    adn_pace_update(&pace, &soon, &until);
    ck_assert(pace.img_s == 32 && isnan(pace.eta_s)); /* too soon to tell */
    adn_pace_update(&pace, &later, &until);
    ck_assert_double_eq_tol(pace.img_s, 20 * 16 / 4.0, 1e-12);
    ck_assert_double_eq_tol(pace.eta_s, (60 + 70) / (40 / 4.0), 1e-12);
    adn_pace_update(&pace, &end, &until); /* the last test pass */
    ck_assert(pace.img_s == 80 && isnan(pace.eta_s));
}
END_TEST

START_TEST(the_time_left_by_time_knows_what_was_trained_before_a_stop)
{
    const adn_duration until = {120, ADN_SECONDS};
    adn_pace pace = {0};
    adn_tick t = tick_at(20, 10, 10);
    char line[ADN_LINE];

    t.until_steps = t.block_until_steps = -1;
    adn_pace_update(&pace, &t, &until);
    ck_assert_double_eq(pace.eta_s, 110);
    t.before_s = 45;
    adn_pace_update(&pace, &t, &until);
    ck_assert_double_eq(pace.eta_s, 65);
    adn_text_total(line, 80, &t, &pace);
    ck_assert_ptr_nonnull(strstr(line, "  eta 1:05  time 0:10"));
    t.before_s = 115;
    adn_pace_update(&pace, &t, &until);
    ck_assert_double_eq(pace.eta_s, 0);
}
END_TEST

START_TEST(a_block_stands_in_its_epoch)
{
    static const struct {
        int64_t steps;
        const char *says;
    } places[] = {{1, "epoch 1/3  block 0 ....................   2%"},
                  {39, "epoch 1/3  block 0 ###################.  97%"},
                  {40, "epoch 1/3  block 0 #################### 100%"}, /* under test */
                  {41, "epoch 2/3  block 0 ....................   2%"},
                  {90, "epoch 3/3  block 0 ##########..........  50%"}, /* the last has 20 */
                  {100, "epoch 3/3  block 0 #################### 100%"}};
    char line[ADN_LINE];

    for (size_t i = 0; i < ADN_COUNT(places); i++) {
        adn_tick t = tick_at(places[i].steps, 1, 1);
        adn_text_block(line, 100, &t, 0, 0);
        ck_assert_msg(strncmp(line, places[i].says, strlen(places[i].says)) == 0, "%s", line);
    }
    adn_tick t = tick_at(90, 90, 1);
    ck_assert_int_eq(adn_text_block(line, 100, &t, 1, 3), 3);
    ck_assert_str_eq(line, "           block 1 ##########..........  50%    1,000 img/s  loss 1.500"
                           "  top1 25.00%  lr 0.1");
    for (int width = 20; width < 100; width++) {
        adn_text_block(line, width, &t, 1, 3);
        ck_assert_uint_le(strlen(line), (size_t)width);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *tc = tcase_create("progress");
    tcase_add_test(tc, rates_and_the_time_left_are_of_this_process);
    tcase_add_test(tc, the_time_left_by_time_knows_what_was_trained_before_a_stop);
    tcase_add_test(tc, a_block_stands_in_its_epoch);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
