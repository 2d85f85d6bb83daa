/* Modelled time, exact on cases that are done on paper: blocks in a row, a slow one, links. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const three_blocks =
    "seed: 3\n"
    "mode: async\n"
    "schedule: virtual\n"
    "until: 2ep\n"
    "after_end: stop\n"
    "data: {name: cifar10, root: nowhere, batch: 4}\n"
    "model: {units: [{conv: 4}, {conv: 4}, {residual: 4}], cuts: every}\n"
    "aux: {kind: linear}\n"
    "classifier: {hidden: 0}\n"
    "edge: {slots: 2}\n"
    "optim: {lr: 0.05, schedule: {kind: constant}}\n";

enum { N_BLOCK = 3, PATIENCE_S = 120, MAX_BEGIN = 4096 };

static adn_dataset_pair data;

static void setup(void)
{
    tiny_data(&data, 24, 4, 4, 4, 3, 2); /* 6 steps an epoch */
    alarm(PATIENCE_S);                   /* a hang ends the program */
}

static void teardown(void)
{
    tiny_data_clear(&data);
    alarm(0);
}

typedef struct trial {
    adn_config *conf;
    tiny_run t;
    double begins_s[N_BLOCK][MAX_BEGIN]; /* of each training step */
    int n[N_BLOCK];
    double end_s; /* of the run */
} trial;

static trial x;

static void note_begin(void *user, int block)
{
    (void)user;
    ck_assert_int_lt(x.n[block], MAX_BEGIN);
    x.begins_s[block][x.n[block]++] = adn_run_seconds(x.t.run);
}

static void open_trial(const char *overrides)
{
    memset(&x, 0, sizeof(x));
    x.conf = tiny_config_of(three_blocks, overrides);
    tiny_open(&x.t, x.conf, &data, &(tiny_options){.before_step = note_begin});
}

static void close_trial(void)
{
    tiny_close(&x.t);
    adn_config_free(x.conf);
}

static void run_trial(const char *overrides)
{
    open_trial(overrides);
    ck_assert_int_eq(adn_run_train(x.t.run), ADN_OK);
    x.end_s = adn_run_seconds(x.t.run);
}

static void ck_time(double a, double b)
{
    ck_assert_double_eq_tol(a, b, 1e-9);
}

static double seconds_of(int block, int epoch)
{
    return tiny_row(&x.t.rows, block, epoch)->seconds;
}

/* Block j begins when block j - 1 has made its first step: a second later. */
START_TEST(equal_blocks_run_side_by_side_a_step_apart)
{
    run_trial("");
    ck_time(x.end_s, 2 * 6 + 2);
    for (int j = 0; j < N_BLOCK; j++) {
        adn_edge_stats e = adn_run_edge(x.t.run, j);
        ck_assert_int_eq(x.n[j], 12);
        for (int k = 0; k < 12; k++) ck_time(x.begins_s[j][k], j + k);
        for (int epoch = 1; epoch <= 2; epoch++) ck_time(seconds_of(j, epoch), 6);
        ck_assert(e.pulled == 12 && e.reused == 0 && e.dropped == 0);
        ck_assert(j == 0 || e.pushed == 12); /* the loader runs ahead */
        ck_time(e.wait_in_s, j);             /* for the first batch */
    }
    close_trial();
}
END_TEST

START_TEST(a_slow_block_holds_up_who_waits_for_it)
{
    run_trial("edge.policy=fifo edge.when_full=block chaos.slow[0].block=1 chaos.slow[0].factor=3");
    ck_time(x.end_s, 1 + 12 * 3 + 1);
    for (int k = 0; k < 12; k++) {
        ck_time(x.begins_s[1][k], 1 + 3 * k);
        ck_time(x.begins_s[2][k], 4 + 3 * k);
    }
    ck_time(seconds_of(1, 1), 18);
    ck_time(seconds_of(2, 1), 16);
    ck_time(adn_run_edge(x.t.run, 2).wait_in_s, 4 + 11 * 2);
    close_trial();
}
END_TEST

/* Block 0 never waits; block 1 learns from the newest batch each time; the end is that of the step
 * which block 1 is in when block 2 is done. */
START_TEST(a_slow_block_that_drops_holds_nobody_up)
{
    run_trial("edge.max_reuse=1 after_end=eval_forward chaos.slow[0].block=1 "
              "chaos.slow[0].factor=3 edge.slots=1");
    ck_time(x.end_s, 40);
    for (int k = 0; k < x.n[0]; k++) ck_time(x.begins_s[0][k], k);
    for (int k = 0; k < 13; k++) ck_time(x.begins_s[1][k], 1 + 3 * k);
    for (int k = 0; k < 12; k++) ck_time(x.begins_s[2][k], 4 + 3 * k);
    adn_edge_stats e = adn_run_edge(x.t.run, 1);
    ck_assert_int_eq(e.pushed, 38);
    ck_assert_int_eq(e.pulled, 13);
    ck_assert_int_eq(e.dropped, 38 - 13 - 1); /* one is left */
    ck_assert_int_eq(e.ages.max, 0);
    close_trial();
}
END_TEST

