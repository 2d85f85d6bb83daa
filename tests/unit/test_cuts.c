/* Automatic cuts: how many blocks, from costs to cuts, what is measured, and what a plan makes of
 * it. No test asks how fast anything was. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/thread.h"
#include "pipeline/cuts.h"
#include "suite.h"
#include "tiny.h"

static const char *const config =
    "seed: 9\n"
    "data: {name: cifar10, root: nowhere, batch: 8, augment: [flip]}\n"
    "model: {units: [{conv: 8}, {pool: 2, conv: 16}, {residual: 16}, {residual: 8, stride: 2}], "
    "cuts: auto}\n"
    "aux: {kind: mlp-sr, conv: 1, hidden: 1}\n"
    "edge: {slots: 3}\n";

static const adn_gpus no_gpu = {0, "none"};

typedef struct world {
    adn_config *conf;
    adn_dataset_pair data;
    adn_device *dev;
} world;

/* Overrides end with NULL. */
static world make(const char *const *overrides)
{
    world w = {.conf = tiny_config(config, overrides)};
    tiny_data(&w.data, 32, 8, 8, 8, 3, 4);
    ck_assert_int_eq(adn_cpu_open(&w.dev), ADN_OK);
    adn_test_log_clear();
    return w;
}

static void clear(world *w)
{
    w->dev->ops->close(w->dev);
    tiny_data_clear(&w->data);
    adn_config_free(w->conf);
}

START_TEST(blocks_are_the_entries_given_or_the_cores_that_are_allowed)
{
    static const struct {
        int n_given, n_unit, n_core, n_block;
    } cases[] = {{0, 8, 4, 4}, {0, 8, 1, 2},  {0, 8, 16, 8},     {0, 1, 4, 1},
                 {3, 8, 2, 3}, {1, 8, 16, 1}, {0, 256, 128, 128}};

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        adn_config conf = {.n_block = cases[i].n_given};
        ck_assert_int_eq(adn_cuts_count(&conf, cases[i].n_unit, cases[i].n_core), cases[i].n_block);
    }
}
END_TEST

START_TEST(the_team_that_is_measured_is_a_blocks_share_of_the_cores)
{
    static const struct {
        adn_mode mode;
        int n_block, n_core, n_thread;
    } cases[] = {{ADN_MODE_SYNC, 2, 2, 1},
                 {ADN_MODE_SYNC, 4, 2, 1},
                 {ADN_MODE_SYNC, 3, 8, 2},
                 {ADN_MODE_GREEDY, 3, 8, 8}};

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        adn_config conf = {.mode = cases[i].mode};
        ck_assert_int_eq(adn_cuts_team(&conf, cases[i].n_block, cases[i].n_core),
                         cases[i].n_thread);
    }
}
END_TEST

/* By the times that units take where they begin a block, the cut would stand after the first. */
START_TEST(costs_become_cuts_and_predicted_times)
{
    static const double speed[] = {1, 0.5};
    adn_unit_cost u[4] = {{.first.seconds = 3, .head.seconds = 1},
                          {.first.seconds = 2, .inner.seconds = 4, .head.seconds = 1},
                          {.first.seconds = 2, .inner.seconds = 5, .head.seconds = 1},
                          {.first.seconds = 1, .inner.seconds = 2, .head.seconds = 1}};
    adn_cuts c = {0};

    ck_assert_int_eq(adn_cuts_balance(u, 4, speed, 1, INFINITY, &c), ADN_OK);
    ck_assert(c.n_block == 1 && c.end[0] == 4);
    ck_assert_double_eq(c.seconds[0], 3 + 4 + 5 + 2 + 1);
    ck_assert_int_eq(adn_cuts_balance(u, 4, (double[]){1, 1}, 2, INFINITY, &c), ADN_OK);
    ck_assert(c.n_block == 2 && c.end[0] == 2 && c.end[1] == 4);
    ck_assert(c.seconds[0] == 3 + 4 + 1 && c.seconds[1] == 2 + 2 + 1);
    ck_assert_int_eq(adn_cuts_balance(u, 4, speed, 2, INFINITY, &c), ADN_OK);
    ck_assert(c.end[0] == 2 && c.end[1] == 4);
    ck_assert(c.seconds[0] == 8 && c.seconds[1] == 10);
    u[1].head.seconds = 9; /* a dear head is not where a block should end */
    ck_assert_int_eq(adn_cuts_balance(u, 4, (double[]){1, 1}, 2, INFINITY, &c), ADN_OK);
    ck_assert_int_eq(c.end[0], 1);
}
END_TEST

