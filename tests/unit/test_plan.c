/* From a config and a set's sizes to what will run: blocks, teams, batches, the end, edges, the
 * loader. */
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "core/thread.h"
#include "suite.h"
#include "tiny.h"

static const char *const config =
    "seed: 9\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [crop 1, flip], readers: 3}\n"
    "model: {units: [{conv: 4}, {pool: 2, conv: 6}, {conv: 6}, {residual: 8, stride: 2}]}\n"
    "aux: {kind: linear}\n"
    "edge: {slots: 5}\n";

typedef struct planned {
    adn_config *conf;
    adn_dataset_pair data;
    adn_plan plan;
    adn_status st;
} planned;

/* Overrides separated by semicolons. */
static void try_plan(planned *p, int n_train, int n_test, const char *overrides)
{
    const char *list[8] = {NULL};
    char text[400];
    int n = 0;

    snprintf(text, sizeof(text), "%s", overrides);
    for (char *s = strtok(text, ";"); s != NULL; s = strtok(NULL, ";")) list[n++] = s;
    *p = (planned){.conf = tiny_config(config, list)};
    tiny_data(&p->data, n_train, n_test, 8, 8, 3, 4);
    adn_test_log_clear();
    p->st = adn_plan_create(p->conf, &p->data, &p->plan);
}

static void plan_it(planned *p, int n_train, int n_test, const char *overrides)
{
    try_plan(p, n_train, n_test, overrides);
    ck_assert_msg(p->st == ADN_OK, "%s: %s", overrides, adn_test_log());
}

static void clear(planned *p)
{
    if (p->st == ADN_OK) adn_plan_clear_all(&p->plan);
    tiny_data_clear(&p->data);
    adn_config_free(p->conf);
}

static void check_refused(int n_train, const char *overrides, adn_status expected, const char *says)
{
    planned p;
    int64_t live = adn_alloc_live();
    try_plan(&p, n_train, 4, overrides);
    ck_assert_msg(p.st == expected, "%s: %s", overrides, adn_status_name(p.st));
    ck_assert_msg(strstr(adn_test_log(), says) != NULL, "%s", adn_test_log());
    ck_assert(p.plan.blocks == NULL && p.plan.n_block == 0);
    clear(&p);
    ck_assert_int_eq(adn_alloc_live(), live);
}

START_TEST(blocks_hold_the_units_up_to_their_cuts)
{
    static const struct {
        const char *overrides;
        int n_block, last_unit[4];
    } cases[] = {{"model.cuts=every", 4, {1, 2, 3, 4}},
                 {"model.cuts=[1,3]", 3, {1, 3, 4}},
                 {"model.cuts=[]", 1, {4}},
                 {"model.cuts=[1,3];mode=bp", 1, {4}},
                 {"model.cuts=every;mode=bp", 1, {4}}};

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        planned p;
        plan_it(&p, 32, 8, cases[i].overrides);
        ck_assert_int_eq(p.plan.n_block, cases[i].n_block);
        for (int j = 0; j < p.plan.n_block; j++) {
            const adn_plan_block *b = &p.plan.blocks[j];
            ck_assert_int_eq(b->first_unit, j == 0 ? 1 : cases[i].last_unit[j - 1] + 1);
            ck_assert_int_eq(b->last_unit, cases[i].last_unit[j]);
            ck_assert(b->spec.input_is_u8 == (j == 0));
            ck_assert_mem_eq(b->spec.mean, p.data.mean, sizeof(p.data.mean));
            ck_assert_mem_eq(b->spec.std, p.data.std, sizeof(p.data.std));
        }
        clear(&p);
    }
}
END_TEST

/* The config's own check comes first; a client may have changed what it read. */
START_TEST(cuts_and_blocks_that_do_not_fit_the_net_are_refused)
{
    planned p;
    plan_it(&p, 32, 8, "model.cuts=[1,3];blocks=[{}, {}, {}]");
    adn_plan plan = {0};

    p.conf->model.cuts[1] = 4; /* behind the last unit */
    ck_assert_int_eq(adn_plan_create(p.conf, &p.data, &plan), ADN_BADCONF);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "the last cut may stand after unit 3"));
    p.conf->model.cuts[1] = 0;
    ck_assert_int_eq(adn_plan_create(p.conf, &p.data, &plan), ADN_BADCONF);
    p.conf->model.n_cut = 1;
    ck_assert_int_eq(adn_plan_create(p.conf, &p.data, &plan), ADN_BADCONF);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "3 entries, the cuts make 2 blocks"));
    p.conf->n_block = 1;
    ck_assert_int_eq(adn_plan_create(p.conf, &p.data, &plan), ADN_BADCONF);
    ck_assert(plan.n_block == 0);
    clear(&p);
}
END_TEST

