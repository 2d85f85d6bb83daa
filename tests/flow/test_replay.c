/* A recorded run again: whatever schedule decided it, with delays on its threads, the same steps in
 * the recorded order give the same rows and the same weights, bit for bit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const four_blocks =
    "seed: 3\n"
    "mode: async\n"
    "until: 3ep\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [crop 1, flip]}\n"
    "model: {units: [{conv: 6}, {pool: 2, conv: 8}, {residual: 8}, {conv: 8}], cuts: every}\n"
    "aux: {kind: mlp, hidden: 1}\n"
    "classifier: {hidden: 1}\n"
    "edge: {slots: 2}\n"
    "blocks: [{threads: 1}, {threads: 1}, {threads: 1}, {threads: 1}]\n"
    "chaos: {slow: [{block: 0, factor: 2}]}\n"
    "optim: {lr: 0.05, schedule: {kind: step, every: 1ep, factor: 0.5}}\n"
    "checkpoint: {every: 1ep, keep: {last: 3, best: 0}}\n";

static adn_dataset_pair data;

static void setup(void)
{
    tiny_data(&data, 90, 20, 8, 8, 3, 4); /* 6 steps an epoch, the last of 10 samples */
}

static void teardown(void)
{
    tiny_data_clear(&data);
}

static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

static void same_rows(const tiny_rows *was, const tiny_rows *is)
{
    ck_assert_int_eq(was->n, is->n);
    for (int i = 0; i < was->n; i++) {
        const adn_epoch_row *a = &was->rows[i], *b = tiny_row(is, a->block, a->epoch);
        ck_assert_ptr_nonnull(b);
        ck_assert(a->steps == b->steps && a->samples == b->samples && a->reread == b->reread);
        ck_assert(same(a->lr, b->lr));
        ck_assert(same(a->train_loss, b->train_loss) && same(a->train_top1, b->train_top1));
        ck_assert(same(a->test_loss, b->test_loss) && same(a->test_top1, b->test_top1));
    }
}

static int64_t rereads_of(const tiny_rows *rows)
{
    int64_t n = 0;
    for (int i = 0; i < rows->n; i++) n = ADN_MAX(n, rows->rows[i].reread);
    return n;
}

/* Runs with the overrides into a folder, then its newest order on an unpinned pipeline of threads,
 * from `load` on where it was resumed. Returns how many updates were on batches read before. */
static int64_t run_and_replay(const char *const *overrides, uint64_t jitter, const char *dir,
                              const char *load, int64_t load_step)
{
    adn_config *conf = tiny_config(four_blocks, overrides);
    adn_order_reader *order = NULL;
    tiny_run was, is;
    char *path = NULL;
    int64_t first_step = -1;

    tiny_open(&was, conf, &data,
              &(tiny_options){.jitter = jitter, .dir = dir, .load = load, .load_step = load_step});
    ck_assert_int_eq(adn_run_train(was.run), ADN_OK);
    ck_assert_int_eq(adn_order_newest(dir, &path, &first_step), ADN_OK);
    ck_assert_int_eq(first_step, load_step);
    ck_assert_int_eq(adn_order_open(path, &order), ADN_OK);
    ck_assert_int_eq(adn_order_about(order).first_step, load_step);
    conf->schedule = ADN_SCHEDULE_THREADS;
    tiny_open(&is, conf, &data, &(tiny_options){.load = load, .load_step = load_step});
    ck_assert_int_eq(adn_run_replay(is.run, order), ADN_OK);
    same_rows(&was.rows, &is.rows);
    ck_assert_uint_eq(tiny_run_hash(&was), tiny_run_hash(&is));
    int64_t n = rereads_of(&was.rows);
    adn_order_reader_close(order);
    adn_free(path);
    tiny_close(&was);
    tiny_close(&is);
    adn_config_free(conf);
    return n;
}

