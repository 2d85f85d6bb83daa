/* Configurations as text again: dumps that load, origins, JSON, documentation. */
#include "suite.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "config_case.h"
#include "core/file.h"

/* A dump without its comments. */
static char *bare(const char *dump)
{
    char *out = adn_alloc(strlen(dump) + 1), *to = out;
    for (const char *line = dump; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t n = strcspn(line, "\n"), kept = n;
        for (size_t i = 0; i + 2 < n; i++)
            if (memcmp(line + i, " # ", 3) == 0) kept = i;
        while (kept > 0 && line[kept - 1] == ' ') kept--;
        if (line[0] == '#') continue;
        memcpy(to, line, kept);
        to += kept;
        *to++ = '\n';
    }
    *to = '\0';
    return out;
}

static bool is_same_edge(const adn_buffer_conf *a, const adn_buffer_conf *b)
{
    return a->slots == b->slots && a->policy == b->policy && a->when_full == b->when_full &&
           a->max_reuse == b->max_reuse && a->max_age == b->max_age &&
           a->emit_fresh == b->emit_fresh;
}

static void ck_same_async(const adn_config *a, const adn_config *b)
{
    const adn_chaos_conf *x = &a->chaos, *y = &b->chaos;

    ck_assert(a->schedule == b->schedule && a->clock == b->clock);
    ck_assert(a->after_end == b->after_end && a->model.bn_reuse == b->model.bn_reuse);
    if (a->mode != ADN_MODE_BP) { /* which has neither cuts nor edges: they stand in comments */
        ck_assert_int_eq(a->model.cuts_kind, b->model.cuts_kind);
        ck_assert(is_same_edge(&a->edge, &b->edge));
    }
    for (int i = 0; i < a->n_block; i++) {
        ck_assert(a->blocks[i].has_edge == b->blocks[i].has_edge);
        ck_assert(is_same_edge(&a->blocks[i].edge, &b->blocks[i].edge));
    }
    ck_assert(a->schedule == ADN_SCHEDULE_THREADS ||
              (a->draw == b->draw && x->step_s == y->step_s && x->cost == y->cost &&
               x->spread == y->spread));
    ck_assert(x->n_slow == y->n_slow && x->n_link == y->n_link);
    for (int i = 0; i < x->n_slow; i++)
        ck_assert(x->slow[i].block == y->slow[i].block && x->slow[i].factor == y->slow[i].factor);
    for (int i = 0; i < x->n_link; i++) {
        const adn_link_conf *k = &x->links[i], *l = &y->links[i];
        ck_assert(k->edge == l->edge && k->delay_s == l->delay_s);
        ck_assert(k->bandwidth == l->bandwidth && k->loss == l->loss);
    }
}

