/* Values of a configuration: what a number, a count, a duration may look like, and what it may be.
 */
#include <stdio.h>
#include <string.h>

#include "config_case.h"
#include "suite.h"

/* Texts of numbers that optim.lr takes, and of those it refuses with the reason. */
START_TEST(numbers_are_decimal_finite_and_whole_texts)
{
    static const struct {
        const char *text;
        double value;
    } fine[] = {{"1e-3", 1e-3}, {".4", 0.4}, {"5e-4", 5e-4}, {"0", 0},  {"1", 1},   {"+0.5", 0.5},
                {"0.25", 0.25}, {"2.", 2},   {"1E-1", 0.1},  {"-0", 0}, {"0e5", 0}, {"0.0", 0}};
    static const struct {
        const char *text, *reason;
    } bad[] = {{"010", "a leading zero"},
               {"00.5", "a leading zero"},
               {"0x10", "not decimal"},
               {"0o7", "not decimal"},
               {"0b1", "not decimal"},
               {"1e3x", "text behind the number"},
               {"3k", "text behind the number"},
               {"1_000", "text behind the number"},
               {"1 2", "text behind the number"},
               {"0.1x", "text behind the number"},
               {"64x", "text behind the number"},
               {"1,5", "text behind the number"},
               {"1e", "text behind the number"},
               {"nan", "not finite"},
               {".inf", "not finite"},
               {"-.inf", "not finite"},
               {".NaN", "not finite"},
               {"inf", "not finite"},
               {"1e999", "not finite"},
               {"1e-999", "too small"},
               {"abc", "no number"},
               {".", "no number"},
               {"-", "no number"},
               {"e5", "no number"},
               {"true", "no number"},
               {"'0.1'", "a quoted text"},
               {"\"0.1\"", "a quoted text"},
               {"-0.1", "out of range"},
               {"1001", "out of range"}};
    char text[128], fragment[256];

    for (size_t i = 0; i < ADN_COUNT(fine); i++) {
        snprintf(text, sizeof(text), "version: 1\noptim: {lr: %s}\n", fine[i].text);
        adn_config *c = config_good(text, NULL, 0);
        ck_assert_msg(c->optim.lr == fine[i].value, "%s is read as %g", fine[i].text, c->optim.lr);
        adn_config_free(c);
    }
    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        if (strcmp(bad[i].text, "-") == 0) continue; /* YAML's own; as an argument below */
        snprintf(text, sizeof(text), "version: 1\noptim:\n  lr: %s\n", bad[i].text);
        config_refuse(text, NULL);
        ck_says("exp.yaml:3:7: error: 'optim.lr' cannot be '");
        snprintf(fragment, sizeof(fragment), "(%s", bad[i].reason);
        ck_says(fragment);
    }
    for (size_t i = 0; i < ADN_COUNT(bad); i++) { /* the same table for arguments */
        snprintf(text, sizeof(text), "optim.lr=%s", bad[i].text);
        config_refuse(NULL, text);
        snprintf(fragment, sizeof(fragment), "argument '%s': error: 'optim.lr' cannot be", text);
        ck_says(fragment);
    }
}
END_TEST

START_TEST(counts_are_whole_and_in_range)
{
    static const char *const bad[] = {
        "1e2",   "128.0", "1",     "0",  "-3", "65537", "99999999999999999999",
        "0128",  "128x",  "[128]", "{}", "",   "~",     "true",
        "'128'", "auto",  "inf"};
    static const char *const bad_seeds[] = {"9223372036854775808", "-1", "1.5", "1e3"};
    char text[64];

    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        snprintf(text, sizeof(text), "version: 1\ndata:\n  batch: %s\n", bad[i]);
        config_refuse(text, NULL);
        ck_says("'data.batch'");
        ck_says("expected a whole number from 2 to 65536");
    }
    for (size_t i = 0; i < ADN_COUNT(bad_seeds); i++) {
        snprintf(text, sizeof(text), "version: 1\nseed: %s\n", bad_seeds[i]);
        config_refuse(text, NULL);
        ck_says("exp.yaml:2:7: error: 'seed' cannot be");
    }
}
END_TEST

