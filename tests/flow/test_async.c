/* `async` against a set of what each block has learned (support/order_model): clocks, epochs,
 * re-reads, what is emitted, running statistics. On threads with delays and in modelled time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/hash.h"
#include "pipeline/inside.h"
#include "store/store.h"
#include "suite.h"
#include "trial.h"

/* Runs, compares with the model; how many updates were re-reads. */
static int64_t as_modelled(const char *overrides, uint64_t jitter)
{
    static trial x;
    int64_t n = 0;

    trial_open(&x, overrides, &(tiny_options){.jitter = jitter});
    trial_run(&x);
    model_check(&x.model, &x.t);
    for (int j = 0; j < N_BLOCK; j++) {
        const model_block *b = &x.model.blocks[j];
        ck_assert_int_eq(tiny_row(&x.t.rows, j, b->n_epoch + 1) != NULL,
                         b->now.steps > b->ends[b->n_epoch].steps);
        n += b->now.rereads;
    }
    trial_close(&x);
    return n;
}

static const char *const rereading[] = {
    "edge.policy=priority-lifo chaos.slow[0].block=0 chaos.slow[0].factor=2",
    "edge.policy=uniform chaos.slow[0].block=0 chaos.slow[0].factor=2",
    "edge.policy=latest chaos.slow[0].block=1 chaos.slow[0].factor=2",
    "edge.policy=lifo edge.slots=1 chaos.slow[0].block=2 chaos.slow[0].factor=2",
    "edge.policy=priority-lifo-paper data.drop_last=true",
    "edge.policy=uniform edge.when_full=block edge.max_reuse=3",
};

static void clocks_are_as_modelled(const char *more)
{
    int64_t n = 0;
    for (size_t i = 0; i < ADN_COUNT(rereading); i++) {
        char text[256];
        snprintf(text, sizeof(text), "%s %s", rereading[i], more);
        n += as_modelled(text, i + 1);
    }
    ck_assert_int_gt(n, 0);
}

START_TEST(the_fresh_clock_counts_no_batch_twice_on_threads)
{
    clocks_are_as_modelled("");
}
END_TEST

START_TEST(the_fresh_clock_counts_no_batch_twice_in_modelled_time)
{
    clocks_are_as_modelled("schedule=virtual");
    clocks_are_as_modelled("schedule=virtual draw=random");
}
END_TEST

START_TEST(own_steps_counts_every_update)
{
    clocks_are_as_modelled("clock=own_steps");
    clocks_are_as_modelled("clock=own_steps schedule=virtual");
    clocks_are_as_modelled("clock=own_steps schedule=virtual draw=random");
}
END_TEST

START_TEST(an_unfinished_last_epoch_has_rows_and_a_test)
{
    static const char *const ends[] = {"until=8st", "until=8st schedule=virtual",
                                       "until=1.4ep schedule=virtual draw=random"};
    static trial x;

    for (size_t i = 0; i < ADN_COUNT(ends); i++) {
        trial_open(&x, ends[i], &(tiny_options){.jitter = i});
        trial_run(&x);
        model_check(&x.model, &x.t);
        ck_assert_int_eq(x.t.rows.n, 2 * N_BLOCK);
        for (int j = 0; j < N_BLOCK; j++) {
            const adn_epoch_row *r = tiny_row(&x.t.rows, j, 2);
            ck_assert(isfinite(r->test_loss) && isfinite(r->train_loss));
        }
        trial_close(&x);
    }
}
END_TEST

/* Each block's rate is that of its own epoch, whatever the others have reached. */
START_TEST(the_learning_rate_follows_the_blocks_own_clock)
{
    static const char *const runs[] = {"", "schedule=virtual", "clock=own_steps schedule=virtual"};
    static trial x;

    for (size_t i = 0; i < ADN_COUNT(runs); i++) {
        char text[256];
        snprintf(text, sizeof(text), "%s chaos.slow[0].block=2 chaos.slow[0].factor=3", runs[i]);
        trial_open(&x, text, &(tiny_options){.jitter = i});
        trial_run(&x);
        for (int j = 0; j < N_BLOCK; j++)
            for (int e = 1; e <= 3; e++)
                ck_assert_double_eq(tiny_row(&x.t.rows, j, e)->lr, 0.05 * pow(0.5, e - 1));
        trial_close(&x);
    }
}
END_TEST

/* --- what is emitted */

START_TEST(every_update_emits_or_fresh_ones_alone)
{
    static const char *const runs[] = {"", "schedule=virtual", "schedule=virtual draw=random"};
    static trial x;

    for (size_t i = 0; i < 2 * ADN_COUNT(runs); i++) {
        char text[256];
        bool is_fresh = i % 2 == 1;
        int64_t n_reread = 0;
        snprintf(text, sizeof(text),
                 "%s edge.emit=%s until=6ep chaos.slow[0].block=0 chaos.slow[0].factor=3",
                 runs[i / 2], is_fresh ? "fresh" : "every");
        trial_open(&x, text, &(tiny_options){.jitter = i});
        trial_run(&x);
        model_check(&x.model, &x.t);
        for (int j = 0; j < N_BLOCK - 1; j++) {
            const model_block *b = &x.model.blocks[j];
            ck_assert_int_eq(b->silent_fresh, 0);
            ck_assert_int_eq(is_fresh ? b->emits_reread : b->silent_reread, 0);
            n_reread += b->emits_reread + b->silent_reread;
        }
        ck_assert_int_gt(n_reread, 0);
        trial_close(&x);
    }
}
END_TEST

