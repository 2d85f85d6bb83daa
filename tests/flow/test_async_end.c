/* The end of `async`: blocks that are done, the last pass, tests that change nothing. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/inside.h"
#include "suite.h"
#include "trial.h"

/* --- the end */

typedef struct ending { /* of each block: its state when it was done, and how often it forwarded */
    trial *x;
    uint64_t hash[N_BLOCK];
    int n_forward[N_BLOCK];
} ending;

/* On the block's own thread, before a step of the training lane. */
static void hash_when_done(void *user, int block)
{
    ending *e = user;
    adn_stage *s = adn_run_stage(e->x->t.run, block);

    if (!adn_run_is_done(e->x->t.run, block) || e->n_forward[block]++ > 0) return;
    ADN_ASSERT(adn_stage_drain(s) == ADN_OK);
    e->hash[block] = tiny_hash(adn_stage_net(s, 0), adn_stage_optim(s, 0));
}

START_TEST(a_block_that_is_done_only_runs_forward)
{
    static const char *const runs[] = {"", "schedule=virtual", "schedule=virtual draw=random"};
    static trial x;

    for (size_t i = 0; i < ADN_COUNT(runs); i++) {
        char text[256];
        ending e = {.x = &x};
        snprintf(text, sizeof(text), "%s chaos.slow[0].block=2 chaos.slow[0].factor=3", runs[i]);
        trial_open(&x, text,
                   &(tiny_options){.jitter = i, .before_step = hash_when_done, .user = &e});
        trial_run(&x);
        model_check(&x.model, &x.t);
        for (int j = 0; j < N_BLOCK; j++) {
            adn_stage *s = adn_run_stage(x.t.run, j);
            ck_assert_int_eq(e.n_forward[j], x.model.blocks[j].forwards);
            if (e.n_forward[j] == 0) continue;
            ck_assert_uint_eq(tiny_hash(adn_stage_net(s, 0), adn_stage_optim(s, 0)), e.hash[j]);
        }
        ck_assert_int_gt(e.n_forward[0], 0);
        trial_close(&x);
    }
}
END_TEST

START_TEST(after_end_stop_forwards_nothing_and_ends_what_lies_behind)
{
    static const char *const runs[] = {"after_end=stop", "after_end=stop schedule=virtual",
                                       "after_end=stop schedule=virtual draw=random"};
    static trial x;

    for (size_t i = 0; i < ADN_COUNT(runs); i++) {
        trial_open(&x, runs[i], &(tiny_options){.jitter = i});
        trial_run(&x);
        model_check(&x.model, &x.t);
        for (int j = 0; j < N_BLOCK; j++) ck_assert_int_eq(x.model.blocks[j].forwards, 0);
        ck_assert_int_eq(x.model.blocks[0].now.samples, 3 * N_TRAIN);
        trial_close(&x);
    }
}
END_TEST

/* What `eval` prints of the last checkpoint is in each block's last row. */
START_TEST(the_last_row_has_the_last_passs_test)
{
    static const char *const runs[] = {
        "", "schedule=virtual", "schedule=virtual draw=random after_end=stop",
        "edge.policy=uniform until=10st", "checkpoint.every=1st after_end=stop"};
    static trial x = {.saves = true};

    for (size_t i = 0; i < ADN_COUNT(runs); i++) {
        adn_ckpt_info info;
        char *path;
        tiny_run again;
        trial_open(&x, runs[i], &(tiny_options){.jitter = i});
        trial_run(&x);
        ck_assert_int_eq(adn_ckpt_newest(x.dir, &info), ADN_OK);
        ck_assert_int_eq(adn_ckpt_path(x.dir, info.name, &path), ADN_OK);
        tiny_open(&again, x.conf, trial_data(), &(tiny_options){.jitter = 0});
        ck_assert_int_eq(adn_run_load(again.run, path, info.step, false), ADN_OK);
        ck_assert_int_eq(adn_run_test(again.run), ADN_OK);
        for (int j = 0; j < N_BLOCK; j++) {
            const adn_epoch_row *was = NULL, *is = &again.rows.rows[j];
            for (int k = 0; k < x.t.rows.n; k++)
                if (x.t.rows.rows[k].block == j) was = &x.t.rows.rows[k];
            ck_assert_int_eq(is->block, j);
            ck_assert_double_eq(was->test_loss, is->test_loss);
            ck_assert_double_eq(was->test_top1, is->test_top1);
        }
        adn_free(path);
        tiny_close(&again);
        trial_close(&x);
    }
}
END_TEST

START_TEST(test_passes_change_no_weights_no_statistics_and_no_replay)
{
    static const char *const draws[] = {"draw=clock", "draw=random"};
    static trial x;

    for (int d = 0; d < 2; d++) {
        uint64_t hash[2];
        adn_edge_stats edges[2][N_BLOCK];
        int64_t n_test[2], n_pass = 0;
        for (int k = 0; k < 2; k++) {
            char text[256];
            snprintf(text, sizeof(text), "schedule=virtual %s eval.every=%s edge.policy=uniform",
                     draws[d], k == 0 ? "1st" : "inf");
            trial_open(&x, text, &(tiny_options){.jitter = 0});
            trial_run(&x);
            hash[k] = tiny_run_hash(&x.t);
            n_pass = x.t.plan.test_steps;
            n_test[k] = x.model.blocks[0].tests;
            for (int j = 0; j < N_BLOCK; j++) edges[k][j] = adn_run_edge(x.t.run, j);
            trial_close(&x);
        }
        ck_assert_int_eq(n_test[1], n_pass); /* the last one alone */
        ck_assert_int_gt(n_test[0], 20);
        ck_assert_uint_eq(hash[0], hash[1]);
        for (int j = 0; j < N_BLOCK; j++) {
            const adn_edge_stats *a = &edges[0][j], *b = &edges[1][j];
            ck_assert(a->pushed == b->pushed && a->pulled == b->pulled && a->reused == b->reused);
            ck_assert(a->dropped == b->dropped && a->ages.sum == b->ages.sum);
            ck_assert_double_eq(a->occupancy_sum, b->occupancy_sum);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("async_end");
    TCase *tc = tcase_create("async_end");
    tcase_add_checked_fixture(tc, trial_setup, trial_teardown);
    tcase_add_test(tc, a_block_that_is_done_only_runs_forward);
    tcase_add_test(tc, after_end_stop_forwards_nothing_and_ends_what_lies_behind);
    tcase_add_test(tc, the_last_row_has_the_last_passs_test);
    tcase_add_test(tc, test_passes_change_no_weights_no_statistics_and_no_replay);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