static void ck_round_trip(const char *text, const char *const *arguments, int n)
{
    char *first = NULL, *second = NULL, path[512];
    adn_config *c = config_good(text, arguments, n), *again = NULL;

    ck_assert_int_eq(adn_config_dump(c, &first), ADN_OK);
    snprintf(path, sizeof(path), "%s/config.resolved.yaml", adn_test_dir());
    ck_assert_int_eq(adn_file_write(path, first, strlen(first)), ADN_OK);
    adn_test_log_clear();
    adn_status st = adn_config_load(path, NULL, 0, &again);
    ck_assert_msg(st == ADN_OK, "%s\n%s", first, adn_test_log());
    ck_assert_str_eq(adn_test_log(),
                     ""); /* what is not used stands in comments: nothing to warn of */
    ck_assert_int_eq(adn_config_dump(again, &second), ADN_OK);
    char *a = bare(first), *b = bare(second);
    ck_assert_str_eq(a, b);

    ck_assert_str_eq(c->name, again->name);
    ck_assert_str_eq(c->runs, again->runs);
    ck_assert(c->seed == again->seed && c->mode == again->mode);
    ck_assert(memcmp(&c->until, &again->until, sizeof(c->until)) == 0);
    ck_assert_int_eq(c->data.n_augment, again->data.n_augment);
    ck_assert(memcmp(c->data.mean, again->data.mean, sizeof(c->data.mean)) == 0);
    ck_assert_int_eq(c->model.n_unit, again->model.n_unit);
    for (int i = 0; i < c->model.n_unit; i++) {
        adn_unit_conf x = c->model.units[i], y = again->model.units[i];
        ck_assert(x.channels == y.channels && x.is_residual == y.is_residual && x.pool == y.pool);
        ck_assert(x.stride == y.stride && x.bias == y.bias && x.repeat == y.repeat);
    }
    ck_assert_int_eq(adn_config_blocks(c), adn_config_blocks(again));
    ck_assert(c->n_block == again->n_block && c->classifier_hidden == again->classifier_hidden);
    for (int i = 0; i < c->n_block; i++) {
        ck_assert_str_eq(c->blocks[i].device, again->blocks[i].device);
        ck_assert(c->blocks[i].threads == again->blocks[i].threads);
        ck_assert(c->blocks[i].first_core == again->blocks[i].first_core);
        ck_assert(memcmp(&c->blocks[i].aux, &again->blocks[i].aux, sizeof(adn_head_conf)) == 0 ||
                  i == c->n_block - 1);
    }
    ck_same_async(c, again);
    const adn_optim_conf *o = &c->optim, *p = &again->optim;
    ck_assert(o->kind == p->kind);
    ck_assert(o->kind == ADN_OPTIM_SGD ||
              (o->betas[0] == p->betas[0] && o->betas[1] == p->betas[1] && o->eps == p->eps));
    ck_assert(c->optim.lr == again->optim.lr &&
              c->optim.no_decay_norm == again->optim.no_decay_norm);
    ck_assert(c->optim.schedule.kind == again->optim.schedule.kind &&
              c->optim.schedule.n_at == again->optim.schedule.n_at);
    ck_assert(c->log_every_s == again->log_every_s && c->keep_best == again->keep_best);
    adn_free(a);
    adn_free(b);
    adn_free(first);
    adn_free(second);
    adn_config_free(c);
    adn_config_free(again);
}

START_TEST(a_dump_loads_again_to_the_same_configuration)
{
    static const char *const args[] = {"blocks[1].threads=3", "runs=a \"b\" \\ # c",
                                       "optim.lr=0.1234567890123456789"};

    ck_round_trip("version: 1\n", NULL, 0);
    ck_round_trip("version: 1\nname: '7 # x: y'\ndata: {root: 'some where'}\n", args, 3);
    ck_round_trip("version: 1\nmode: bp\nedge: {slots: 3, policy: lifo}\nmodel: {cuts: "
                  "[1]}\nblocks: [{threads: 2}, {}]\n",
                  NULL, 0);
    ck_round_trip("version: 1\nmode: bp\nblocks: [{threads: 2, aux: {kind: cnn}}]\n", NULL, 0);
    ck_round_trip("version: 1\nmode: greedy\nuntil: 1.5h\ndata: {name: idx, root: /x, mean: [0.1], "
                  "std: [0.3333333333333333]}\n"
                  "model: {units: [{conv: 4, bias: false}, {pool: 2, conv: 8, repeat: 2}, "
                  "{residual: 8, stride: 2}], cuts: [1, 2]}\n"
                  "blocks: [{device: 'cpu:0-1'}, {aux: {kind: linear, label_smoothing: .1}}, "
                  "{threads: 1, aux: {hidden: 1}}]\n"
                  "optim: {no_decay: [norm], schedule: {kind: multistep, at: [1ep, 1.5ep]}}\neval: "
                  "{every: inf}\n"
                  "log: {every: 2min}\ncheckpoint: {every: 1e5st}\n",
                  NULL, 0);
    ck_round_trip("version: 1\naux: {kind: cnn}\noptim: {schedule: {kind: constant}}\nmodel: "
                  "{name: resnet18, cuts: every}\n",
                  NULL, 0);
    ck_round_trip("version: 1\noptim: {name: adamw, betas: [.5, 0.75], eps: 1e-5, momentum: 0.5}\n",
                  NULL, 0);
    ck_round_trip("version: 1\nmodel: {cuts: auto}\nblocks: [{}, {threads: 2}]\n", NULL, 0);
}
END_TEST