START_TEST(a_blocks_step_lasts_as_its_multiply_adds_say)
{
    double macs[N_BLOCK], sum = 0;

    run_trial("chaos.cost=macs chaos.step=2s edge.policy=fifo chaos.slow[0].block=2 "
              "chaos.slow[0].factor=0.5");
    for (int j = 0; j < N_BLOCK; j++) {
        ck_assert_int_eq(adn_net_spec_macs(&x.t.plan.blocks[j].spec, &macs[j]), ADN_OK);
        sum += macs[j];
    }
    ck_assert_double_ne(macs[0], macs[2]);
    for (int j = 0; j < N_BLOCK; j++)
        ck_time(x.t.plan.blocks[j].step_s, 2 * 3 * macs[j] / sum * (j == 2 ? 0.5 : 1));
    ck_time(x.begins_s[0][1], 2 * 3 * macs[0] / sum);
    close_trial();
}
END_TEST

/* --- links */

START_TEST(a_delay_moves_what_lies_behind_and_slows_nothing)
{
    static const char *const policies[] = {"edge.policy=fifo edge.when_full=block",
                                           "edge.policy=priority-lifo edge.max_reuse=1",
                                           "edge.policy=latest edge.max_reuse=1 edge.slots=1"};
    for (size_t i = 0; i < ADN_COUNT(policies); i++) {
        char text[200];
        snprintf(text, sizeof(text), "%s chaos.link[0].edge=1 chaos.link[0].delay=2500ms",
                 policies[i]);
        run_trial(text);
        ck_time(x.end_s, 1 + 2.5 + 12 + 1);
        for (int k = 0; k < 12; k++) {
            ck_time(x.begins_s[0][k], k);
            ck_time(x.begins_s[1][k], 3.5 + k);
        }
        ck_assert_int_eq(adn_run_edge(x.t.run, 1).dropped, 0);
        close_trial();
    }
}
END_TEST

/* Batch k + 1 is there T after batch k. Two fit: the producer begins when the one before last is
 * through. */
START_TEST(bandwidth_sends_one_batch_after_another)
{
    run_trial("edge.policy=fifo edge.slots=8 chaos.link[0].edge=1 chaos.link[0].bandwidth=6kb/s");
    double t = adn_plan_transfer_s(&x.t.plan, 1);
    ck_assert(t > 1.2 && t < 1.8); /* a step does not divide it */
    ck_time(t, 8 * (double)(adn_run_edge(x.t.run, 1).bytes / 12) / 6e3);
    ck_time(x.begins_s[0][0], 0);
    ck_time(x.begins_s[0][1], 1);
    for (int k = 2; k < 12; k++) ck_time(x.begins_s[0][k], 1 + (k - 1) * t);
    for (int k = 0; k < 12; k++) ck_time(x.begins_s[1][k], 1 + (k + 1) * t);
    ck_time(x.end_s, 3 + 12 * t);
    close_trial();
}
END_TEST

/* What finds the link full is lost there, and nobody waits. */
START_TEST(a_full_link_loses_what_a_producer_that_drops_sends)
{
    run_trial("after_end=eval_forward edge.max_reuse=1 chaos.link[0].edge=1 "
              "chaos.link[0].bandwidth=2kb/s");
    adn_edge_stats e = adn_run_edge(x.t.run, 1);
    double t = adn_plan_transfer_s(&x.t.plan, 1);
    for (int k = 0; k < x.n[0]; k++) ck_time(x.begins_s[0][k], k);
    for (int k = 0; k < 12; k++) ck_time(x.begins_s[1][k], 1 + (k + 1) * t);
    ck_assert_int_gt(e.lost, x.n[0] / 2);
    ck_assert_int_eq(e.lost + e.pushed, x.n[0]);
    close_trial();
}
END_TEST

START_TEST(a_link_that_loses_all_brings_nothing)
{
    run_trial("chaos.link[0].edge=1 chaos.link[0].loss=1");
    adn_edge_stats e = adn_run_edge(x.t.run, 1);
    ck_assert(e.lost == 12 && e.pushed == 0 && e.pulled == 0 && e.bytes == 0);
    ck_assert_int_eq(x.n[1], 0);
    close_trial();
    run_trial("after_end=eval_forward until=9s chaos.link[0].edge=2 chaos.link[0].loss=1");
    ck_assert_int_eq(adn_run_edge(x.t.run, 2).lost, x.n[1]);
    ck_time(x.end_s, 9);
    close_trial();
}
END_TEST

/* Not the same draw again and again, not even of a block that is done and only passes batches on.
 */
