/* The keys of edges: what they fill, what `auto` becomes in each mode, what does not go together.
 */
#include <stdio.h>
#include <string.h>

#include "config_case.h"
#include "suite.h"

static void ck_edge(const adn_buffer_conf *e, adn_buffer_conf expected)
{
    ck_assert_int_eq(e->slots, expected.slots);
    ck_assert_int_eq(e->policy, expected.policy);
    ck_assert_int_eq(e->when_full, expected.when_full);
    ck_assert_int_eq(e->max_reuse, expected.max_reuse);
    ck_assert_int_eq(e->max_age, expected.max_age);
    ck_assert_int_eq(e->emit_fresh, expected.emit_fresh);
    ck_assert(e->place == expected.place && e->link == expected.link);
}

START_TEST(auto_is_a_blocking_fifo_where_blocks_wait_for_each_other)
{
    static const struct {
        const char *arguments[3];
        adn_replay_policy policy;
        adn_when_full when_full;
    } cases[] = {{{"mode=bp"}, ADN_REPLAY_FIFO, ADN_FULL_BLOCK},
                 {{"mode=sync"}, ADN_REPLAY_FIFO, ADN_FULL_BLOCK},
                 {{"mode=greedy"}, ADN_REPLAY_FIFO, ADN_FULL_BLOCK},
                 {{"mode=async"}, ADN_REPLAY_PRIORITY_LIFO, ADN_FULL_DROP_OLDEST},
                 {{"mode=async", "edge.policy=fifo"}, ADN_REPLAY_FIFO, ADN_FULL_BLOCK},
                 {{"mode=async", "edge.policy=fifo", "edge.when_full=block"},
                  ADN_REPLAY_FIFO,
                  ADN_FULL_BLOCK},
                 {{"mode=async", "edge.policy=lifo"}, ADN_REPLAY_LIFO, ADN_FULL_DROP_OLDEST},
                 {{"mode=async", "edge.when_full=block"}, ADN_REPLAY_PRIORITY_LIFO, ADN_FULL_BLOCK},
                 {{"mode=async", "edge.policy=auto", "edge.when_full=auto"},
                  ADN_REPLAY_PRIORITY_LIFO,
                  ADN_FULL_DROP_OLDEST},
                 {{"mode=sync", "schedule=virtual"}, ADN_REPLAY_FIFO, ADN_FULL_BLOCK}};

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        int n = 0;
        while (n < 3 && cases[i].arguments[n] != NULL) n++;
        adn_config *c = config_good(NULL, cases[i].arguments, n);
        ck_assert_str_eq(adn_test_log(), "");
        ck_edge(&c->edge, (adn_buffer_conf){.slots = 8,
                                            .policy = cases[i].policy,
                                            .when_full = cases[i].when_full});
        adn_config_free(c);
    }
}
END_TEST

START_TEST(every_word_of_an_edge_fills_its_field)
{
    static const struct {
        const char *word;
        adn_replay_policy policy;
    } policies[] = {{"fifo", ADN_REPLAY_FIFO},
                    {"latest", ADN_REPLAY_LATEST},
                    {"lifo", ADN_REPLAY_LIFO},
                    {"priority-lifo", ADN_REPLAY_PRIORITY_LIFO},
                    {"priority-lifo-paper", ADN_REPLAY_PRIORITY_LIFO_PAPER},
                    {"uniform", ADN_REPLAY_UNIFORM}};
    char text[200];

    for (size_t i = 0; i < ADN_COUNT(policies); i++) {
        snprintf(text, sizeof(text), "version: 1\nmode: async\nedge: {policy: %s}\n",
                 policies[i].word);
        adn_config *c = config_good(text, NULL, 0);
        ck_assert_int_eq(c->edge.policy, policies[i].policy);
        adn_config_free(c);
    }
    adn_config *c = config_good("version: 1\nmode: async\nclock: own_steps\nafter_end: stop\n"
                                "model: {bn_reuse: every}\nedge: {slots: 30, policy: uniform, "
                                "when_full: drop_oldest, max_reuse: 4, max_age: 50, emit: fresh, "
                                "place: file}\n",
                                NULL, 0);
    ck_assert_str_eq(adn_test_log(), "");
    ck_edge(&c->edge, (adn_buffer_conf){.slots = 30,
                                        .policy = ADN_REPLAY_UNIFORM,
                                        .when_full = ADN_FULL_DROP_OLDEST,
                                        .max_reuse = 4,
                                        .max_age = 50,
                                        .place = ADN_EDGE_FILE,
                                        .emit_fresh = true});
    ck_assert(c->mode == ADN_MODE_ASYNC && c->clock == ADN_CLOCK_OWN_STEPS);
    ck_assert(c->after_end == ADN_AFTER_STOP && c->model.bn_reuse == ADN_BN_EVERY);
    adn_config_free(c);
}
END_TEST