static int64_t run_once(const char *schedule, const char *policy, uint64_t jitter)
{
    char text[2][64];
    const char *overrides[] = {text[0], text[1], NULL};

    snprintf(text[0], sizeof(text[0]), "schedule=%s", schedule);
    snprintf(text[1], sizeof(text[1]), "edge.policy=%s", policy);
    return run_and_replay(overrides, jitter, adn_test_dir(), NULL, 0);
}

START_TEST(threads_with_delays_are_repeated)
{
    int64_t n_reread = 0;
    n_reread += run_once("threads", "fifo", 1);
    ck_assert_int_eq(n_reread, 0);
    n_reread += run_once("threads", "priority-lifo", 2);
    n_reread += run_once("threads", "uniform", 3);
    n_reread += run_once("threads", "latest", 4);
    ck_assert_int_gt(n_reread, 0);
}
END_TEST

START_TEST(the_virtual_schedule_is_repeated)
{
    ck_assert_int_gt(run_once("virtual", "priority-lifo", 0), 0);
    ck_assert_int_gt(run_once("virtual", "priority-lifo-paper", 0), 0);
}
END_TEST

START_TEST(sync_is_repeated)
{
    static const char *const overrides[] = {"mode=sync", NULL};
    ck_assert_int_eq(run_and_replay(overrides, 5, adn_test_dir(), NULL, 0), 0);
}
END_TEST

START_TEST(a_resumed_run_is_repeated_from_where_it_went_on)
{
    const char *dir = adn_test_dir();
    adn_config *conf = tiny_config(four_blocks, NULL);
    tiny_run first;
    adn_ckpt_info info;
    char *path = NULL;

    tiny_open(&first, conf, &data, &(tiny_options){.dir = dir, .stop_at = 8, .jitter = 6});
    ck_assert_int_eq(adn_run_train(first.run), ADN_STOPPED);
    tiny_close(&first);
    adn_config_free(conf);
    ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
    ck_assert_int_eq(info.step, 8);
    ck_assert_int_eq(adn_ckpt_path(dir, info.name, &path), ADN_OK);
    run_and_replay(NULL, 7, dir, path, info.step);
    adn_free(path);
}
END_TEST

/* An order that does not fit the run is refused, with what was wrong. */
START_TEST(an_order_of_another_run_is_refused)
{
    static const adn_order_step wrong[] = {
        {-1, -1, 0, ADN_ACT_FORWARD, 0, 5},  /* the loader is at step 0 */
        {-1, -1, 99, ADN_ACT_FORWARD, 0, 0}, /* no such slot */
        {0, 0, 0, ADN_ACT_LEARN, 0, 0},      /* nothing was written there */
        {3, -1, -1, 7, 0, 0},                /* no such act */
    };
    adn_config *conf = tiny_config(four_blocks, NULL);

    for (size_t i = 0; i < ADN_COUNT(wrong); i++) {
        char *path = adn_format("%s/order.bin", adn_test_dir());
        adn_order *o;
        adn_order_reader *order;
        tiny_run t;
        ck_assert_int_eq(adn_order_create(path, 4, 0, &o), ADN_OK);
        ck_assert_int_eq(adn_order_append(o, &wrong[i]), ADN_OK);
        ck_assert_int_eq(adn_order_close(o), ADN_OK);
        ck_assert_int_eq(adn_order_open(path, &order), ADN_OK);
        tiny_open(&t, conf, &data, &(tiny_options){.jitter = 0});
        ck_assert_int_eq(adn_run_replay(t.run, order), ADN_BADDATA);
        tiny_close(&t);
        adn_order_reader_close(order);
        adn_free(path);
    }
    adn_config_free(conf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replay");
    TCase *tc = tcase_create("replay");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, threads_with_delays_are_repeated);
    tcase_add_test(tc, the_virtual_schedule_is_repeated);
    tcase_add_test(tc, sync_is_repeated);
    tcase_add_test(tc, a_resumed_run_is_repeated_from_where_it_went_on);
    tcase_add_test(tc, an_order_of_another_run_is_refused);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