START_TEST(memory_is_what_lies_at_the_same_time)
{
    adn_unit_cost u[2] = {
        {.first = {0, 1, 10, 100, 1000}, .edge_bytes = 7, .head = {0, 2, 20, 200, 500}},
        {.first = {0, 3, 30, 400, 100},
         .inner = {0, 3, 30, 500, 3000},
         .edge_bytes = 9,
         .head = {0, 4, 40, 300, 4000}}};

    ck_assert_double_eq(adn_cuts_bytes(u, 0, 1), 7 + 1 + 2 + 10 + 20 + 200 + 1000);
    ck_assert_double_eq(adn_cuts_bytes(u, 1, 2), 9 + 3 + 4 + 30 + 40 + 400 + 4000);
    ck_assert_double_eq(adn_cuts_bytes(u, 0, 2), 7 + 1 + 3 + 4 + 10 + 30 + 40 + 500 + 4000);
    adn_cuts c = {0};
    ck_assert_int_eq(adn_cuts_balance(u, 2, (double[]){1, 1}, 2, 5725, &c), ADN_NOMEM);
    ck_assert_int_eq(adn_cuts_balance(u, 2, (double[]){1, 1}, 2, 5726, &c), ADN_OK);
}
END_TEST

/* Of each block on its own, as `cuts` makes them, beside the sum of what its parts were weighed;
 * with teams of the size that was measured. */
static void check_bytes(const adn_unit_cost *units, world *w, const char *cuts, const char *blocks)
{
    const char *const overrides[] = {cuts, blocks, "data.batch=32", NULL};
    adn_config *conf = tiny_config(config, overrides);
    tiny_run t;

    size_t n_state = (size_t)adn_optim_n_state(&conf->optim);
    tiny_open(&t, conf, &w->data, &(tiny_options){0});
    for (int j = 0; j < t.plan.n_block; j++) {
        const adn_plan_block *b = &t.plan.blocks[j];
        adn_net_sizes s = adn_net_size(adn_stage_net(adn_run_stage(t.run, j), 0));
        adn_edge_conf e = adn_plan_edge(&t.plan, j);
        double slots = adn_edge_n_slot(&e, ADN_LANE_TRAIN) + adn_edge_n_slot(&e, ADN_LANE_TEST);
        double takes = (double)((1 + n_state) * s.param_bytes + s.grad_bytes + s.activation_bytes +
                                s.workspace_bytes) +
                       slots * (double)adn_edge_slot_bytes(&e);
        double weighed = adn_cuts_bytes(units, b->first_unit - 1, b->last_unit);
        ck_assert_msg(weighed > 0.9 * takes && weighed < 2 * takes,
                      "%s, block %d: %.0f bytes, it takes %.0f", cuts, j, weighed, takes);
    }
    tiny_close(&t);
    adn_config_free(conf);
}

