/* The keys of the virtual schedule and of trouble made on purpose. */
#include <stdio.h>
#include <string.h>

#include "config_case.h"
#include "suite.h"

START_TEST(the_virtual_schedule_goes_with_every_mode)
{
    static const char *const modes[] = {"mode=bp", "mode=sync", "mode=greedy", "mode=async"};

    for (size_t i = 0; i < ADN_COUNT(modes); i++) {
        adn_config *c = config_good("version: 1\nschedule: virtual\ndraw: random\nuntil: 20h\n"
                                    "chaos: {step: 250ms, cost: macs, spread: 0.1}\n",
                                    &modes[i], 1);
        ck_assert_str_eq(adn_test_log(), "");
        ck_assert(c->schedule == ADN_SCHEDULE_VIRTUAL && c->draw == ADN_DRAW_RANDOM);
        ck_assert(c->chaos.step_s == 0.25 && c->chaos.cost == ADN_COST_MACS);
        ck_assert(c->chaos.spread == 0.1 && c->until.value == 72000);
        adn_config_free(c);
    }
}
END_TEST

START_TEST(slow_blocks_and_bad_links_are_lists_and_one_is_a_list_of_one)
{
    static const char *const texts[] = {
        "chaos: {slow: {block: 2, factor: 1.5}, link: {edge: 1, delay: 5ms, bandwidth: 1Gb/s}}",
        "chaos: {slow: [{block: 2, factor: 1.5}], link: [{edge: 1, delay: 5ms, bandwidth: "
        "1Gb/s}]}"};
    char text[200], *given[2] = {NULL, NULL};

    for (size_t i = 0; i < ADN_COUNT(texts); i++) {
        snprintf(text, sizeof(text), "version: 1\nschedule: virtual\n%s\n", texts[i]);
        adn_config *c = config_good(text, NULL, 0);
        ck_assert_str_eq(adn_test_log(), "");
        ck_assert(c->chaos.n_slow == 1 && c->chaos.n_link == 1);
        ck_assert(c->chaos.slow[0].block == 2 && c->chaos.slow[0].factor == 1.5);
        ck_assert(c->chaos.links[0].edge == 1 && c->chaos.links[0].delay_s == 0.005);
        ck_assert(c->chaos.links[0].bandwidth == 1e9 && c->chaos.links[0].loss == 0);
        ck_assert_int_eq(adn_config_given(c, &given[i]), ADN_OK);
        adn_config_free(c);
    }
    ck_assert_str_eq(given[0], given[1]); /* the same experiment, written in two ways */
    adn_free(given[0]);
    adn_free(given[1]);

    adn_config *c = config_good("version: 1\nmode: async\nschedule: virtual\nchaos:\n  slow: "
                                "[{block: 3, factor: .5}, {block: 0, "
                                "factor: 4}]\n  link: [{edge: 3, loss: .1}, {edge: 1}]\n",
                                NULL, 0);
    ck_assert(c->chaos.n_slow == 2 && c->chaos.slow[0].factor == 0.5 &&
              c->chaos.slow[1].block == 0);
    ck_assert(c->chaos.n_link == 2 && c->chaos.links[0].loss == 0.1 && c->chaos.links[1].edge == 1);
    ck_assert(c->chaos.links[1].bandwidth == 0 && c->chaos.links[1].delay_s == 0);
    adn_config_free(c);
}
END_TEST