START_TEST(a_dump_of_async_loads_again_in_each_mode)
{
    static const char text[] =
        "version: 1\nmode: async\nschedule: virtual\ndraw: random\nclock: own_steps\n"
        "after_end: stop\nmodel: {cuts: auto, bn_reuse: every}\n"
        "edge: {slots: 30, max_age: 9, emit: fresh}\n"
        "blocks:\n  - {}\n  - {edge: {policy: fifo, max_age: inf}}\n"
        "  - {edge: {policy: auto, when_full: auto, max_reuse: 2}}\n"
        "  - {edge: {policy: priority-lifo-paper, slots: 3, emit: every}}\n"
        "chaos:\n  step: 9ms\n  cost: macs\n  spread: .25\n  slow: {block: 2, factor: 1.5}\n"
        "  link:\n    - {edge: 1, delay: 7ms, bandwidth: 0.5Gb/s, loss: 0.01}\n    - {edge: 3}\n";
    static const char *const threads[] = {"schedule=threads"}, *const sync[] = {"mode=sync"},
                             *const bp[] = {"mode=bp", "schedule=threads"};

    ck_round_trip(text, NULL, 0);
    ck_round_trip(text, threads, 1);
    ck_round_trip("version: 1\nmode: async\nedge: {policy: fifo}\n"
                  "blocks: [{}, {edge: {policy: latest}}, {edge: {max_reuse: 1}}, {}]\n",
                  NULL, 0);
    ck_round_trip("version: 1\nedge: {slots: 2}\nblocks: [{}, {edge: {slots: 3, policy: auto, "
                  "when_full: block}}, {}, {}]\nchaos: {slow: [{block: 3, factor: 2}]}\n",
                  sync, 1);
    ck_round_trip(text, bp, 2);

    adn_config *c = config_good(text, NULL, 0); /* its block 2 says auto, block 1 follows fifo */
    char *dump = NULL;
    ck_assert_int_eq(adn_config_dump(c, &dump), ADN_OK);
    static const char *const lines[] = {"\n  policy: priority-lifo                     # auto\n",
                                        "\n      policy: priority-lifo                 # auto\n",
                                        "\n      when_full: block                      # auto\n",
                                        "\n  slow:\n    - block: 2 ",
                                        "\n    - edge: 3 ",
                                        "\n      bandwidth: 0.5Gb/s "};
    for (size_t i = 0; i < ADN_COUNT(lines); i++)
        ck_assert_msg(strstr(dump, lines[i]) != NULL, "%s is not in\n%s", lines[i], dump);
    adn_free(dump);
    adn_config_free(c);
}
END_TEST

START_TEST(a_dump_names_the_origin_of_each_key)
{
    static const char *const args[] = {"optim.lr=0.5"};
    char *dump = NULL;
    adn_config *c = config_good("version: 1\ndata:\n  batch: 64\n  readers: auto\n", args, 1);

    ck_assert_int_eq(adn_config_resolve(c, "blocks[0].threads", "2"), ADN_OK);
    ck_assert_int_eq(adn_config_resolve(c, "blocks[1].threads", "1"), ADN_OK);
    ck_assert_int_eq(adn_config_resolve(c, "data.readers", "3"), ADN_OK);
    ck_assert_int_eq(adn_config_resolve(c, "data.mean", "[0.5, 0.25, 1]"), ADN_OK);
    ck_assert_int_eq(adn_config_dump(c, &dump), ADN_OK);
    static const char *const lines[][2] = {
        {"  batch: 64 ", "exp.yaml:3\n"},
        {"  lr: 0.5 ", "# argument\n"},
        {"  momentum: 0.9 ", "# default\n"},
        {"  - threads: 2 ", "# auto\n"},
        {"  - threads: 1 ", "# auto\n"},
        {"  readers: 3 ", "# auto\n"},
        {"  mean: [0.5, 0.25, 1] ", "# auto\n"},
        {"  policy: fifo ", "# auto\n"},
        {"  when_full: block ", "# auto\n"},
        {"#   max_reuse: inf ", "# default, unused in mode sync\n"},
        {"# draw: clock ", "# default, unused in schedule threads\n"},
        {"# clock: fresh ", "# default, unused in mode sync\n"},
        {"#   step: 1s ", "# default, unused in schedule threads\n"}};
    for (size_t i = 0; i < ADN_COUNT(lines); i++) {
        const char *line = strstr(dump, lines[i][0]);
        ck_assert_msg(line != NULL, "%s is not in\n%s", lines[i][0], dump);
        const char *end = strchr(line, '\n') + 1;
        size_t n = strlen(lines[i][1]);
        ck_assert_msg(strncmp(end - n, lines[i][1], n) == 0, "%.*s", (int)(end - line), line);
    }
    adn_free(dump);
    char *given = NULL; /* what auto chose changes nothing about what was given */
    ck_assert_int_eq(adn_config_given(c, &given), ADN_OK);
    ck_assert_str_eq(given, "data.batch = 64\ndata.readers = auto\noptim.lr = 0.5\nversion = 1\n");
    adn_free(given);
    adn_config_free(c);
}
END_TEST