START_TEST(what_units_were_weighed_is_about_what_their_blocks_take)
{
    static const struct {
        const char *cuts, *blocks;
    } cases[] = {
        {"model.cuts=[]", "blocks=[{threads: 1}]"},
        {"model.cuts=[2]", "blocks=[{threads: 1}, {threads: 1}]"},
        {"model.cuts=[1,3]", "blocks=[{threads: 1}, {threads: 1}, {threads: 1}]"},
        {"model.cuts=every", "blocks=[{threads: 1}, {threads: 1}, {threads: 1}, {threads: 1}]"}};
    const char *const overrides[] = {"model.cuts=every", "data.batch=32", NULL};
    world w = make(overrides);
    adn_unit_cost units[4] = {0};
    adn_queue_conf team = {.name = "probe", .n_thread = 1};
    adn_plan plan;

    ck_assert_int_eq(adn_plan_create(w.conf, &w.data, &plan), ADN_OK);
    ck_assert_int_eq(adn_probe_units(&plan, w.dev, &team, units), ADN_OK);
    adn_plan_clear_all(&plan);
    for (int i = 0; i < 4; i++) { /* each part was run */
        ck_assert(units[i].first.seconds > 0 && units[i].head.seconds > 0);
        ck_assert(i == 0 ? units[i].inner.seconds == 0 : units[i].inner.seconds > 0);
        ck_assert(i == 0 || units[i].inner.state_bytes == units[i].first.state_bytes);
    }
    /* heads behind 8 and 16 channels */
    ck_assert(units[0].head.state_bytes < units[1].head.state_bytes);
    ck_assert(units[1].head.state_bytes == units[2].head.state_bytes);
    for (size_t i = 0; i < ADN_COUNT(cases); i++)
        check_bytes(units, &w, cases[i].cuts, cases[i].blocks);
    clear(&w);
}
END_TEST

/* Weights, gradients, and a moment of sgd's or two of adamw's. */
START_TEST(what_an_optimizer_keeps_is_weighed)
{
    static const char *const rules[] = {"optim.name=sgd", "optim.name=adamw"};
    adn_unit_cost units[2][4] = {0};
    adn_queue_conf team = {.name = "probe", .n_thread = 1};

    for (int k = 0; k < 2; k++) {
        const char *const overrides[] = {"model.cuts=every", rules[k], NULL};
        world w = make(overrides);
        adn_plan plan;
        ck_assert_int_eq(adn_plan_create(w.conf, &w.data, &plan), ADN_OK);
        ck_assert_int_eq(adn_probe_units(&plan, w.dev, &team, units[k]), ADN_OK);
        adn_plan_clear_all(&plan);
        clear(&w);
    }
    for (int i = 0; i < 4; i++)
        ck_assert(4 * units[0][i].first.state_bytes == 3 * units[1][i].first.state_bytes);
}
END_TEST

START_TEST(a_config_with_auto_gets_blocks_of_measured_times)
{
    static const struct {
        const char *overrides[4];
        int n_block;
    } cases[] = {
        {{"blocks=[{}, {}]"}, 2},
        {{"blocks=[{}, {threads: 2}, {threads: 2}]"}, 3},
        {{"precision=bf16", "blocks=[{}, {}, {}, {}]"}, 4},
        {{"mode=greedy", "until=1ep"}, 0},
    };

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        world w = make(cases[i].overrides);
        int cores[1024], n_core = adn_cores_allowed(cores, (int)ADN_COUNT(cores));
        int n = cases[i].n_block > 0 ? cases[i].n_block : ADN_MIN(ADN_MAX(2, n_core), 4);
        adn_cuts c = {0};
        adn_plan plan;
        ck_assert_int_eq(adn_cuts_choose(w.conf, &w.data, &w.dev, 0, &c), ADN_OK);
        ck_assert_int_eq(c.n_block, n);
        ck_assert_int_eq(c.end[n - 1], 4);
        for (int j = 0; j < n; j++) {
            ck_assert_int_gt(c.end[j], j == 0 ? 0 : c.end[j - 1]);
            ck_assert(c.seconds[j] > 0);
        }
        ck_assert_ptr_nonnull(strstr(adn_test_log(), "predicted ms a step: "));
        ck_assert_int_eq(adn_plan_create_cut(w.conf, &w.data, &c, &no_gpu, &plan), ADN_OK);
        ck_assert_int_eq(plan.n_block, n);
        for (int j = 0; j < n; j++) {
            ck_assert_int_eq(plan.blocks[j].last_unit, c.end[j]);
            ck_assert(plan.blocks[j].predicted_s > 0);
        }
        ck_assert((adn_plan_predict(&plan, n_core, NULL) > 0) == (w.conf->mode == ADN_MODE_SYNC));
        adn_plan_clear_all(&plan);
        clear(&w);
    }
}
END_TEST