START_TEST(what_async_alone_uses_changes_no_other_mode)
{
    static const char text[] =
        "version: 1\nclock: own_steps\nafter_end: stop\nmodel: {bn_reuse: every}\n"
        "edge: {slots: 3, policy: lifo, when_full: drop_oldest, max_reuse: 4, max_age: 5, emit: "
        "fresh, place: pinned}\nblocks: [{}, {edge: {slots: 2, policy: latest, max_age: 1, link: "
        "copy}}, {}, {}]\n";
    static const char *const modes[] = {"mode=sync", "mode=greedy"};

    for (size_t i = 0; i < ADN_COUNT(modes); i++) {
        adn_config *c = config_good(text, &modes[i], 1);
        ck_says("exp.yaml:2:8: warning: 'clock' is not used in mode ");
        ck_says("exp.yaml:3:12: warning: 'after_end' is not used in mode ");
        ck_says("'model.bn_reuse' is not used in mode ");
        ck_says("exp.yaml:5:26: warning: 'edge.policy' is not used in mode ");
        ck_says("'edge.when_full' is not used in mode ");
        ck_says("'edge.max_reuse' is not used in mode ");
        ck_says("'edge.max_age' is not used in mode ");
        ck_says("'edge.emit' is not used in mode ");
        ck_says("exp.yaml:6:40: warning: 'blocks[1].edge.policy' is not used in mode ");
        ck_says("'blocks[1].edge.max_age' is not used in mode ");
        ck_silent_about("slots");
        ck_edge(&c->edge, (adn_buffer_conf){.slots = 3, .place = ADN_EDGE_PINNED});
        ck_edge(&c->blocks[1].edge, (adn_buffer_conf){.slots = 2, .place = ADN_EDGE_PINNED});
        ck_assert(c->clock == ADN_CLOCK_FRESH && c->after_end == ADN_AFTER_EVAL_FORWARD);
        ck_assert(c->model.bn_reuse == ADN_BN_ONCE);
        adn_config_free(c);
    }
    adn_config_free(config_good("version: 1\nedge: {policy: fifo, when_full: block}\n", NULL, 0));
    ck_assert_str_eq(adn_test_log(), "");
}
END_TEST

START_TEST(a_blocks_own_edge_goes_before_that_of_all)
{
    static const char *const argument[] = {"blocks[3].edge.slots=7", "blocks[2].edge={slots: 6}"};
    adn_config *c = config_good(
        "version: 1\nmode: async\nedge: {slots: 4, max_age: 9, max_reuse: 2, policy: latest}\n"
        "blocks:\n  - {edge: {}}\n  - {edge: {policy: fifo, max_age: inf, max_reuse: inf}}\n"
        "  - {edge: {policy: auto, emit: fresh, when_full: drop_oldest}}\n  - {}\n",
        argument, 2);

    ck_assert_str_eq(adn_test_log(), "");
    ck_assert(!c->blocks[0].has_edge && c->blocks[1].has_edge && c->blocks[2].has_edge &&
              c->blocks[3].has_edge);
    ck_edge(&c->blocks[0].edge, (adn_buffer_conf){.slots = 4}); /* the loader's */
    ck_edge(&c->blocks[1].edge, (adn_buffer_conf){.slots = 4});
    ck_edge(&c->blocks[2].edge, (adn_buffer_conf){.slots = 6,
                                                  .policy = ADN_REPLAY_PRIORITY_LIFO,
                                                  .when_full = ADN_FULL_DROP_OLDEST,
                                                  .max_reuse = 2,
                                                  .max_age = 9,
                                                  .emit_fresh = true});
    ck_edge(&c->blocks[3].edge, (adn_buffer_conf){.slots = 7,
                                                  .policy = ADN_REPLAY_LATEST,
                                                  .when_full = ADN_FULL_DROP_OLDEST,
                                                  .max_reuse = 2,
                                                  .max_age = 9});
    adn_config_free(c);

    c = config_good("version: 1\nmode: async\nedge: {policy: fifo, emit: fresh}\n"
                    "blocks: [{}, {edge: {policy: lifo}}, {edge: {emit: every}}, {threads: 1}]\n",
                    NULL, 0);
    ck_assert(c->edge.when_full == ADN_FULL_BLOCK); /* auto follows each edge's own policy */
    ck_assert(c->blocks[1].edge.when_full == ADN_FULL_DROP_OLDEST && c->blocks[1].edge.emit_fresh);
    ck_assert(c->blocks[2].edge.when_full == ADN_FULL_BLOCK && !c->blocks[2].edge.emit_fresh);
    ck_assert(!c->blocks[3].has_edge && c->blocks[3].edge.emit_fresh);
    adn_config_free(c);
}
END_TEST

