/* Configurations: what is read from files and arguments, and what runs out of memory. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "config_case.h"
#include "adonis/config.h"
#include "core/core.h"

START_TEST(without_a_file_the_defaults_of_the_product_page_hold)
{
    adn_config *c = config_good(NULL, NULL, 0);

    ck_assert_str_eq(adn_test_log(), "");
    ck_assert_str_eq(c->runs, "runs");
    ck_assert_uint_eq(c->seed, 1);
    ck_assert_int_eq(c->mode, ADN_MODE_SYNC);
    ck_assert(c->until.value == 50 && c->until.unit == ADN_EPOCHS);
    ck_assert_str_eq(c->data.name, "cifar10");
    ck_assert_str_eq(c->data.root, "cifar-10-batches-bin");
    ck_assert_int_eq(c->data.batch, 128);
    ck_assert(!c->data.drop_last && c->data.auto_mean && c->data.auto_std);
    ck_assert_int_eq(c->data.n_augment, 2);
    ck_assert(c->data.augment[0].kind == ADN_AUG_CROP && c->data.augment[0].size == 4);
    ck_assert(c->data.augment[1].kind == ADN_AUG_FLIP && c->data.augment[1].size == 0);
    ck_assert(c->data.classes == 0 && c->data.readers == 0);
    ck_assert_int_eq(c->data.resident, ADN_RESIDENT_AUTO);
    ck_assert(c->aux.kind == ADN_HEAD_MLP_SR && c->aux.conv == 3 && c->aux.hidden == 3);
    ck_assert(c->aux.label_smoothing == 0 && c->classifier_hidden == 2 && c->edge.slots == 8 &&
              c->n_block == 0);
    ck_assert(c->optim.lr == 0.1 && c->optim.momentum == 0.9 && c->optim.weight_decay == 5e-4);
    ck_assert(!c->optim.nesterov && !c->optim.no_decay_bias && !c->optim.no_decay_norm);
    ck_assert(c->optim.schedule.kind == ADN_SCHED_STEP && c->optim.schedule.factor == 0.2);
    ck_assert(c->optim.schedule.every.value == 15 && c->optim.schedule.every.unit == ADN_EPOCHS);
    ck_assert(c->optim.schedule.warmup.value == 0 && c->optim.schedule.n_at == 0);
    ck_assert(c->eval_every.value == 1 && c->checkpoint_every.value == 1 && c->log_every_s == 1);
    ck_assert(c->keep_last == 2 && c->keep_best == 1);
    ck_assert(c->schedule == ADN_SCHEDULE_THREADS && c->draw == ADN_DRAW_CLOCK);
    ck_assert(c->model.bn_reuse == ADN_BN_ONCE && c->clock == ADN_CLOCK_FRESH);
    ck_assert(c->after_end == ADN_AFTER_EVAL_FORWARD);
    ck_assert(c->chaos.step_s == 1 && c->chaos.cost == ADN_COST_EQUAL && c->chaos.spread == 0);
    ck_assert(c->chaos.n_slow == 0 && c->chaos.n_link == 0);
    adn_config_free(c);
}
END_TEST

START_TEST(a_full_file_fills_every_field)
{
    adn_config *c = config_good(
        "version: 1\nname: n1\nruns: /r\nseed: 9223372036854775807\nmode: greedy\nuntil: 30min\n"
        "data: {name: idx, root: /d, batch: 64, drop_last: true, augment: [cutout 8, flip, crop "
        "2],\n"
        "       mean: [.25], std: [0.5], classes: 7, readers: 3, "
        "resident: true}\n"
        "model:\n  units:\n    - {conv: 8, bias: false}\n    - {pool: 2, conv: 16, stride: 2, "
        "repeat: 3}\n"
        "    - {residual: 32, stride: 2}\n"
        "  cuts: [1, 3]\n  init: kaiming\n  conv: direct\n"
        "aux: {kind: linear, label_smoothing: 0.1}\nclassifier: {hidden: 0}\nedge: {slots: 2}\n"
        "blocks:\n  - {device: 'cpu:0-1', threads: 2}\n  - {aux: {kind: cnn}}\n  - {device: cpu}\n"
        "optim: {name: sgd, lr: 1e-3, momentum: 0, weight_decay: 0, no_decay: [norm, bias],\n"
        "        reset_momentum: true,\n"
        "        schedule: {kind: multistep, at: [100st, 200st], factor: .5, warmup: 10st}}\n"
        "eval: {every: 50st}\ncheckpoint: {every: inf, keep: {last: 5, best: 0}}\nlog: {every: "
        "1min}\n",
        NULL, 0);

    ck_assert_str_eq(c->name, "n1");
    ck_assert(c->seed == INT64_MAX && c->mode == ADN_MODE_GREEDY);
    ck_assert(c->until.value == 1800 && c->until.unit == ADN_SECONDS);
    ck_assert(c->data.batch == 64 && c->data.drop_last && c->data.n_augment == 3 &&
              c->data.augment[0].size == 8);
    ck_assert(!c->data.auto_mean && c->data.n_mean == 1 && c->data.mean[0] == 0.25 &&
              c->data.std[0] == 0.5);
    ck_assert(c->data.classes == 7 && c->data.readers == 3);
    ck_assert_int_eq(c->data.resident, ADN_RESIDENT_TRUE);
    ck_assert_ptr_null(c->model.name);
    ck_assert_int_eq(c->model.n_unit, 3);
    const adn_unit_conf *u = c->model.units;
    ck_assert(u[0].channels == 8 && !u[0].bias && u[0].stride == 1 && u[0].repeat == 1 &&
              u[0].pool == 0);
    ck_assert(u[1].pool == 2 && u[1].stride == 2 && u[1].repeat == 3 && u[1].bias &&
              !u[1].is_residual);
    ck_assert(u[2].is_residual && u[2].channels == 32 && !u[2].bias && u[2].line == 13 &&
              u[2].column == 7);
    ck_assert(c->model.cuts_kind == ADN_CUTS_LIST && c->model.n_cut == 2 && c->model.cuts[1] == 3);
    ck_assert(c->model.init == ADN_INIT_KAIMING && c->model.conv == ADN_CONV_DIRECT);
    ck_assert(c->aux.kind == ADN_HEAD_LINEAR && c->aux.label_smoothing == 0.1 &&
              c->classifier_hidden == 0);
    ck_assert_int_eq(c->n_block, 3);
    ck_assert(c->blocks[0].first_core == 0 && c->blocks[0].last_core == 1 &&
              c->blocks[0].threads == 2);
    ck_assert(c->blocks[1].has_aux && c->blocks[1].aux.kind == ADN_HEAD_CNN &&
              c->blocks[1].aux.conv == 2);
    ck_assert(c->blocks[1].aux.label_smoothing == 0.1 && !c->blocks[0].has_aux);
    ck_assert(c->blocks[2].first_core == -1 && c->blocks[2].threads == 0);
    ck_assert(c->optim.lr == 1e-3 && c->optim.momentum == 0 && c->optim.weight_decay == 0);
    ck_assert(c->optim.no_decay_bias && c->optim.no_decay_norm && c->optim.reset_momentum);
    ck_assert(c->optim.schedule.n_at == 2 && c->optim.schedule.at[1].value == 200);
    ck_assert(c->optim.schedule.at[1].unit == ADN_STEPS &&
              c->optim.schedule.warmup.unit == ADN_STEPS);
    ck_assert(c->checkpoint_every.unit == ADN_NEVER && c->eval_every.unit == ADN_STEPS &&
              c->log_every_s == 60);
    ck_assert(c->keep_last == 5 && c->keep_best == 0);
    ck_assert_int_eq(adn_config_units(c), 5);
    ck_assert_int_eq(adn_config_blocks(c), 3);
    adn_config_free(c);
}
END_TEST

START_TEST(anchors_and_aliases_stand_for_their_values)
{
    adn_config *c = config_good("version: 1\nblocks: [&b {threads: 3, device: cpu}, *b, *b, {}]\n"
                                "data: {mean: &m [.5, .5, .5], std: *m}\n",
                                NULL, 0);
    ck_assert(c->blocks[1].threads == 3 && c->blocks[2].threads == 3 && c->blocks[3].threads == 0);
    ck_assert(c->data.n_std == 3 && c->data.std[2] == 0.5);
    adn_config_free(c);
}
END_TEST

START_TEST(arguments_go_before_the_file)
{
    static const char *const args[] = {"optim.lr=0.5",
                                       "optim.lr=.25",
                                       "blocks[1].threads=7",
                                       "name=other",
                                       "data.augment=[cutout 3]",
                                       "optim.schedule={kind: cosine, warmup: 2ep}",
                                       "model.cuts=[1, 2]",
                                       "blocks[0]={threads: 2}",
                                       "runs=a b: [c"};
    adn_config *c =
        config_good("version: 1\nname: mine\noptim: {lr: 1, momentum: 0.5}\nmodel: {cuts: [3]}\n",
                    args, (int)ADN_COUNT(args));

    ck_assert(c->optim.lr == 0.25 && c->optim.momentum == 0.5);
    ck_assert_int_eq(c->n_block, 3); /* those that no argument names have their defaults */
    ck_assert(c->blocks[0].threads == 2 && c->blocks[1].threads == 7 && c->blocks[2].threads == 0);
    ck_assert_str_eq(c->blocks[2].device, "auto");
    ck_assert_str_eq(c->name, "other");
    ck_assert_str_eq(c->runs, "a b: [c"); /* a text is taken as it is */
    ck_assert(c->data.n_augment == 1 && c->data.augment[0].size == 3);
    ck_assert(c->optim.schedule.kind == ADN_SCHED_COSINE && c->optim.schedule.warmup.value == 2);
    ck_assert_str_eq(adn_config_place(c, "optim.lr"), "argument 'optim.lr=.25'");
    ck_assert_str_eq(adn_config_place(c, "optim.nesterov"), "default");
    ck_assert_ptr_nonnull(strstr(adn_config_place(c, "optim.momentum"), "exp.yaml:3:26"));
    ck_assert_str_eq(adn_config_place(c, "blocks[1].threads"), "argument 'blocks[1].threads=7'");
    adn_config_free(c);

    static const char *const units[] = {"model.units=[{conv: 4}, {conv: 5}]",
                                        "model.units[1].conv=6"};
    c = config_good(NULL, units, 2);
    ck_assert(c->model.n_unit == 2 && c->model.units[1].channels == 6 && c->model.name == NULL);
    adn_config_free(c);
}
END_TEST