/* A second device in the place of GPU 1: as one that is like GPU 0, and as another. */
START_TEST(devices_that_differ_are_compared)
{
    world w = make((const char *[]){"blocks=[{}, {device: auto}]", NULL});
    adn_device *other;

    ck_assert_int_eq(adn_cpu_open(&other), ADN_OK);
    for (int differ = 0; differ < 2; differ++) {
        adn_device *devs[2] = {w.dev, differ ? other : w.dev};
        adn_cuts c = {0};
        adn_test_log_clear();
        ck_assert_int_eq(adn_cuts_choose(w.conf, &w.data, devs, 2, &c), ADN_OK);
        ck_assert(c.n_block == 2 && c.n_thread == 1);
        ck_assert_int_eq(strstr(adn_test_log(), "(speed ") != NULL, differ);
    }
    other->ops->close(other);
    clear(&w);
}
END_TEST

START_TEST(one_block_is_said_and_nothing_is_measured)
{
    static const struct {
        const char *overrides[3], *says;
        int n_unit;
    } cases[] = {{{"blocks=[{}]"}, "an entry of 'blocks' makes one block", 4},
                 {{"model.units=[{conv: 4}]"}, "one unit makes one block", 1}};

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        world w = make(cases[i].overrides);
        adn_cuts c = {0};
        ck_assert_int_eq(adn_cuts_choose(w.conf, &w.data, &w.dev, 0, &c), ADN_OK);
        ck_assert(c.n_block == 1 && c.end[0] == cases[i].n_unit && c.seconds[0] == 0);
        ck_assert_msg(strstr(adn_test_log(), cases[i].says) != NULL, "%s", adn_test_log());
        ck_assert(strstr(adn_test_log(), "measuring") == NULL);
        clear(&w);
    }
}
END_TEST

START_TEST(without_auto_or_blocks_nothing_is_chosen)
{
    static const char *const overrides[][3] = {
        {"mode=bp"}, {"model.cuts=every"}, {"model.cuts=[2]"}};

    for (size_t i = 0; i < ADN_COUNT(overrides); i++) {
        world w = make(overrides[i]);
        adn_cuts c = {.n_block = 77};
        ck_assert_int_eq(adn_cuts_choose(w.conf, &w.data, &w.dev, 0, &c), ADN_OK);
        ck_assert_int_eq(c.n_block, 77);
        ck_assert_str_eq(adn_test_log(), "");
        clear(&w);
    }
    world w = make((const char *[]){"mode=bp", NULL});
    adn_plan plan;
    ck_assert_int_eq(adn_plan_create(w.conf, &w.data, &plan), ADN_OK);
    ck_assert(plan.n_block == 1 && plan.blocks[0].predicted_s == 0);
    adn_plan_clear_all(&plan);
    clear(&w);
}
END_TEST

