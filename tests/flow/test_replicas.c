/* Replicas: copies of every block that learn from batches of their own and average their gradients.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "devices.h"
#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const two_blocks =
    "seed: 4\n"
    "until: 2ep\n"
    "data: {name: cifar10, root: nowhere, batch: 8, augment: [crop 1, flip]}\n"
    "model: {units: [{conv: 6}, {pool: 2, conv: 8}], cuts: every}\n"
    "aux: {kind: mlp-sr, conv: 1, hidden: 1}\n"
    "classifier: {hidden: 1}\n"
    "edge: {slots: 2}\n"
    "replicas: 2\n"
    "optim: {lr: 0.05, momentum: 0.9, weight_decay: 1e-3, no_decay: [bias, norm],"
    " schedule: {kind: cosine}}\n"
    "checkpoint: {every: 1ep, keep: {last: 3, best: 0}}\n";

enum { N_TRAIN = 90, N_TEST = 45, BATCH = 8 };

static adn_dataset_pair data;

static void setup(void)
{
    tiny_data(&data, N_TRAIN, N_TEST, 8, 8, 3, 4);
}

static void teardown(void)
{
    tiny_data_clear(&data);
}

/* Copies are on GPUs of their own. */
static bool has_room(int n_copy)
{
    if (!devices_are_gpus() || devices_count() >= n_copy) return true;
    adn_test_skip("%d GPUs: %d replicas need as many", devices_count(), n_copy);
    return false;
}

static void check_copies(tiny_run *t)
{
    for (int j = 0; j < t->plan.n_block; j++) {
        adn_stage *s = adn_run_stage(t->run, j);
        uint64_t first = tiny_hash(adn_stage_net(s, 0), adn_stage_optim(s, 0));
        for (int k = 1; k < adn_stage_n_copy(s); k++)
            ck_assert_msg(tiny_hash(adn_stage_net(s, k), adn_stage_optim(s, k)) == first,
                          "block %d: copy %d has other weights than the first", j, k);
    }
}

/* Trains; the copies are the same to the bit. Returns the hash of all weights. */
static uint64_t train(const char *overrides, const tiny_options *o, tiny_rows *rows)
{
    adn_config *conf = tiny_config_of(two_blocks, overrides);
    tiny_run t;

    tiny_open(&t, conf, &data, o);
    ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
    check_copies(&t);
    uint64_t hash = tiny_run_hash(&t);
    if (rows != NULL) *rows = t.rows;
    tiny_close(&t);
    adn_config_free(conf);
    return hash;
}

/* --- runs */

START_TEST(copies_stay_the_same_and_sync_is_deterministic)
{
    static const char *const runs[] = {"mode=sync", "mode=bp", "mode=greedy",
                                       "mode=sync precision=bf16",
                                       "mode=sync optim.name=adamw optim.lr=0.01"};

    if (!has_room(2)) return;
    for (size_t i = 0; i < ADN_COUNT(runs); i++) {
        uint64_t hash = train(runs[i], &(tiny_options){0}, NULL);
        tiny_options other = {.jitter = 5 + i, .bucket_bytes = 400};
        ck_assert_msg(train(runs[i], &other, NULL) == hash,
                      "%s: delays, or smaller buckets, give other weights", runs[i]);
    }
}
END_TEST

START_TEST(async_runs_with_every_policy_end_by_themselves)
{
    static const char *const policies[] = {
        "fifo", "latest", "lifo", "priority-lifo", "priority-lifo-paper", "uniform"};
    static const char *const more[] = {
        "", "edge.when_full=block after_end=stop",
        "clock=own_steps chaos.slow[0].block=0 chaos.slow[0].factor=2",
        "replicas=3 chaos.slow[0].block=1 chaos.slow[0].factor=2"};
    char text[256];

    for (size_t i = 0; i < ADN_COUNT(policies); i++)
        for (size_t k = 0; k < ADN_COUNT(more); k++) {
            static tiny_rows rows;
            if (!has_room(strstr(more[k], "replicas=3") != NULL ? 3 : 2)) continue;
            snprintf(text, sizeof(text), "mode=async edge.policy=%s %s", policies[i], more[k]);
            train(text, &(tiny_options){.jitter = 1 + i, .bucket_bytes = 1000}, &rows);
            ck_assert_ptr_nonnull(tiny_row(&rows, 1, 2));
            ck_assert_double_ge(tiny_row(&rows, 1, 2)->test_top1, 0);
        }
}
END_TEST