/* --- running statistics */

static uint64_t hash_of_stats(adn_net *net)
{
    uint64_t h = ADN_HASH_OF_NOTHING;
    double values[64];

    for (int i = 0; i < adn_net_n_tensor(net); i++) {
        const adn_tensor *t = adn_net_tensor(net, i);
        if (!t->is_stat) continue;
        ck_assert_uint_le(t->count, ADN_COUNT(values));
        ck_assert_int_eq(adn_net_export(net, i, adn_net_params(net), values), ADN_OK);
        h = adn_hash_on(h, values, t->count * sizeof(*values));
    }
    return h;
}

/* The same slot twice, then forward: by hand, without a decider. */
static void read_twice(const char *overrides, bool moves)
{
    static trial x;

    trial_open(&x, overrides, &(tiny_options){.jitter = 0});
    adn_slot *slot = adn_edge_slot(x.t.run->edges[0], ADN_LANE_TRAIN, 0);
    adn_stage *s = adn_run_stage(x.t.run, 0);
    adn_net *net = adn_stage_net(s, 0);
    adn_order_step source = {-1, -1, 0, ADN_ACT_FORWARD, 0, 0};
    uint64_t before = hash_of_stats(net), after[3], weights[3];
    ck_assert_int_eq(adn_source_replay(&x.t.run->source, &source, slot), ADN_OK);
    for (int k = 0; k < 3; k++) {
        adn_stage_act act = k < 2 ? ADN_ACT_LEARN : ADN_ACT_FORWARD;
        ck_assert_int_eq(adn_stage_is_fresh(s, slot), k == 0);
        ck_assert_int_eq(x.t.devs[0]->ops->event_wait(adn_stage_queues(s)[0], slot->written),
                         ADN_OK);
        ck_assert_int_eq(adn_stage_step(s, slot, NULL, act), ADN_OK);
        ck_assert_int_eq(adn_stage_drain(s), ADN_OK);
        after[k] = hash_of_stats(net);
        weights[k] = tiny_hash(net, adn_stage_optim(s, 0));
    }
    ck_assert_uint_ne(before, after[0]);
    ck_assert_int_eq(after[0] != after[1], moves);
    ck_assert_uint_eq(after[1], after[2]);
    ck_assert_uint_ne(weights[0], weights[1]); /* a re-read is an update */
    ck_assert_uint_eq(weights[1], weights[2]);
    trial_close(&x);
}

START_TEST(a_reread_batch_moves_the_statistics_under_every_and_not_under_once)
{
    read_twice("model.bn_reuse=once", false);
    read_twice("model.bn_reuse=every", true);
    read_twice("model.bn_reuse=once clock=own_steps", false);
}
END_TEST

/* What PyTorch's file says of a block's first batch norm. */
static int64_t tracked(const char *dir, int block)
{
    char *path = adn_format("%s/ckpt/last/block%d.safetensors", dir, block);
    adn_st_file f;
    int64_t n = -1;

    ck_assert_int_eq(adn_st_read(path, &f), ADN_OK);
    for (int i = 0; i < f.n_tensor; i++)
        if (strstr(f.tensors[i].name, ".num_batches_tracked") != NULL)
            n = ((const int64_t *)f.tensors[i].data)[0];
    adn_st_clear(&f);
    adn_free(path);
    return n;
}

START_TEST(num_batches_tracked_counts_what_moved_the_statistics)
{
    static const char *const clocks[] = {"clock=fresh", "clock=own_steps"};
    static trial x = {.saves = true};

    for (int i = 0; i < 4; i++) {
        char text[256];
        bool every = i % 2 == 1;
        snprintf(text, sizeof(text), "model.bn_reuse=%s %s chaos.slow[0].block=0 %s",
                 every ? "every" : "once", clocks[i / 2], "chaos.slow[0].factor=2");
        trial_open(&x, text, &(tiny_options){.jitter = 5});
        trial_run(&x);
        for (int j = 0; j < N_BLOCK; j++) {
            const model_block *b = &x.model.blocks[j];
            ck_assert_int_eq(tracked(x.dir, j), every ? b->updates : b->updates - b->now.rereads);
        }
        trial_close(&x);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("async");
    TCase *tc = tcase_create("async");
    tcase_add_checked_fixture(tc, trial_setup, trial_teardown);
    tcase_add_test(tc, the_fresh_clock_counts_no_batch_twice_on_threads);
    tcase_add_test(tc, the_fresh_clock_counts_no_batch_twice_in_modelled_time);
    tcase_add_test(tc, own_steps_counts_every_update);
    tcase_add_test(tc, an_unfinished_last_epoch_has_rows_and_a_test);
    tcase_add_test(tc, the_learning_rate_follows_the_blocks_own_clock);
    tcase_add_test(tc, every_update_emits_or_fresh_ones_alone);
    tcase_add_test(tc, a_reread_batch_moves_the_statistics_under_every_and_not_under_once);
    tcase_add_test(tc, num_batches_tracked_counts_what_moved_the_statistics);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