START_TEST(arguments_reach_into_chaos)
{
    static const char file[] = "version: 1\nschedule: virtual\nchaos: {slow: {block: 2, factor: "
                               "1.5}, link: [{edge: 1}, {edge: 2}]}\n";
    static const char *const args[] = {"chaos.slow.factor=3", "chaos.link[1].delay=2ms",
                                       "chaos.slow[1]={block: 1, factor: 2}", "chaos.step=3s"};
    static const char *const alone[] = {"chaos.slow.block=1", "chaos.slow[0].factor=2",
                                        "schedule=virtual", "chaos.link={edge: 3, loss: 0.5}",
                                        "mode=async"};
    static const char *const none[] = {"chaos.slow=[]"};

    adn_config *c = config_good(file, args, (int)ADN_COUNT(args));
    ck_assert(c->chaos.n_slow == 2 && c->chaos.slow[0].block == 2 && c->chaos.slow[0].factor == 3);
    ck_assert(c->chaos.slow[1].block == 1 && c->chaos.slow[1].factor == 2);
    ck_assert(c->chaos.links[1].delay_s == 0.002 && c->chaos.links[0].delay_s == 0);
    ck_assert(c->chaos.step_s == 3);
    ck_assert_str_eq(adn_config_place(c, "chaos.slow[0].factor"), "argument 'chaos.slow.factor=3'");
    adn_config_free(c);
    c = config_good(NULL, alone, (int)ADN_COUNT(alone));
    ck_assert(c->chaos.n_slow == 1 && c->chaos.slow[0].block == 1 && c->chaos.slow[0].factor == 2);
    ck_assert(c->chaos.n_link == 1 && c->chaos.links[0].edge == 3 && c->chaos.links[0].loss == 0.5);
    adn_config_free(c);
    c = config_good(file, none, 1);
    ck_assert(c->chaos.n_slow == 0 && c->chaos.n_link == 2);
    adn_config_free(c);

    config_refuse(file, "chaos.link.delay=1s"); /* of which? */
    ck_says("argument 'chaos.link.delay=1s': error: 'chaos.link' is a list: expected "
            "'chaos.link[0].delay'");
    config_refuse(NULL, "chaos.slow.factr=2");
    ck_says("unknown key 'factr' in 'chaos.slow[0]' (did you mean 'factor'?)");
    config_refuse(NULL, "chaos.slow[2].factor=2");
    ck_says("'chaos.slow[0]' needs a block and a factor");
    ck_says("argument 'chaos.slow[2].factor=2': error: 'chaos.slow[2]' needs a block");
}
END_TEST

START_TEST(blocks_and_edges_that_are_not_there_are_refused)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"chaos: {slow: {block: 4, factor: 2}}",
         "exp.yaml:3:23: error: 'chaos.slow[0].block' is 4: expected at most 3, there are 4 "
         "blocks"},
        {"chaos: {link: {edge: 4}}",
         "exp.yaml:3:22: error: 'chaos.link[0].edge' is 4: expected at most 3, there are 4 blocks"},
        {"chaos: {link: {edge: 1}}\nmodel: {cuts: []}",
         "exp.yaml:3:22: error: 'chaos.link[0].edge' is 1: there is one block, and no edge"},
        {"chaos: {link: {edge: 2}}\nmodel: {cuts: auto}\nblocks: [{}, {}]", "expected at most 1"},
        {"chaos: {slow: [{block: 1, factor: 2}, {block: 0, factor: 2}, {block: 1, factor: 3}]}",
         "exp.yaml:3:70: error: 'chaos.slow[2].block' is 1, like that of 'chaos.slow[0]': expected "
         "each block once"},
        {"chaos: {link: [{edge: 3}, {edge: 3}]}",
         "exp.yaml:3:34: error: 'chaos.link[1].edge' is 3, like that of 'chaos.link[0]': expected "
         "each edge once"},
        {"chaos: {slow: [{block: 1}]}",
         "exp.yaml:3:16: error: 'chaos.slow[0]' needs a block and a factor"},
        {"chaos: {slow: {factor: 2}}",
         "exp.yaml:3:15: error: 'chaos.slow[0]' needs a block and a factor"},
        {"chaos: {link: [{delay: 1s}]}", "exp.yaml:3:16: error: 'chaos.link[0]' needs an edge"},
        {"chaos: {link: 3}", "exp.yaml:3:15: error: 'chaos.link' cannot be '3' (no list): expected "
                             "a section, or a list of such"},
        {"chaos: {slow: [3]}", "exp.yaml:3:16: error: 'chaos.slow[0]' must be a section of keys"},
        {"chaos: {slwo: {}}",
         "exp.yaml:3:9: error: unknown key 'slwo' in 'chaos' (did you mean 'slow'?)"},
        {"chaos: 3", "exp.yaml:3:8: error: 'chaos' cannot be '3' (no section): expected a section "
                     "of keys, such as {step: 1s, cost: equal}"}};
    char text[300];

    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        snprintf(text, sizeof(text), "version: 1\nschedule: virtual\n%s\n", bad[i].text);
        config_refuse(text, NULL);
        ck_says(bad[i].says);
        ck_assert_ptr_null(strstr(strstr(adn_test_log(), "error: ") + 1, "error: "));
    }
    /* how many blocks automatic cuts make is not known here; nor with cuts that are refused */
    adn_config_free(config_good("version: 1\nschedule: virtual\nmodel: {cuts: auto}\n"
                                "chaos: {slow: {block: 9, factor: 2}, link: {edge: 9}}\n",
                                NULL, 0));
    config_refuse("version: 1\nmodel: {cuts: [9]}\nchaos: {slow: {block: 3, factor: 2}}\n", NULL);
    ck_silent_about("chaos.slow");
}
END_TEST