START_TEST(the_virtual_schedule_has_columns_too)
{
    if (devices_are_gpus()) return; /* refused: one queue, one device */
    static const char *const draws[] = {"clock", "random"};
    for (size_t i = 0; i < ADN_COUNT(draws); i++) {
        char text[128];
        snprintf(text, sizeof(text), "mode=async schedule=virtual draw=%s", draws[i]);
        uint64_t hash = train(text, &(tiny_options){0}, NULL);
        ck_assert_uint_eq(train(text, &(tiny_options){0}, NULL), hash);
    }
}
END_TEST

/* --- shares */

typedef struct shares {
    tiny_run *t;
    int seen[N_TRAIN]; /* by block 0, in the open epoch */
    int n_step;
} shares;

/* On block 0's thread, before it learns. */
static void count_samples(void *user, int block)
{
    shares *s = user;
    int n_part = 0;

    if (block != 0) return;
    if (s->n_step++ % s->t->plan.epoch_steps == 0) memset(s->seen, 0, sizeof(s->seen));
    const adn_slot *in = s->t->run->workers[0].in;
    for (; in != NULL; in = in->beside, n_part++) {
        ADN_ASSERT(in->n_valid == BATCH);
        for (int i = 0; i < in->n_valid; i++) ADN_ASSERT(s->seen[in->samples[i]]++ == 0);
    }
    ADN_ASSERT(n_part == s->t->plan.n_column);
}

START_TEST(each_column_has_its_own_share_of_an_epoch)
{
    for (int n = 2; n <= 3; n++) {
        char text[64];
        tiny_run t;
        shares s = {.t = &t};
        if (!has_room(n)) return;
        snprintf(text, sizeof(text), "mode=sync replicas=%d", n);
        adn_config *conf = tiny_config_of(two_blocks, text);
        tiny_open(&t, conf, &data, &(tiny_options){.before_step = count_samples, .user = &s});
        ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
        int n_seen = 0;
        for (int i = 0; i < N_TRAIN; i++) n_seen += s.seen[i];
        ck_assert_int_eq(n_seen, t.plan.epoch_samples);
        ck_assert_int_eq(s.n_step, 2 * t.plan.epoch_steps);
        ck_assert_int_eq(tiny_row(&t.rows, 0, 2)->samples, 2 * t.plan.epoch_samples);
        tiny_close(&t);
        adn_config_free(conf);
    }
}
END_TEST

/* --- tests, saves, recorded orders */

/* Weights of a run with two columns, tested by one column and by three. */
START_TEST(a_test_pass_is_shared_out_and_gives_the_same)
{
    static const char *const columns[] = {"mode=sync replicas=1", "mode=sync replicas=2",
                                          "mode=sync replicas=3"};
    const char *dir = adn_test_dir();
    adn_ckpt_info info;
    char *path = NULL;
    double loss[3], top1[3];

    if (!has_room(3)) return;
    train("mode=sync", &(tiny_options){.dir = dir}, NULL);
    ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
    ck_assert_int_eq(adn_ckpt_path(dir, info.name, &path), ADN_OK);
    for (int i = 0; i < 3; i++) {
        adn_config *conf = tiny_config_of(two_blocks, columns[i]);
        tiny_run t;
        tiny_open(&t, conf, &data, &(tiny_options){0});
        ck_assert_int_eq(adn_run_load(t.run, path, 0, false), ADN_OK);
        ck_assert_int_eq(adn_run_test(t.run), ADN_OK);
        loss[i] = t.rows.rows[1].test_loss;
        top1[i] = t.rows.rows[1].test_top1;
        tiny_close(&t);
        adn_config_free(conf);
    }
    adn_free(path);
    for (int i = 1; i < 3; i++) {
        ck_assert_double_eq(top1[i], top1[0]);
        ck_assert_double_lt(fabs(loss[i] - loss[0]), 1e-6);
    }
}
END_TEST