START_TEST(mistakes_in_arguments_name_the_argument)
{
    static const struct {
        const char *argument, *says;
    } bad[] = {
        {"optim.momentun=0.9", "argument 'optim.momentun=0.9': error: unknown key 'momentun' in "
                               "'optim' (did you mean 'momentum'?)"},
        {"optm.lr=1", "argument 'optm.lr=1': error: unknown key 'optm' (did you mean 'optim'?)"},
        {"lr=1", "(did you mean 'optim.lr'?)"},
        {"optim.lr", "argument 'optim.lr': error: expected key=value"},
        {"=1", "error: '' is no key"},
        {"optim..lr=1", "'optim..lr' is no key"},
        {"optim.=1", "'optim.' is no key"},
        {"optim.lr.x=1", "'optim.lr' has no keys inside"},
        {"optim=1", "'optim' cannot be '1' (no section)"},
        {"seed=", "argument 'seed=': error: 'seed' has no value"},
        {"name=", "'name' has no value"},
        {"blocks.threads=1", "'blocks' is a list: expected 'blocks[0].threads'"},
        {"blocks[0]=1", "'blocks[0]' must be a section of keys"},
        {"blocks[]=1", "'blocks[]' is no key"},
        {"blocks[].threads=1", "'blocks[].threads' is no key"},
        {"blocks[x].threads=1", "is no key"},
        {"blocks[0]threads=1", "is no key"},
        {"blocks[4].threads=1",
         "argument 'blocks[4].threads=1': error: 'blocks' has 5 entries, the cuts make 4 blocks"},
        {"blocks[4].edge.slots=1", "'blocks' has 5 entries, the cuts make 4 blocks"},
        {"blocks[1024].threads=1", "'blocks' has at most 1024 entries"},
        {"blocks[10000].threads=1", "is no key"},
        {"blocks[0].thread=1", "unknown key 'thread' in 'blocks[0]' (did you mean 'threads'?)"},
        {"model.units[0].conv=1", "'model.units' has 0 entries"},
        {"model.cuts[0]=1", "'model.cuts' has no numbered entries"},
        {"model.cuts=[1, 9]",
         "argument 'model.cuts=[1, 9]': error: cut after unit 9: dgl4 has 4 units"},
        {"model.cuts=[1,", "argument 'model.cuts=[1,': error: "},
        {"model.cuts=[*a]", "alias '*a' has no anchor"},
        {"data.batch=\xff", "error: byte 0xff at offset 0 is no text"},
        {"data.root=a\nb", "(a control character)"},
    };
    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        config_refuse(NULL, bad[i].argument);
        ck_says(bad[i].says);
    }
}
END_TEST