START_TEST(what_was_given_is_compared_as_sorted_lines)
{
    static const char *const args[] = {"seed=3", "runs=x"};
    char *a = NULL, *b = NULL;
    adn_config *c = config_good(
        "version: 1\nname: a\nuntil: 50.0ep\nseed: 2\noptim: {lr: .10, momentum: 9e-1}\n"
        "blocks: [{threads: 1}, {}, {}, {}]\n",
        args, 2);
    adn_config *d = config_good(
        "optim:\n  momentum: 0.9\n  lr: 1e-1\nuntil: 50ep   # all of it\nversion: 1\nseed: 3\n"
        "blocks:\n- threads: 1\n- {}\n- {}\n- {}\n",
        NULL, 0);

    ck_assert_int_eq(adn_config_given(c, &a), ADN_OK);
    ck_assert_int_eq(adn_config_given(d, &b), ADN_OK);
    ck_assert_str_eq(a, "blocks[0].threads = 1\noptim.lr = 0.1\noptim.momentum = 0.9\nseed = "
                        "3\nuntil = 50ep\nversion = 1\n");
    ck_assert_str_eq(a, b);
    adn_free(a);
    adn_free(b);
    adn_config_free(c);
    adn_config_free(d);
}
END_TEST

START_TEST(settings_are_lines_of_all_that_is_used_with_what_auto_became)
{
    static const char *const args[] = {"mode=bp", "edge.slots=3", "optim.lr=.5"};
    char *text = NULL;
    adn_config *c = config_good("version: 1\nname: a\n", args, 3);

    ck_assert_int_eq(adn_config_resolve(c, "blocks[0].threads", "2"), ADN_OK);
    ck_assert_int_eq(adn_config_resolve(c, "data.readers", "3"), ADN_OK);
    ck_assert_int_eq(adn_config_settings(c, &text), ADN_OK);
    ck_assert_msg(strstr(text, "blocks[0].threads = 2\n") != NULL, "%s", text);
    ck_assert(strstr(text, "\ndata.readers = 3\n") != NULL);
    ck_assert(strstr(text, "\noptim.lr = 0.5\noptim.momentum = 0.9\n") != NULL); /* a default */
    ck_assert(strstr(text, "edge.") == NULL);                                    /* unused in bp */
    ck_assert(strstr(text, "name = a") == NULL && strstr(text, "runs = ") == NULL);
    for (const char *line = text, *next; *(next = strchr(line, '\n') + 1) != '\0'; line = next)
        ck_assert_msg(strcmp(line, next) < 0, "%s", line);
    adn_free(text);
    adn_config_free(c);
}
END_TEST