START_TEST(a_link_that_loses_half_loses_half_and_the_run_ends)
{
    int64_t n_sent = 0, n_lost = 0;

    for (int seed = 1; seed <= 4; seed++) {
        char text[200];
        snprintf(text, sizeof(text),
                 "seed=%d until=10ep after_end=eval_forward edge.max_reuse=1 "
                 "chaos.link[0].edge=1 chaos.link[0].loss=0.5",
                 seed);
        run_trial(text);
        adn_edge_stats e = adn_run_edge(x.t.run, 1);
        ck_assert_int_eq(e.lost + e.pushed, x.n[0]);
        ck_assert_int_gt(x.n[0], 60 + 20); /* most of what block 1 still lacks, block 0 forwards */
        n_lost += e.lost;
        n_sent += x.n[0];
        int64_t n_row = 0;
        for (int i = 0; i < x.t.edge_rows.n; i++)
            if (x.t.edge_rows.rows[i].edge == 1) n_row += x.t.edge_rows.rows[i].lost;
        ck_assert_int_eq(n_row, e.lost);
        close_trial();
    }
    ck_assert_double_le(fabs((double)n_lost - 0.5 * (double)n_sent),
                        3 * sqrt(0.25 * (double)n_sent));
}
END_TEST

/* --- spread */

START_TEST(spread_stays_in_its_range_and_fills_it)
{
    double lo = 9, hi = 0, lo_done = 9, hi_done = 0;

    run_trial("until=10ep after_end=eval_forward chaos.spread=0.4 chaos.slow[0].block=2 "
              "chaos.slow[0].factor=2 edge.max_reuse=1");
    for (int k = 0; k + 1 < x.n[0]; k++) {
        double s = x.begins_s[0][k + 1] - x.begins_s[0][k];
        bool is_done = k >= 60;
        ck_assert_double_ge(s, 0.6 - 1e-9);
        ck_assert_double_le(s, 1.4 + 1e-9);
        *(is_done ? &lo_done : &lo) = fmin(is_done ? lo_done : lo, s);
        *(is_done ? &hi_done : &hi) = fmax(is_done ? hi_done : hi, s);
    }
    ck_assert(lo < 0.7 && hi > 1.3);
    ck_assert(lo_done < 0.7 && hi_done > 1.3);
    close_trial();
}
END_TEST

/* --- until, in seconds */

START_TEST(modelled_seconds_end_the_run_and_its_learning_rate)
{
    static const char *const draws[] = {"linear", "cosine"};
    const double pi = 3.141592653589793;

    for (int i = 0; i < 2; i++) {
        char text[200];
        snprintf(text, sizeof(text), "until=9s optim.schedule.kind=%s", draws[i]);
        run_trial(text);
        ck_time(x.end_s, 9);
        for (int j = 0; j < N_BLOCK; j++) {
            ck_assert_int_eq(x.n[j], 9 - j);
            double last[3] = {0, 5 + j, 8}; /* where each epoch's last step begins */
            for (int e = 1; e <= 2; e++) {
                double share = last[e] / 9, lr = i == 0 ? 1 - share : (1 + cos(pi * share)) / 2;
                ck_assert_double_eq_tol(tiny_row(&x.t.rows, j, e)->lr, 0.05 * lr, 1e-12);
            }
        }
        close_trial();
    }
}
END_TEST

/* --- no way on */

START_TEST(a_run_that_can_never_go_on_says_who_waits_for_whom)
{
    static const char *const draws[] = {"draw=clock", "draw=random"};

    for (int i = 0; i < 2; i++) {
        char text[200];
        adn_slot *slot;
        snprintf(text, sizeof(text), "edge.policy=fifo edge.slots=1 %s", draws[i]);
        open_trial(text);
        adn_edge *e = x.t.run->edges[1]; /* its one slot is held, and never committed */
        ck_assert_int_eq(adn_edge_acquire(e, ADN_LANE_TRAIN, &x.t.run->queue, &slot), ADN_OK);
        adn_test_log_clear();
        ck_assert_int_eq(adn_run_train(x.t.run), ADN_FAILED);
        ck_assert_ptr_nonnull(strstr(adn_test_log(), "no block can go on at "));
        ck_assert_ptr_nonnull(
            strstr(adn_test_log(), "block 0 waits for a slot that block 1 frees"));
        ck_assert_ptr_nonnull(strstr(adn_test_log(), "block 1 waits for a batch from block 0"));
        close_trial();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("virtual");
    TCase *tc = tcase_create("virtual");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, equal_blocks_run_side_by_side_a_step_apart);
    tcase_add_test(tc, a_slow_block_holds_up_who_waits_for_it);
    tcase_add_test(tc, a_slow_block_that_drops_holds_nobody_up);
    tcase_add_test(tc, a_blocks_step_lasts_as_its_multiply_adds_say);
    tcase_add_test(tc, a_delay_moves_what_lies_behind_and_slows_nothing);
    tcase_add_test(tc, bandwidth_sends_one_batch_after_another);
    tcase_add_test(tc, a_full_link_loses_what_a_producer_that_drops_sends);
    tcase_add_test(tc, a_link_that_loses_all_brings_nothing);
    tcase_add_test(tc, a_link_that_loses_half_loses_half_and_the_run_ends);
    tcase_add_test(tc, spread_stays_in_its_range_and_fills_it);
    tcase_add_test(tc, modelled_seconds_end_the_run_and_its_learning_rate);
    tcase_add_test(tc, a_run_that_can_never_go_on_says_who_waits_for_whom);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