START_TEST(keys_of_an_edge_that_do_not_go_together_are_refused)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"edge: {policy: fifo, when_full: drop_oldest}",
         "exp.yaml:3:33: error: 'edge.when_full': policy fifo loses nothing: expected 'when_full: "
         "block'"},
        {"edge: {policy: fifo, max_reuse: 2}",
         "exp.yaml:3:33: error: 'edge.max_reuse': policy fifo reads each batch once: expected "
         "'max_reuse' 1 or inf"},
        {"edge: {policy: fifo, max_age: 3}",
         "exp.yaml:3:31: error: 'edge.max_age': policy fifo reads each batch, however old"},
        {"edge: {when_full: block, max_age: 3}",
         "exp.yaml:3:19: error: 'edge.when_full': unread batches that are too old to be read would "
         "never make room: producer and consumer would wait for each other for good; use "
         "drop_oldest or leave max_age out"},
        {"edge: {when_full: drop_oldest}\nblocks: [{}, {edge: {policy: fifo}}, {}, {}]",
         "exp.yaml:4:30: error: 'blocks[1].edge.policy': policy fifo loses nothing"},
        {"edge: {policy: fifo}\nblocks: [{}, {}, {edge: {max_reuse: 3}}, {}]",
         "exp.yaml:4:37: error: 'blocks[2].edge.max_reuse': policy fifo reads each batch once"},
        {"edge: {when_full: block}\nblocks: [{}, {}, {}, {edge: {max_age: 3}}]",
         "exp.yaml:4:39: error: 'blocks[3].edge.max_age': unread batches"},
        {"blocks: [{edge: {slots: 3}}, {}, {}, {}]",
         "exp.yaml:3:25: error: 'blocks[0].edge.slots': the edge into block 0 is the loader's, "
         "always a blocking fifo"},
        {"edge: {link: nccl, place: pinned}",
         "exp.yaml:3:14: error: 'edge.link': nccl receives into a GPU's memory: expected 'place: "
         "device' with it, or 'copy'"},
        {"edge: {place: file}\nblocks: [{}, {edge: {link: nccl}}, {}, {}]",
         "exp.yaml:4:28: error: 'blocks[1].edge.link': nccl receives"},
        {"edge: {policy: lfio}",
         "exp.yaml:3:16: error: 'edge.policy' cannot be 'lfio' (did you mean 'lifo'?): expected "
         "auto, fifo, latest, lifo, priority-lifo, priority-lifo-paper or uniform"},
        {"edge: {max_reuse: 0}", "exp.yaml:3:19: error: 'edge.max_reuse' cannot be '0' (out of "
                                 "range): expected a whole number from 1 to 1000000000 or inf"},
        {"edge: {max_age: 0}", "exp.yaml:3:17: error: 'edge.max_age' cannot be '0' (out of range)"},
        {"blocks: [{}, {edge: {slot: 3}}, {}, {}]",
         "exp.yaml:3:22: error: unknown key 'slot' in 'blocks[1].edge' (did you mean 'slots'?)"}};
    static const char *const fine[] = {
        "edge: {policy: fifo, max_reuse: 1}",
        "edge: {policy: fifo, max_reuse: inf, max_age: inf}",
        "edge: {policy: latest, when_full: block, max_reuse: 5}",
        "edge: {max_age: 5}",
        "edge: {place: file, link: copy}",
        "edge: {link: nccl, place: device}\nblocks: [{}, {edge: {link: copy}}, {}, {}]"};
    char text[300];

    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        snprintf(text, sizeof(text), "version: 1\nmode: async\n%s\n", bad[i].text);
        config_refuse(text, NULL);
        ck_says(bad[i].says);
        ck_assert_ptr_null(strstr(strstr(adn_test_log(), "error: ") + 1, "error: ")); /* once */
    }
    for (size_t i = 0; i < ADN_COUNT(fine); i++) {
        snprintf(text, sizeof(text), "version: 1\nmode: async\n%s\n", fine[i]);
        adn_config_free(config_good(text, NULL, 0));
    }
    /* said of `edge`, and not again for a block that has both keys from there */
    config_refuse("version: 1\nmode: async\nedge: {policy: fifo, when_full: drop_oldest}\n"
                  "blocks: [{}, {edge: {slots: 3}}, {}, {}]\n",
                  NULL);
    ck_silent_about("blocks[1]");
    /* other modes do not read what async could not run with */
    adn_config_free(config_good(
        "version: 1\nedge: {policy: fifo, when_full: drop_oldest, max_age: 3}\n", NULL, 0));
    config_refuse("version: 1\nmode: asynk\nedge: {policy: fifo, max_age: 3}\n", NULL);
    ck_silent_about("however old");
    config_refuse("version: 1\nmode: async\nedge: {policy: fivo, max_age: 3, when_full: block}\n",
                  NULL);
    ck_silent_about("however old");
    ck_silent_about("unread batches");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_edges");
    TCase *tc = tcase_create("edges");

    tcase_add_test(tc, auto_is_a_blocking_fifo_where_blocks_wait_for_each_other);
    tcase_add_test(tc, every_word_of_an_edge_fills_its_field);
    tcase_add_test(tc, what_async_alone_uses_changes_no_other_mode);
    tcase_add_test(tc, a_blocks_own_edge_goes_before_that_of_all);
    tcase_add_test(tc, keys_of_an_edge_that_do_not_go_together_are_refused);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