START_TEST(a_block_with_a_head_of_its_own_gets_it)
{
    planned p;
    plan_it(&p, 32, 8,
            "model.cuts=[1,3];aux.label_smoothing=0.1;"
            "blocks=[{}, {aux: {kind: mlp, hidden: 2, label_smoothing: 0.2}}, {}]");
    const adn_layers *l[] = {&p.plan.blocks[0].spec.layers, &p.plan.blocks[1].spec.layers};
    ck_assert_str_eq(l[0]->layer[l[0]->n - 1].name, "aux.0.fc1");
    ck_assert_str_eq(l[1]->layer[l[1]->n - 1].name, "aux.1.fc3");
    static const double smoothing[] = {0.1, 0.2, 0}; /* the classifier's labels are hard */
    for (int j = 0; j < 3; j++)
        ck_assert_double_eq(p.plan.blocks[j].spec.label_smoothing, smoothing[j]);
    clear(&p);
}
END_TEST

START_TEST(a_team_is_what_the_config_says_or_a_share_of_the_cores)
{
    int cores[1024], n = adn_cores_allowed(cores, (int)ADN_COUNT(cores));
    static const struct {
        const char *mode;
        int n_block;
        bool one_by_one;
    } modes[] = {{"sync", 4, false}, {"greedy", 4, true}, {"bp", 1, true}};
    char text[200];
    planned p;

    for (size_t i = 0; i < ADN_COUNT(modes); i++) {
        snprintf(text, sizeof(text), "mode=%s;until=1ep;model.cuts=every", modes[i].mode);
        plan_it(&p, 32, 8, text);
        double cost[4];
        int team[4];
        for (int j = 0; j < modes[i].n_block; j++)
            ck_assert_int_eq(adn_net_spec_macs(&p.plan.blocks[j].spec, &cost[j]), ADN_OK);
        adn_teams_share(cost, modes[i].n_block, n, team);
        for (int j = 0; j < modes[i].n_block; j++) {
            ck_assert_int_eq(p.plan.blocks[j].queue.n_thread, modes[i].one_by_one ? n : team[j]);
            ck_assert_int_eq(p.plan.blocks[j].queue.n_core, 0); /* pinned only where asked to */
        }
        clear(&p);
    }
    snprintf(text, sizeof(text),
             "model.cuts=[1,3];blocks=[{threads: 7}, {device: 'cpu:%d'}, {device: 'cpu:%d', "
             "threads: 2}]",
             cores[n - 1], cores[0]);
    plan_it(&p, 32, 8, text);
    ck_assert_int_eq(p.plan.blocks[0].queue.n_thread, 7);
    ck_assert_int_eq(p.plan.blocks[0].queue.n_core, 0);
    ck_assert_int_eq(p.plan.blocks[1].queue.n_thread, 1); /* its cores */
    ck_assert_int_eq(p.plan.blocks[1].queue.n_core, 1);
    ck_assert_int_eq(p.plan.blocks[1].queue.cores[0], cores[n - 1]);
    ck_assert_int_eq(p.plan.blocks[2].queue.n_thread, 2);
    ck_assert_int_eq(p.plan.blocks[2].queue.cores[0], cores[0]);
    ck_assert_str_eq(p.plan.blocks[2].queue.name, "block2");
    clear(&p);
    snprintf(text, sizeof(text), "mode=bp;blocks=[{device: 'cpu:%d'}]", cores[0]);
    plan_it(&p, 32, 8, text);
    ck_assert_int_eq(p.plan.blocks[0].queue.n_thread, 1); /* though bp takes all that it may */
    clear(&p);
    int run = 1; /* of allowed cores that follow one another */
    while (run < n && cores[run] == cores[0] + run) run++;
    snprintf(text, sizeof(text), "mode=bp;blocks=[{device: 'cpu:%d-%d'}]", cores[0],
             cores[0] + run - 1);
    plan_it(&p, 32, 8, text);
    ck_assert_int_eq(p.plan.blocks[0].queue.n_thread, run);
    ck_assert_int_eq(p.plan.blocks[0].queue.cores[run - 1], cores[run - 1]);
    clear(&p);
    snprintf(text, sizeof(text), "mode=bp;blocks=[{device: 'cpu:%d'}]", cores[n - 1] + 1);
    check_refused(32, text, ADN_DEVICE, "is not one of the");
}
END_TEST