START_TEST(relative_roots_in_a_file_belong_to_the_file)
{
    static const char *const argument[] = {"data.root=sets"};
    char expected[600];
    adn_config *c = config_good("version: 1\ndata: {root: ../sets}\nruns: r\n", NULL, 0);

    snprintf(expected, sizeof(expected), "%.*s/../sets",
             (int)(strrchr(config_file_path(), '/') - config_file_path()), config_file_path());
    ck_assert_str_eq(c->data.root, expected);
    ck_assert_str_eq(c->runs, "r"); /* of the current directory, always */
    ck_assert_str_eq(c->name, "exp");
    adn_config_free(c);
    c = config_good("version: 1\ndata: {root: ../sets}\n", argument, 1);
    ck_assert_str_eq(c->data.root, "sets");
    adn_config_free(c);
    c = config_good("version: 1\ndata: {root: /sets}\n", NULL, 0);
    ck_assert_str_eq(c->data.root, "/sets");
    adn_config_free(c);
}
END_TEST

START_TEST(any_failed_allocation_gives_nomem_and_leaves_nothing)
{
    static const char *const args[] = {"blocks[1].threads=2", "data.mean=[.5, .5, .5]",
                                       "optim.lr=.3", "chaos.slow.factor=2"};
    const char *path = config_file("version: 1\ndata: {augment: [crop 4], root: ../x}\nmodel: "
                                   "{units: [{conv: 4, repeat: 2}, {conv: 5}]}\n"
                                   "edge: {slots: 2}\naux: {kind: cnn}\nmode: async\n"
                                   "blocks: [{}, {edge: {policy: lifo}}, {}]\n"
                                   "chaos: {slow: {block: 1}}\n");
    int64_t live = adn_alloc_live();
    adn_config *c = NULL;
    char *text = NULL;
    adn_status st = ADN_NOMEM;
    int n = 0;

    while (st != ADN_OK) {
        adn_alloc_fail_at(++n);
        st = adn_config_load(path, args, 4, &c);
        adn_alloc_fail_at(0);
        if (st == ADN_OK) break;
        ck_assert_int_eq(st, ADN_NOMEM);
        ck_assert_ptr_null(c);
        ck_assert_int_eq(adn_alloc_live(), live);
    }
    ck_assert_int_gt(n, 20);
    adn_status (*const calls[])(const adn_config *, char **) = {
        adn_config_dump, adn_config_dump_json, adn_config_given};
    live = adn_alloc_live();
    for (size_t i = 0; i < ADN_COUNT(calls); i++) {
        for (n = 1, st = ADN_NOMEM; st != ADN_OK; n++) {
            adn_alloc_fail_at(n);
            st = calls[i](c, &text);
            adn_alloc_fail_at(0);
            ck_assert(st == ADN_OK ||
                      (st == ADN_NOMEM && text == NULL && adn_alloc_live() == live));
        }
        ck_assert_int_gt(n, 2);
        adn_free(text);
        text = NULL;
    }
    for (n = 1, st = ADN_NOMEM; st != ADN_OK; n++) {
        adn_alloc_fail_at(n);
        st = adn_config_doc(&text);
        adn_alloc_fail_at(0);
        ck_assert(st == ADN_OK || (st == ADN_NOMEM && text == NULL && adn_alloc_live() == live));
    }
    adn_free(text);
    adn_config_free(c);
}
END_TEST