START_TEST(ranges_are_those_of_the_table)
{
    static const char *const bad[] = {"optim.momentum=1",
                                      "optim.momentum=-0.1",
                                      "optim.weight_decay=-1e-9",
                                      "optim.weight_decay=1.1",
                                      "aux.label_smoothing=1",
                                      "optim.schedule.factor=0",
                                      "optim.schedule.factor=2",
                                      "edge.slots=0",
                                      "aux.conv=0",
                                      "aux.hidden=17",
                                      "checkpoint.keep.last=0",
                                      "data.std=[0, 1, 1]",
                                      "data.mean=[2, 0, 0]",
                                      "data.mean=[]",
                                      "data.mean=[0,0,0,0,0]",
                                      "data.augment=[crop 0]",
                                      "data.augment=[crop 1.5]",
                                      "model.cuts=[0]",
                                      "blocks[0].threads=0",
                                      "blocks[0].device=cpu:3-1",
                                      "blocks[0].device=cpu:",
                                      "blocks[0].device=gpu",
                                      "blocks[0].device=cpu:1-2-3",
                                      "blocks[0].device=cuda",
                                      "blocks[0].device=cuda:",
                                      "blocks[0].device=cuda:-1",
                                      "blocks[0].device=cuda:1000",
                                      "blocks[0].device=cuda:0-1",
                                      "log.every=0s",
                                      "log.every=1ep",
                                      "optim.nesterov=yes",
                                      "optim.nesterov='true'",
                                      "data.drop_last=1",
                                      "data.drop_last=True",
                                      "optim.no_decay=[bias, bias]",
                                      "optim.no_decay=[weights]",
                                      "optim.no_decay=bias",
                                      "edge.max_reuse=0",
                                      "edge.max_age=0",
                                      "edge.emit=true",
                                      "blocks[1].edge.slots=0",
                                      "blocks[1].edge.max_age=0",
                                      "chaos.step=0s",
                                      "chaos.step=1ep",
                                      "chaos.spread=1",
                                      "chaos.spread=-.1",
                                      "chaos.slow={block: -1, factor: 2}",
                                      "chaos.slow={block: 1, factor: 0}",
                                      "chaos.link={edge: 0}",
                                      "chaos.link={edge: 1, loss: 1.01}",
                                      "chaos.link={edge: 1, delay: -1s}",
                                      "version=2"};
    static const char *const fine[] = {"optim.momentum=0.999",
                                       "optim.weight_decay=0",
                                       "aux.label_smoothing=.9",
                                       "optim.schedule.factor=1",
                                       "edge.slots=1",
                                       "aux.hidden=0",
                                       "data.augment=[]",
                                       "blocks[0].device=cpu:3",
                                       "blocks[0].device=cpu:0-63",
                                       "blocks[0].device=cuda:0",
                                       "blocks[0].device=cuda:12",
                                       "precision=tf32",
                                       "blocks[3].threads=1024",
                                       "data.mean=[0, .5, 1]",
                                       "optim.no_decay=[]",
                                       "log.every=1.5min",
                                       "log.every=100ms",
                                       "edge.max_reuse=1",
                                       "edge.max_age=inf",
                                       "edge.emit=fresh",
                                       "chaos.spread=0.999",
                                       "chaos.slow={block: 3, factor: 1}",
                                       "chaos.link={edge: 3, delay: 0s, loss: 1}",
                                       "chaos={}",
                                       "version=1"};

    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        config_refuse(NULL, bad[i]);
        ck_says("argument '");
        ck_says(bad[i]);
    }
    for (size_t i = 0; i < ADN_COUNT(fine); i++) adn_config_free(config_good(NULL, &fine[i], 1));
}
END_TEST

