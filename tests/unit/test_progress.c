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

/* --- async */

/* Two blocks of 2.5 epochs of 1000 samples each, 10 steps an epoch, after so many samples. */
static adn_tick async_at(int64_t samples_0, int64_t samples_1, double seconds)
{
    adn_tick t = tick_at(7, 7, seconds);

    t.is_async = t.feeds_on = true;
    t.until_steps = -1;
    t.epoch_steps = 10;
    t.block_until_steps = 25;
    t.epoch_samples = 1000;
    t.block_until_samples = 2500;
    t.blocks[0].samples = samples_0;
    t.blocks[1].samples = samples_1;
    t.blocks[1].img_s = 28400;
    t.blocks[1].loss = 0.981;
    t.edges[1] = (adn_edge_view){
        .pushed = 1000, .pulled = 600, .reused = 200, .dropped = 84, .age_p50 = 1, .age_p99 = 4};
    t.edges[0] = t.edges[1];
    return t;
}

START_TEST(in_async_a_block_stands_where_its_samples_are)
{
    static const struct {
        int64_t samples;
        bool is_done;
        const char *says;
    } places[] = {{30, false, "epoch 1/3  block 0 ....................   3%"},
                  {1000, false, "epoch 1/3  block 0 #################### 100%"},
                  {1030, false, "epoch 2/3  block 0 ....................   3%"}, /* a short batch */
                  {2250, false, "epoch 3/3  block 0 ##########..........  50%"},
                  {2530, false, "epoch 3/3  block 0 #################### 100%"},
                  {1500, true, "epoch 3/3  block 0 #################### 100%"}};
    char line[ADN_LINE];

    for (size_t i = 0; i < ADN_COUNT(places); i++) {
        adn_tick t = async_at(places[i].samples, 1, 1);
        t.blocks[0].is_done = places[i].is_done;
        adn_text_block(line, 140, &t, 0, 0);
        ck_assert_msg(strncmp(line, places[i].says, strlen(places[i].says)) == 0, "%s", line);
    }
}
END_TEST

START_TEST(in_async_a_line_tells_of_the_edge_into_its_block)
{
    static const struct {
        int width;
        const char *says;
    } widths[] = {
        {140, "           block 1 ####................  20%   28,400 img/s  loss 0.981  top1 25.00%"
              "  age p50 1 p99 4  reuse 1.50  drop 8.4%  lr 0.1"},
        {131, "           block 1 ####................  20%   28,400 img/s  loss 0.981  top1 25.00%"
              "  age p50 1 p99 4  reuse 1.50  drop 8.4%"},
        {118, "           block 1 ####................  20%   28,400 img/s  loss 0.981"
              "  age p50 1 p99 4  reuse 1.50  drop 8.4%"},
        {109, "           block 1 ##........  20%   28,400 img/s  loss 0.981"
              "  age p50 1 p99 4  reuse 1.50  drop 8.4%"},
        {79, "           block 1  20%   28,400 img/s  loss 0.981  age p50 1 p99 4  drop 8.4%"},
        {70, "           block 1  20%   28,400 img/s  loss 0.981  age p50 1 p99 4"},
        {60, "           block 1  20%   28,400 img/s  loss 0.981"},
        {40, "           block 1  20%  loss 0.981"}};
    adn_tick t = async_at(500, 200, 1);
    char line[ADN_LINE];

    for (size_t i = 0; i < ADN_COUNT(widths); i++) {
        adn_text_block(line, widths[i].width, &t, 1, 1);
        ck_assert_str_eq(line, widths[i].says);
    }
    adn_text_block(line, 140, &t, 0, 1); /* the loader's edge has nothing to tell */
    ck_assert(strstr(line, "age") == NULL && strstr(line, "reuse") == NULL);
    t.edges[1] = (adn_edge_view){.pushed = 3};
    adn_text_block(line, 140, &t, 1, 1); /* nothing was read */
    ck_assert(strstr(line, "age") == NULL && strstr(line, "drop") == NULL);
    t = async_at(500, 200, 1);
    t.is_async = false;
    adn_text_block(line, 140, &t, 1, 1);
    ck_assert(strstr(line, "age") == NULL && strstr(line, "drop") == NULL);
}
END_TEST