START_TEST(the_json_dump_has_flat_keys_with_types)
{
    static const char *const args[] = {"model.units=[{conv: 4}, {conv: 5, bias: false}]",
                                       "blocks[1].threads=2", "data.mean=[.5, .25, 1]", "name=12"};
    char *text = NULL;
    adn_config *c = config_good(NULL, args, 4);

    ck_assert_int_eq(adn_config_dump_json(c, &text), ADN_OK);
    json_error_t error;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(j != NULL, "%s\n%s", error.text, text);
    ck_assert_int_eq(json_integer_value(json_object_get(j, "data.batch")), 128);
    ck_assert(json_real_value(json_object_get(j, "optim.lr")) == 0.1);
    ck_assert(json_is_false(json_object_get(j, "optim.nesterov")));
    ck_assert_str_eq(json_string_value(json_object_get(j, "until")), "50ep");
    ck_assert_str_eq(json_string_value(json_object_get(j, "name")), "12");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(j, "data.augment"), 0)),
                     "crop 4");
    ck_assert(json_number_value(json_array_get(json_object_get(j, "data.mean"), 1)) == 0.25);
    ck_assert_int_eq(json_integer_value(json_object_get(j, "model.units[1].conv")), 5);
    ck_assert(json_is_false(json_object_get(j, "model.units[1].bias")));
    ck_assert_int_eq(json_integer_value(json_object_get(j, "blocks[1].threads")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(j, "data.readers")), "auto");
    json_decref(j);
    adn_free(text);
    adn_config_free(c);
}
END_TEST

START_TEST(the_documentation_names_every_key)
{
    static const char *const keys[] = {
        "\nmode\n",
        "bp, sync, greedy or async; default sync",
        "\ndata.batch\n",
        "a whole number from 2 to 65536; default 128",
        "\nblocks[].threads\n",
        "Not yet: vgg13",
        "In mode sync, greedy, async",
        "\nmodel.units[].residual\n",
        "above 0 with a unit: ep (epochs), st (steps), s, min or h; default 50ep",
        "a number from 0 to below 1; default 0.9",
        "\nblocks[].edge.policy\n",
        "auto, block or drop_oldest; default auto",
        "every or fresh; default every",
        "a section, or a list of such",
        "a number above 0 with a unit: ms, s, min or h; default 1s",
        "a number above 0 with a unit: kb/s, Mb/s or Gb/s; or inf; default inf",
        "a list of two numbers from 0 to below 1; default [0.9, 0.999]",
        "every, auto, or a list of units"};
    char *text = NULL;

    ck_assert_int_eq(adn_config_doc(&text), ADN_OK);
    for (size_t i = 0; i < ADN_COUNT(keys); i++)
        ck_assert_msg(strstr(text, keys[i]) != NULL, "%s", keys[i]);
    adn_free(text);
    ck_assert_int_eq(adn_config_doc_json(&text), ADN_OK);
    json_t *j = json_loads(text, 0, NULL);
    ck_assert(json_is_array(j) && json_array_size(j) > 60);
    json_decref(j);
    adn_free(text);
}
END_TEST

START_TEST(every_file_in_configs_loads_without_a_word)
{
    DIR *dir = opendir(ADN_SOURCE_DIR "/configs");
    struct dirent *e;
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while ((e = readdir(dir)) != NULL) {
        char path[1024];
        const char *dot = strrchr(e->d_name, '.');
        if (dot == NULL || strcmp(dot, ".yaml") != 0) continue;
        snprintf(path, sizeof(path), ADN_SOURCE_DIR "/configs/%s", e->d_name);
        adn_config *c = NULL;
        adn_test_log_clear();
        ck_assert_msg(adn_config_load(path, NULL, 0, &c) == ADN_OK, "%s", adn_test_log());
        ck_assert_str_eq(adn_test_log(), "");
        adn_config_free(c);
        n++;
    }
    closedir(dir);
    ck_assert_int_ge(n, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_dump");
    TCase *dumps = tcase_create("dumps");

    tcase_add_test(dumps, a_dump_loads_again_to_the_same_configuration);
    tcase_add_test(dumps, a_dump_of_async_loads_again_in_each_mode);
    tcase_add_test(dumps, a_dump_names_the_origin_of_each_key);
    tcase_add_test(dumps, what_was_given_is_compared_as_sorted_lines);
    tcase_add_test(dumps, settings_are_lines_of_all_that_is_used_with_what_auto_became);
    tcase_add_test(dumps, the_json_dump_has_flat_keys_with_types);
    tcase_add_test(dumps, the_documentation_names_every_key);
    tcase_add_test(dumps, every_file_in_configs_loads_without_a_word);
    suite_add_tcase(suite, dumps);
    return adn_suite_run(suite);
}