/* Times that no run measured: what the plan makes of them. */
START_TEST(teams_and_predictions_follow_the_measured_times)
{
    world w = make((const char *[]){"blocks=[{threads: 3}, {}, {}]", NULL});
    int cores[1024], n_core = adn_cores_allowed(cores, (int)ADN_COUNT(cores)), team[3], slowest;
    adn_cuts c = {.n_block = 3, .end = {1, 2, 4}, .seconds = {0.5, 0.25, 0.125}, .n_thread = 2};
    adn_plan plan;

    ck_assert_int_eq(adn_plan_create_cut(w.conf, &w.data, &c, &no_gpu, &plan), ADN_OK);
    adn_teams_share(c.seconds, 3, n_core, team);
    team[0] = 3;
    for (int j = 0; j < 3; j++) {
        ck_assert_int_eq(plan.blocks[j].queue.n_thread, team[j]);
        double expected = j == 0 ? 0.5 : c.seconds[j] * 2 / team[j]; /* given: measured as it is */
        ck_assert_double_eq(plan.blocks[j].predicted_s, expected);
        plan.blocks[j].queue.n_thread = 1 + j;
        plan.blocks[j].predicted_s = j == 1 ? 4 : 3;
    }
    ck_assert_double_eq(adn_plan_predict(&plan, 8, &slowest), 4);
    ck_assert_int_eq(slowest, 1);
    ck_assert_double_eq(adn_plan_predict(&plan, 4, &slowest), (3 + 8 + 9) / 4.0); /* all at work */
    ck_assert_int_eq(slowest, 1);
    for (int j = 0; j < 3; j++) plan.blocks[j].predicted_s = 0;
    ck_assert_double_eq(adn_plan_predict(&plan, 4, NULL), 0);
    adn_plan_clear_all(&plan);
    c = (adn_cuts){.n_block = 3, .end = {1, 3, 4}}; /* as a stored run has them */
    ck_assert_int_eq(adn_plan_create_cut(w.conf, &w.data, &c, &no_gpu, &plan), ADN_OK);
    ck_assert(plan.blocks[1].last_unit == 3 && plan.blocks[0].predicted_s == 0);
    adn_plan_clear_all(&plan);
    c.end[1] = 4;
    ck_assert_int_eq(adn_plan_create_cut(w.conf, &w.data, &c, &no_gpu, &plan), ADN_BADCONF);
    clear(&w);
}
END_TEST

START_TEST(every_failing_call_gives_its_status_and_leaks_nothing)
{
    world w = make((const char *[]){"model.units=[{conv: 4}, {residual: 4}]",
                                    "blocks=[{}, {threads: 2}]", NULL});
    adn_device *dev;
    adn_status st = ADN_DEVICE;
    int64_t n;

    ck_assert_int_eq(adn_faulty_open(w.dev, &dev), ADN_OK);
    int64_t live = adn_alloc_live();
    for (n = 1; st != ADN_OK; n += 1 + n / 8) {
        adn_cuts c = {.n_block = 77};
        adn_faulty_arm(dev, n);
        st = adn_cuts_choose(w.conf, &w.data, &dev, 0, &c);
        ck_assert_msg(st == ADN_OK || (st == ADN_DEVICE && c.n_block == 77), "call %lld: %s",
                      (long long)n, adn_status_name(st));
        ck_assert_int_eq(adn_alloc_live(), live);
    }
    ck_assert_int_gt(n, 300);
    adn_faulty_arm(dev, 0);
    st = ADN_NOMEM;
    for (n = 1; st != ADN_OK; n += 1 + n / 8) {
        adn_cuts c = {.n_block = 77};
        adn_alloc_fail_at(n);
        st = adn_cuts_choose(w.conf, &w.data, &dev, 0, &c);
        adn_alloc_fail_at(0);
        ck_assert_msg(st == ADN_OK || (st == ADN_NOMEM && c.n_block == 77), "allocation %lld: %s",
                      (long long)n, adn_status_name(st));
        ck_assert_int_eq(adn_alloc_live(), live);
    }
    w.dev = dev; /* closes the inner one too */
    clear(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cuts");
    TCase *tc = tcase_create("cuts");
    tcase_add_test(tc, blocks_are_the_entries_given_or_the_cores_that_are_allowed);
    tcase_add_test(tc, the_team_that_is_measured_is_a_blocks_share_of_the_cores);
    tcase_add_test(tc, costs_become_cuts_and_predicted_times);
    tcase_add_test(tc, memory_is_what_lies_at_the_same_time);
    tcase_add_test(tc, what_units_were_weighed_is_about_what_their_blocks_take);
    tcase_add_test(tc, what_an_optimizer_keeps_is_weighed);
    tcase_add_test(tc, a_config_with_auto_gets_blocks_of_measured_times);
    tcase_add_test(tc, devices_that_differ_are_compared);
    tcase_add_test(tc, one_block_is_said_and_nothing_is_measured);
    tcase_add_test(tc, without_auto_or_blocks_nothing_is_chosen);
    tcase_add_test(tc, teams_and_predictions_follow_the_measured_times);
    tcase_add_test(tc, every_failing_call_gives_its_status_and_leaks_nothing);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