START_TEST(a_block_that_is_done_says_so)
{
    adn_tick t = async_at(2500, 700, 1);
    char line[ADN_LINE];
    adn_pace pace = {0};

    t.blocks[0].is_done = true;
    adn_text_block(line, 100, &t, 0, 3);
    ck_assert_str_eq(line, "           block 0 ########## 100%  done, feeds on  loss 1.500"
                           "  top1 25.00%");
    adn_text_plain(line, &t, &pace);
    ck_assert_ptr_nonnull(strstr(line, "block 0 100% loss 1.500 (done)  block 1 (1) 70%"));
    t.feeds_on = false;
    adn_text_block(line, 100, &t, 0, 3);
    ck_assert_ptr_nonnull(strstr(line, "%  done  loss"));
    t.feeds_on = t.blocks[1].is_done = true; /* and nobody behind it learns */
    adn_text_block(line, 100, &t, 0, 3);
    ck_assert_ptr_nonnull(strstr(line, "%  done  loss"));
    t.blocks[0].is_done = false; /* the last one feeds nobody */
    adn_text_block(line, 100, &t, 1, 3);
    ck_assert_ptr_nonnull(strstr(line, "%  done  loss"));
    t.blocks[0].is_done = true;
    t.blocks[0].tests = 1;
    adn_text_block(line, 100, &t, 0, 3);
    ck_assert_ptr_nonnull(strstr(line, "  testing"));
}
END_TEST

START_TEST(in_async_the_slowest_block_decides_when_it_ends)
{
    const adn_duration until = {2.5, ADN_EPOCHS};
    adn_pace pace = {0};
    adn_tick t = async_at(300, 100, 10);

    adn_pace_update(&pace, &t, &until);
    ck_assert(isnan(pace.eta_s));
    t = async_at(700, 100, 14);
    adn_pace_update(&pace, &t, &until);
    ck_assert(isnan(pace.eta_s)); /* block 1 has learned nothing yet */
    t = async_at(1100, 140, 18);
    adn_pace_update(&pace, &t, &until);
    /* 40 in the last 4 of 8 seconds, of which the first four count a little less. */
    ck_assert_double_eq_tol(pace.eta_s, (2500 - 140) * (4 + 4 * exp(-4 / 20.0)) / 40, 1e-9);
    t = async_at(2000, 1000, 20); /* nothing more came for block 0 */
    t.blocks[0].is_done = true;
    for (int i = 0; i < 200; i++) { /* alone it is faster: the past is forgotten */
        t.seconds += 1;
        t.blocks[1].samples += 5;
        adn_pace_update(&pace, &t, &until);
    }
    ck_assert_double_eq_tol(pace.eta_s, 500 / 5.0, 0.5);
    t.blocks[1].is_done = true;
    double rate = pace.img_s;
    t.seconds += 100;
    adn_pace_update(&pace, &t, &until);
    ck_assert(isnan(pace.eta_s) && pace.img_s == rate); /* the last test pass */
}
END_TEST

START_TEST(a_row_tells_how_often_batches_were_learned_from_again)
{
    adn_epoch_row row = {.epoch = 2,
                         .block = 1,
                         .train_loss = NAN,
                         .test_loss = NAN,
                         .img_s = 1200,
                         .lr = 0.1,
                         .reread = 1060};
    char line[ADN_LINE];

    adn_text_row(line, &row);
    ck_assert_str_eq(line, "epoch 2  block 1  1,200 img/s  lr 0.1  reread 1,060");
    row.reread = 0;
    adn_text_row(line, &row);
    ck_assert_str_eq(line, "epoch 2  block 1  1,200 img/s  lr 0.1");
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
    tc = tcase_create("async");
    tcase_add_test(tc, in_async_a_block_stands_where_its_samples_are);
    tcase_add_test(tc, in_async_a_line_tells_of_the_edge_into_its_block);
    tcase_add_test(tc, a_block_that_is_done_says_so);
    tcase_add_test(tc, in_async_the_slowest_block_decides_when_it_ends);
    tcase_add_test(tc, a_row_tells_how_often_batches_were_learned_from_again);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