/* Blocks of the other modes wait for every batch; and where none comes, for ever. */
START_TEST(loss_is_of_async_and_leaves_something_over)
{
    static const char text[] = "version: 1\nschedule: virtual\nchaos: {link: {edge: 1, loss: 1}}\n";
    static const char *const sync[] = {"mode=sync"},
                             *const stop[] = {"mode=async", "after_end=stop"},
                             *const timed[] = {"mode=async", "until=9s"};

    adn_config *c = config_good(text, sync, 1);
    ck_says("'chaos.link[0].loss' is not used in mode sync");
    ck_assert(c->chaos.n_link == 1 && c->chaos.links[0].loss == 0);
    adn_config_free(c);
    config_refuse(text, "mode=async");
    ck_says("exp.yaml:3:31: error: 'chaos.link[0].loss' is 1: no batch ever comes to block 1");
    adn_config_free(config_good(text, stop, 2));
    adn_config_free(config_good(text, timed, 2));
}
END_TEST

START_TEST(threads_can_slow_a_block_down_and_nothing_else)
{
    static const char text[] =
        "version: 1\ndraw: random\nchaos:\n  step: 2s\n  cost: macs\n  spread: 0.5\n"
        "  slow: {block: 1, factor: 2}\n  link: {edge: 77, delay: 1s}\n";
    static const char *const virtual[] = {"schedule=virtual", "chaos.link=[]"},
                             *const bp[] = {"mode=bp", "schedule=virtual"};
    static const char *const unused[] = {
        "draw",         "chaos.step",         "chaos.cost",
        "chaos.spread", "chaos.link[0].edge", "chaos.link[0].delay"};
    char says[100];

    adn_config *c = config_good(text, NULL, 0);
    for (size_t i = 0; i < ADN_COUNT(unused); i++) {
        snprintf(says, sizeof(says), "warning: '%s' is not used in schedule threads", unused[i]);
        ck_says(says);
    }
    ck_silent_about("chaos.slow");
    ck_assert(c->chaos.n_slow == 1 && c->chaos.slow[0].factor == 2);
    ck_assert_int_eq(c->chaos.n_link, 0);
    adn_config_free(c);
    c = config_good(text, virtual, 2);
    ck_assert_str_eq(adn_test_log(), "");
    ck_assert(c->chaos.spread == 0.5 && c->draw == ADN_DRAW_RANDOM);
    adn_config_free(c);
    c = config_good(text, bp, 2); /* its one block is not the one that was meant */
    ck_says("'chaos.slow[0].block' is not used in mode bp");
    ck_says("'chaos.link[0].edge' is not used in mode bp");
    ck_assert(c->chaos.n_slow == 0 && c->chaos.n_link == 0);
    adn_config_free(c);

    config_refuse("version: 1\nchaos: {slow: {block: 1, factor: 0.5}}\n", NULL);
    ck_says("exp.yaml:2:34: error: 'chaos.slow[0].factor' is 0.5: expected at least 1 in schedule "
            "threads");
    config_refuse("version: 1\nchaos: {slow: {block: 1, factor: 0.5}}\n", "schedule=virtul");
    ck_silent_about("chaos.slow");
    adn_config_free(
        config_good("version: 1\nchaos: {slow: {block: 1, factor: 0.5}}\n", virtual, 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_chaos");
    TCase *tc = tcase_create("chaos");

    tcase_add_test(tc, the_virtual_schedule_goes_with_every_mode);
    tcase_add_test(tc, slow_blocks_and_bad_links_are_lists_and_one_is_a_list_of_one);
    tcase_add_test(tc, arguments_reach_into_chaos);
    tcase_add_test(tc, blocks_and_edges_that_are_not_there_are_refused);
    tcase_add_test(tc, loss_is_of_async_and_leaves_something_over);
    tcase_add_test(tc, threads_can_slow_a_block_down_and_nothing_else);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