static void stop_and_go_on(const char *overrides)
{
    const char *dir = adn_test_dir();
    adn_config *conf = tiny_config_of(two_blocks, overrides);
    adn_ckpt_info info;
    tiny_run t;
    char *path = NULL;

    uint64_t hash = train(overrides, &(tiny_options){0}, NULL);
    tiny_open(&t, conf, &data, &(tiny_options){.dir = dir, .stop_at = 7});
    ck_assert_int_eq(adn_run_train(t.run), ADN_STOPPED);
    tiny_close(&t);
    ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
    ck_assert_int_eq(info.step, 7); /* in the second epoch: five steps each */
    ck_assert_int_eq(adn_ckpt_path(dir, info.name, &path), ADN_OK);
    tiny_options rest = {.load = path, .load_step = info.step, .jitter = 3};
    ck_assert_uint_eq(train(overrides, &rest, NULL), hash);
    adn_free(path);
    adn_config_free(conf);
}

START_TEST(a_stopped_run_goes_on_as_if_it_had_not_stopped)
{
    if (!has_room(2)) return;
    stop_and_go_on("mode=sync");
    stop_and_go_on("mode=sync optim.name=adamw optim.lr=0.01");
}
END_TEST

START_TEST(a_recorded_async_run_is_repeated_bit_for_bit)
{
    static const char *const policies[] = {"latest", "priority-lifo", "uniform"};

    if (!has_room(2)) return;
    for (size_t i = 0; i < ADN_COUNT(policies); i++) {
        const char *dir = adn_test_dir();
        char text[128], *path = NULL;
        int64_t first_step;
        adn_order_reader *order = NULL;
        tiny_run was, is;
        snprintf(text, sizeof(text),
                 "mode=async edge.policy=%s chaos.slow[0].block=0 chaos.slow[0].factor=2",
                 policies[i]);
        adn_config *conf = tiny_config_of(two_blocks, text);
        tiny_open(&was, conf, &data, &(tiny_options){.jitter = 2 + i, .dir = dir});
        ck_assert_int_eq(adn_run_train(was.run), ADN_OK);
        ck_assert_int_eq(adn_order_newest(dir, &path, &first_step), ADN_OK);
        ck_assert_int_eq(adn_order_open(path, &order), ADN_OK);
        tiny_open(&is, conf, &data, &(tiny_options){0});
        ck_assert_int_eq(adn_run_replay(is.run, order), ADN_OK);
        ck_assert_uint_eq(tiny_run_hash(&is), tiny_run_hash(&was));
        check_copies(&is);
        for (int k = 0; k < was.rows.n; k++) {
            const adn_epoch_row *a = &was.rows.rows[k], *b = tiny_row(&is.rows, a->block, a->epoch);
            ck_assert_ptr_nonnull(b);
            ck_assert(a->reread == b->reread && a->train_loss == b->train_loss);
        }
        adn_order_reader_close(order);
        adn_free(path);
        tiny_close(&was);
        tiny_close(&is);
        adn_config_free(conf);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replicas");
    TCase *tc = tcase_create("flows");

    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, copies_stay_the_same_and_sync_is_deterministic);
    tcase_add_test(tc, async_runs_with_every_policy_end_by_themselves);
    tcase_add_test(tc, the_virtual_schedule_has_columns_too);
    tcase_add_test(tc, each_column_has_its_own_share_of_an_epoch);
    tcase_add_test(tc, a_test_pass_is_shared_out_and_gives_the_same);
    tcase_add_test(tc, a_stopped_run_goes_on_as_if_it_had_not_stopped);
    tcase_add_test(tc, a_recorded_async_run_is_repeated_bit_for_bit);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