START_TEST(cores_are_shared_out_by_cost_or_taken_in_turns)
{
    static const struct {
        int n_core, n_block;
        double cost[4];
        int team[4];
    } cases[] = {
        {2, 4, {3, 20, 39, 22}, {1, 1, 1, 1}},  /* no block costs more than a core's share */
        {2, 2, {27, 73}, {2, 2}},               /* the second would keep the first waiting */
        {2, 2, {48, 52}, {1, 1}},               /* nearly alike */
        {8, 2, {25, 75}, {2, 6}},               /* in proportion */
        {8, 3, {7, 7, 86}, {1, 1, 6}},          /* at least one; 86 / 6 is bearable */
        {8, 3, {6, 6, 88}, {8, 8, 8}},          /* 88 / 6 is not */
        {3, 2, {62, 38}, {2, 1}},               /* no more than there are */
        {3, 2, {50, 50}, {3, 3}},               /* a core of one's own would leave one idle */
        {5, 3, {40, 40, 20}, {2, 2, 1}},        /* none is left over */
        {6, 3, {22, 22, 56}, {6, 6, 6}},        /* {2, 1, 3}: one of 22 stays alone */
        {4, 4, {60, 14, 13, 13}, {4, 4, 4, 4}}, /* one for each: 60 */
        {1, 2, {10, 90}, {1, 1}},
    };

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        int team[4];
        adn_teams_share(cases[i].cost, cases[i].n_block, cases[i].n_core, team);
        for (int j = 0; j < cases[i].n_block; j++)
            ck_assert_msg(team[j] == cases[i].team[j], "case %zu, block %d: %d threads", i, j,
                          team[j]);
    }
}
END_TEST

START_TEST(teams_fill_the_cores_and_take_no_more_unless_each_takes_all)
{
    for (uint64_t k = 0; k < 2000; k++) {
        adn_draw d = adn_rng_draw(1, ADN_RNG_TEST, 0, k);
        int n_core = 1 + (int)(d.u[0] % 12), n_block = 1 + (int)(d.u[1] % 6);
        int team[6], sum = 0, n_all = 0;
        double cost[6];

        for (int j = 0; j < n_block; j++)
            cost[j] = adn_rng_draw(1, ADN_RNG_TEST, 1 + (uint64_t)j, k).u[0] % 100 + 1;
        adn_teams_share(cost, n_block, n_core, team);
        for (int j = 0; j < n_block; j++) {
            ck_assert_int_ge(team[j], 1);
            sum += team[j];
            n_all += team[j] == n_core;
        }
        ck_assert_msg(n_all == n_block || sum == ADN_MAX(n_core, n_block),
                      "%d blocks on %d cores: %d threads", n_block, n_core, sum);
    }
}
END_TEST

/* Sizes, and the batches that plans are made for: n, and t where it is one of training. */
START_TEST(short_batches_have_plans_and_one_sample_is_left_out)
{
    static const struct {
        int n_train, n_test;
        const char *overrides;
        int epoch_steps, epoch_samples, test_steps, left_out;
        const char *batches;
    } cases[] = {
        {48, 32, "", 3, 48, 2, 0, "16t 16 "},
        {45, 21, "", 3, 45, 2, 0, "16t 13t 16 5 "},
        {45, 21, "data.drop_last=true", 2, 32, 2, 13, "16t 16 5 "},
        {33, 1, "", 2, 32, 1, 1, "16t 16 1 "},
        {33, 1, "data.drop_last=true", 2, 32, 1, 1, "16t 16 1 "}, /* as asked to */
        {5, 3, "", 1, 5, 1, 0, "16t 5t 16 3 "},
        {45, 21, "mode=greedy", 3, 45, 2, 0, "16t 13t 16 5 13 "},
        {45, 29, "mode=greedy", 3, 45, 2, 0, "16t 13t 16 13 "}, /* one plan for both */
        {48, 21, "mode=greedy", 3, 48, 2, 0, "16t 16 5 "},
        /* steps of whole batches in every column; the last test step may leave some idle */
        {48, 32, "replicas=3", 1, 48, 1, 0, "16t 16 "},
        {90, 40, "replicas=2", 2, 64, 2, 26, "16t 16 8 "},
        {90, 65, "replicas=2;mode=async", 2, 64, 3, 26, "16t 16 1 "},
    };

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        planned p;
        char text[100] = "";
        plan_it(&p, cases[i].n_train, cases[i].n_test, cases[i].overrides);
        for (int k = 0; k < p.plan.n_batches; k++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d%s ", p.plan.batches[k].n,
                     p.plan.batches[k].is_training ? "t" : "");
        ck_assert_str_eq(text, cases[i].batches);
        ck_assert_int_eq(p.plan.epoch_steps, cases[i].epoch_steps);
        ck_assert_int_eq(p.plan.epoch_samples, cases[i].epoch_samples);
        ck_assert_int_eq(p.plan.test_steps, cases[i].test_steps);
        ck_assert_int_eq(p.plan.left_out, cases[i].left_out);
        clear(&p);
    }
    check_refused(12, "data.drop_last=true", ADN_BADCONF, "no batch to learn from");
    check_refused(1, "", ADN_BADCONF, "no batch to learn from");
    check_refused(47, "replicas=3", ADN_BADCONF,
                  "16 in each of 3 replicas, and the set has 47 samples: no batch to learn from");
}
END_TEST