START_TEST(durations_carry_a_unit)
{
    static const struct {
        const char *text;
        double value;
        adn_time_unit unit;
    } fine[] = {{"50ep", 50, ADN_EPOCHS},     {"0.5ep", 0.5, ADN_EPOCHS},
                {"2000st", 2000, ADN_STEPS},  {"90s", 90, ADN_SECONDS},
                {"30min", 1800, ADN_SECONDS}, {"1.5h", 5400, ADN_SECONDS},
                {"1e3st", 1000, ADN_STEPS},   {"'3ep'", 3, ADN_EPOCHS}};
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"50", "no unit"},           {"ep", "no number"},          {"0ep", "out of range"},
        {"-1ep", "out of range"},    {"1.5st", "steps are whole"}, {"5 ep", "unknown unit"},
        {"5epochs", "unknown unit"}, {"5EP", "unknown unit"},      {"010ep", "a leading zero"},
        {"0x1ep", "not decimal"},    {"1e3xep", "unknown unit"},   {"nanep", "not finite"},
        {"inf", "not finite"},       {"1e300ep", "out of range"},  {"3kst", "unknown unit"},
        {"1e999st", "not finite"},   {"5ms", "another unit"}};
    char text[64];

    for (size_t i = 0; i < ADN_COUNT(fine); i++) {
        snprintf(text, sizeof(text), "version: 1\nuntil: %s\n", fine[i].text);
        adn_config *c = config_good(text, NULL, 0);
        ck_assert_msg(c->until.value == fine[i].value && c->until.unit == fine[i].unit, "%s",
                      fine[i].text);
        adn_config_free(c);
    }
    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        snprintf(text, sizeof(text), "version: 1\nuntil: %s\n", bad[i].text);
        config_refuse(text, NULL);
        ck_says("exp.yaml:2:8: error: 'until' cannot be '");
        ck_says(bad[i].reason);
    }
    config_refuse("version: 1\neval: {every: 5min}\n",
                  NULL); /* test passes belong to epochs and steps */
    ck_says("exp.yaml:2:15: error: 'eval.every' cannot be '5min' (another unit)");
}
END_TEST

START_TEST(rates_carry_a_unit_of_bits_and_short_times_are_milliseconds)
{
    static const struct {
        const char *text;
        double bits;
    } rates[] = {{"1Gb/s", 1e9},   {"0.1Gb/s", 1e8}, {"10Mb/s", 1e7},
                 {"56kb/s", 56e3}, {"1e3kb/s", 1e6}, {"inf", 0}};
    static const struct {
        const char *text;
        double seconds;
    } delays[] = {{"9ms", 0.009}, {"0.5ms", 0.0005}, {"0ms", 0}, {"2s", 2}, {"1min", 60}};
    static const struct {
        const char *text, *reason;
    } bad[] = {{"1", "no unit"},           {"Gb/s", "no number"},       {"0Gb/s", "out of range"},
               {"-1Gb/s", "out of range"}, {"1GB/s", "unknown unit"},   {"1gb/s", "unknown unit"},
               {"1b/s", "unknown unit"},   {"1e10Gb/s", "out of range"}};
    char text[200];

    for (size_t i = 0; i < ADN_COUNT(rates); i++) {
        snprintf(text, sizeof(text),
                 "version: 1\nschedule: virtual\nchaos: {link: {edge: 1, bandwidth: %s}}\n",
                 rates[i].text);
        adn_config *c = config_good(text, NULL, 0);
        ck_assert_msg(c->chaos.links[0].bandwidth == rates[i].bits, "%s", text);
        adn_config_free(c);
    }
    for (size_t i = 0; i < ADN_COUNT(delays); i++) {
        snprintf(text, sizeof(text),
                 "version: 1\nschedule: virtual\nchaos: {link: {edge: 1, delay: %s}}\n",
                 delays[i].text);
        adn_config *c = config_good(text, NULL, 0);
        ck_assert_msg(c->chaos.links[0].delay_s == delays[i].seconds, "%s", text);
        adn_config_free(c);
    }
    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        snprintf(text, sizeof(text),
                 "version: 1\nchaos:\n  link:\n    edge: 1\n    bandwidth: %s\n", bad[i].text);
        config_refuse(text, NULL);
        ck_says("exp.yaml:5:16: error: 'chaos.link[0].bandwidth' cannot be '");
        ck_says(bad[i].reason);
        ck_says("expected a number above 0 with a unit: kb/s, Mb/s or Gb/s; or inf");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_values");
    TCase *tc = tcase_create("values");

    tcase_add_test(tc, numbers_are_decimal_finite_and_whole_texts);
    tcase_add_test(tc, counts_are_whole_and_in_range);
    tcase_add_test(tc, ranges_are_those_of_the_table);
    tcase_add_test(tc, durations_carry_a_unit);
    tcase_add_test(tc, rates_carry_a_unit_of_bits_and_short_times_are_milliseconds);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