START_TEST(a_refused_file_leaves_nothing_at_any_failed_allocation)
{
    const char *path = config_file("version: 1\nmodee: 1\noptim: {lr: x, momentun: 3}\nblocks: "
                                   "[{edge: {}}, 3]\nmode: async\n");
    int64_t live = adn_alloc_live();
    adn_config *c = NULL;
    adn_status st = ADN_NOMEM;

    for (int n = 1; st == ADN_NOMEM; n++) {
        adn_alloc_fail_at(n);
        st = adn_config_load(path, NULL, 0, &c);
        adn_alloc_fail_at(0);
        ck_assert(st == ADN_NOMEM || st == ADN_BADCONF);
        ck_assert(c == NULL && adn_alloc_live() == live);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *reading = tcase_create("reading"), *arguments = tcase_create("arguments"),
          *memory = tcase_create("memory");

    tcase_add_test(reading, without_a_file_the_defaults_of_the_product_page_hold);
    tcase_add_test(reading, a_full_file_fills_every_field);
    tcase_add_test(reading, anchors_and_aliases_stand_for_their_values);
    tcase_add_test(arguments, arguments_go_before_the_file);
    tcase_add_test(arguments, mistakes_in_arguments_name_the_argument);
    tcase_add_test(arguments, relative_roots_in_a_file_belong_to_the_file);
    tcase_add_test(memory, any_failed_allocation_gives_nomem_and_leaves_nothing);
    tcase_add_test(memory, a_refused_file_leaves_nothing_at_any_failed_allocation);
    suite_add_tcase(suite, reading);
    suite_add_tcase(suite, arguments);
    suite_add_tcase(suite, memory);
    return adn_suite_run(suite);
}