START_TEST(the_end_is_a_whole_number_of_steps_or_a_time)
{
    static const struct {
        const char *until;
        int64_t steps;
    } cases[] = {{"until=2ep", 6}, {"until=0.5ep", 2}, {"until=0.4ep", 1},
                 {"until=7st", 7}, {"until=1.5ep", 5}, {"until=2min", -1}};

    for (size_t i = 0; i < ADN_COUNT(cases); i++) { /* three steps an epoch */
        planned p;
        plan_it(&p, 48, 8, cases[i].until);
        ck_assert_int_eq(p.plan.until_steps, cases[i].steps);
        ck_assert_double_eq(p.plan.until_s, cases[i].steps < 0 ? 120 : 0);
        clear(&p);
    }
    check_refused(48, "until=0.1ep", ADN_BADCONF, "less than one step");
    check_refused(48, "until=2min;mode=greedy", ADN_BADCONF, "greedy needs epochs or steps");
}
END_TEST

START_TEST(edges_carry_pixels_to_the_first_block_and_then_what_is_emitted)
{
    planned p;
    plan_it(&p, 32, 8, "model.cuts=[1,3]");
    static const adn_shape shapes[] = {{16, 8, 8, 3}, {16, 4, 4, 4}, {16, 4, 4, 6}};

    for (int j = 0; j < 3; j++) { /* the pool that opens unit 2 is run by block 0 */
        adn_edge_conf e = adn_plan_edge(&p.plan, j);
        ck_assert_mem_eq(&e.shape, &shapes[j], sizeof(shapes[j]));
        ck_assert_int_eq(e.type, j == 0 ? ADN_U8 : ADN_F32);
        ck_assert_int_eq(e.n_slot[ADN_LANE_TRAIN],
                         j == 0 ? 2 : 5); /* the loader runs ahead itself */
        ck_assert_int_eq(e.n_slot[ADN_LANE_TEST], 2);
        ck_assert_int_eq(e.n_column, 1);
    }
    clear(&p);
    plan_it(&p, 32, 8, "edge.slots=1");
    ck_assert_int_eq(adn_plan_edge(&p.plan, 0).n_slot[ADN_LANE_TEST], 1);
    clear(&p);
}
END_TEST

START_TEST(a_loader_begins_at_its_step_and_a_test_is_plain_and_whole)
{
    planned p;
    plan_it(&p, 45, 21, "data.drop_last=true"); /* two steps an epoch */
    adn_loader_conf train = adn_plan_loader(&p.plan, &p.data, false, 5),
                    test = adn_plan_loader(&p.plan, &p.data, true, 0);

    ck_assert(train.set == &p.data.train && test.set == &p.data.test);
    ck_assert(train.n_augment == 2 && test.n_augment == 0);
    ck_assert(train.drop_last && !test.drop_last);
    ck_assert(!train.is_ordered && test.is_ordered);
    ck_assert(train.epoch == 3 && train.first_batch == 1);
    ck_assert(test.epoch == 1 && test.first_batch == 0);
    ck_assert(train.seed == 9 && train.batch == 16 && test.batch == 16);
    ck_assert(train.mean == p.data.mean && train.augment == p.conf->data.augment);
    ck_assert(train.n_thread == 3 && test.n_thread == 3);
    clear(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tc = tcase_create("plan");
    tcase_add_test(tc, blocks_hold_the_units_up_to_their_cuts);
    tcase_add_test(tc, cuts_and_blocks_that_do_not_fit_the_net_are_refused);
    tcase_add_test(tc, a_block_with_a_head_of_its_own_gets_it);
    tcase_add_test(tc, a_team_is_what_the_config_says_or_a_share_of_the_cores);
    tcase_add_test(tc, cores_are_shared_out_by_cost_or_taken_in_turns);
    tcase_add_test(tc, teams_fill_the_cores_and_take_no_more_unless_each_takes_all);
    tcase_add_test(tc, short_batches_have_plans_and_one_sample_is_left_out);
    tcase_add_test(tc, the_end_is_a_whole_number_of_steps_or_a_time);
    tcase_add_test(tc, edges_carry_pixels_to_the_first_block_and_then_what_is_emitted);
    tcase_add_test(tc, a_loader_begins_at_its_step_and_a_test_is_plain_and_whole);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
