/* Stop + resume equals no stop, bit for bit, in bp, sync and greedy: weights, the optimizer's
 * states, statistics, rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "store/store.h"
#include "suite.h"
#include "tiny.h"

static const char *const config =
    "seed: 3\n"
    "until: 2ep\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [crop 1, flip]}\n"
    "model:\n"
    "  units: [{conv: 6}, {pool: 2, conv: 8}, {residual: 8}]\n"
    "  cuts: [1, 2]\n"
    "aux: {kind: mlp, hidden: 1}\n"
    "edge: {slots: 2}\n"
    "optim: {name: sgd, lr: 0.05, momentum: 0.9, weight_decay: 1e-3, reset_momentum: true,\n"
    "        schedule: {kind: step, every: 1ep, factor: 0.5}}\n"
    "eval: {every: 3st}\n"
    "checkpoint: {every: 4st, keep: {last: 2, best: 1}}\n";

static adn_dataset_pair data;

static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

static void compare_rows(const tiny_rows *whole, const tiny_rows *first, const tiny_rows *second,
                         int n_block)
{
    for (int i = 0; i < whole->n; i++) {
        const adn_epoch_row *a = &whole->rows[i];
        const adn_epoch_row *b = tiny_row(second, a->block, a->epoch);
        if (b == NULL) b = tiny_row(first, a->block, a->epoch);
        ck_assert_ptr_nonnull(b);
        ck_assert_int_eq(a->steps, b->steps);
        ck_assert_int_eq(a->samples, b->samples);
        ck_assert_double_eq(a->train_loss, b->train_loss);
        ck_assert_double_eq(a->train_top1, b->train_top1);
        ck_assert(same(a->test_loss, b->test_loss));
        ck_assert(same(a->test_top1, b->test_top1));
    }
    ck_assert_int_eq(first->n + second->n, whole->n);
    ck_assert_int_eq(whole->n, 2 * n_block);
}

/* Makes of the checkpoint one that was written before there was `async`: its names unknown. */
static void make_older(const char *dir, int n_block)
{
    static const char *const names[][2] = {{"clock.rereads", "clock.unknown"},
                                           {"epoch.is_closing", "epoch.is_unknown"}};

    for (int j = 0; j < n_block; j++)
        for (size_t k = 0; k < ADN_COUNT(names); k++) {
            char *path = adn_format("%s/block%d.optim.safetensors", dir, j), *text;
            size_t n, m = strlen(names[k][0]), at = 0;
            ck_assert_int_eq(adn_file_read(path, 1 << 20, &text, &n), ADN_OK);
            while (at + m < n && memcmp(text + at, names[k][0], m) != 0) at++;
            ck_assert_uint_lt(at + m, n);
            memcpy(text + at, names[k][1], m);
            ck_assert_int_eq(adn_file_write(path, text, n), ADN_OK);
            adn_free(text);
            adn_free(path);
        }
}

static void resume_from(const char *mode, const char *other, int64_t stop_at, bool is_older)
{
    const char *const overrides[] = {mode, other, NULL};
    const char *dir = adn_test_dir();
    adn_config *conf = tiny_config(config, overrides);
    tiny_run whole, first, second;
    adn_ckpt_info info;
    char *path = NULL;

    tiny_open(&whole, conf, &data, &(tiny_options){.dir = adn_test_dir()});
    ck_assert_int_eq(adn_run_train(whole.run), ADN_OK);

    tiny_open(&first, conf, &data, &(tiny_options){.dir = dir, .stop_at = stop_at});
    ck_assert_int_eq(adn_run_train(first.run), ADN_STOPPED);
    ck_assert_int_eq(adn_run_step(first.run), stop_at);
    ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
    ck_assert_int_eq(info.step, stop_at);
    ck_assert_double_eq(info.seconds, 0); /* no time in what must be the same bytes */
    ck_assert_int_eq(adn_ckpt_path(dir, info.name, &path), ADN_OK);
    if (is_older) make_older(path, info.n_block);

    tiny_open(&second, conf, &data,
              &(tiny_options){.dir = dir, .load = path, .load_step = info.step});
    ck_assert_int_eq(adn_run_train(second.run), ADN_OK);
    ck_assert_uint_eq(tiny_run_hash(&whole), tiny_run_hash(&second));
    compare_rows(&whole.rows, &first.rows, &second.rows, whole.plan.n_block);
    adn_free(path);
    tiny_close(&whole);
    tiny_close(&first);
    tiny_close(&second);
    adn_config_free(conf);
}

static void stop_and_resume(const char *mode, const char *other, int64_t stop_at)
{
    resume_from(mode, other, stop_at, false);
}

/* 69 = 4 x 16 + 5: five steps an epoch, ten in all (a block, in greedy). */
START_TEST(bp_resumes_exactly)
{
    for (int64_t stop = 1; stop < 10; stop += 2) stop_and_resume("mode=bp", "precision=fp32", stop);
}
END_TEST

START_TEST(sync_resumes_exactly)
{
    for (int64_t stop = 1; stop < 10; stop++) stop_and_resume("mode=sync", "precision=fp32", stop);
}
END_TEST

START_TEST(sync_over_bf16_resumes_exactly)
{
    for (int64_t stop = 3; stop < 10; stop += 3)
        stop_and_resume("mode=sync", "precision=bf16", stop);
}
END_TEST

START_TEST(adamw_resumes_exactly)
{
    for (int64_t stop = 1; stop < 10; stop += 3)
        stop_and_resume("mode=sync", "optim={name: adamw, lr: 0.01, no_decay: [bias]}", stop);
    stop_and_resume("mode=greedy", "optim={name: adamw, lr: 0.01}", 12);
}
END_TEST

/* Neither optimizer takes what the other one left; the file and the tensor are named. */
START_TEST(a_checkpoint_of_another_optimizer_is_refused)
{
    static const char *const rules[] = {"optim.name=sgd", "optim.name=adamw"};
    static const char *const says[] = {
        "block0.optim.safetensors: tensor 'unit1.conv.weight.exp_avg_sq' is not there",
        "block0.optim.safetensors: tensor 'unit1.conv.weight.exp_avg_sq' is of another optimizer"};

    for (int from = 0; from < 2; from++) {
        const char *const first[] = {"until=1st", rules[from], NULL};
        const char *const second[] = {"until=1st", rules[!from], NULL};
        adn_config *confs[] = {tiny_config(config, first), tiny_config(config, second)};
        const char *dir = adn_test_dir();
        tiny_run saved, other;
        adn_ckpt_info info;
        char *path = NULL;

        tiny_open(&saved, confs[0], &data, &(tiny_options){.dir = dir});
        ck_assert_int_eq(adn_run_train(saved.run), ADN_OK);
        ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
        ck_assert_int_eq(adn_ckpt_path(dir, info.name, &path), ADN_OK);
        tiny_open(&other, confs[1], &data, &(tiny_options){0});
        adn_test_log_clear();
        ck_assert_int_eq(adn_run_load(other.run, path, info.step, true), ADN_BADCKPT);
        ck_assert_msg(strstr(adn_test_log(), says[from]) != NULL, "%s", adn_test_log());
        ck_assert_int_eq(adn_run_load(other.run, path, info.step, false), ADN_OK); /* to test it */
        adn_free(path);
        tiny_close(&saved);
        tiny_close(&other);
        for (int k = 0; k < 2; k++) adn_config_free(confs[k]);
    }
}
END_TEST

START_TEST(greedy_resumes_exactly)
{
    for (int64_t stop = 2; stop < 30; stop += 5)
        stop_and_resume("mode=greedy", "precision=fp32", stop);
}
END_TEST

START_TEST(a_checkpoint_of_before_async_resumes_exactly)
{
    resume_from("mode=sync", "precision=fp32", 4, true);
}
END_TEST

/* Killed between the last checkpoint and the end: there is no step left to make. */
START_TEST(a_run_resumed_at_its_end_makes_no_step)
{
    static const char *const modes[] = {"mode=bp", "mode=sync", "mode=greedy"};
    for (int m = 0; m < 3; m++)
        for (int odd = 0; odd < 2; odd++) { /* the end of an epoch, and the middle of one */
            const char *const overrides[] = {modes[m], odd ? "until=7st" : "until=2ep", NULL};
            const char *dir = adn_test_dir();
            adn_config *conf = tiny_config(config, overrides);
            tiny_run whole, again;
            adn_ckpt_info info;
            char *path = NULL;

            tiny_open(&whole, conf, &data, &(tiny_options){.dir = dir});
            ck_assert_int_eq(adn_run_train(whole.run), ADN_OK);
            ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
            ck_assert_int_eq(info.step, (odd ? 7 : 10) * (m == 2 ? 3 : 1));
            ck_assert_int_eq(adn_ckpt_path(dir, info.name, &path), ADN_OK);
            tiny_open(&again, conf, &data,
                      &(tiny_options){.dir = dir, .load = path, .load_step = info.step});
            ck_assert_int_eq(adn_run_train(again.run), ADN_OK);
            ck_assert_int_eq(adn_run_step(again.run), info.step);
            ck_assert_uint_eq(tiny_run_hash(&whole), tiny_run_hash(&again));
            ck_assert_int_eq(again.rows.n, odd ? whole.plan.n_block : 0); /* the open epoch's */
            for (int i = 0; i < again.rows.n; i++) {
                const adn_epoch_row *a = &again.rows.rows[i];
                const adn_epoch_row *b = tiny_row(&whole.rows, a->block, a->epoch);
                ck_assert_double_eq(a->train_loss, b->train_loss);
                ck_assert(same(a->test_loss, b->test_loss));
            }
            adn_free(path);
            tiny_close(&whole);
            tiny_close(&again);
            adn_config_free(conf);
        }
}
END_TEST

START_TEST(a_run_by_time_that_had_its_seconds_makes_no_step)
{
    const char *const overrides[] = {"until=1000s", NULL};
    const char *dir = adn_test_dir();
    adn_config *conf = tiny_config(config, overrides);
    tiny_run first, again;
    adn_ckpt_info info;
    char *path = NULL;

    tiny_open(&first, conf, &data, &(tiny_options){.dir = dir, .stop_at = 3});
    ck_assert_int_eq(adn_run_train(first.run), ADN_STOPPED);
    ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
    ck_assert_int_eq(adn_ckpt_path(dir, info.name, &path), ADN_OK);
    tiny_open(&again, conf, &data,
              &(tiny_options){.dir = dir, .load = path, .load_step = 3, .stop_at = 4});
    adn_run_set_seconds(again.run, 1000);
    ck_assert_int_eq(adn_run_train(again.run), ADN_OK);
    ck_assert_int_eq(adn_run_step(again.run), 3);
    ck_assert_int_eq(again.rows.n, again.plan.n_block); /* the open epoch's */
    adn_free(path);
    tiny_close(&first);
    tiny_close(&again);
    adn_config_free(conf);
}
END_TEST

int main(void)
{
    tiny_data(&data, 69, 21, 8, 8, 3, 4);
    Suite *suite = suite_create("resume");
    TCase *tc = tcase_create("resume");
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, bp_resumes_exactly);
    tcase_add_test(tc, sync_resumes_exactly);
    tcase_add_test(tc, sync_over_bf16_resumes_exactly);
    tcase_add_test(tc, adamw_resumes_exactly);
    tcase_add_test(tc, a_checkpoint_of_another_optimizer_is_refused);
    tcase_add_test(tc, greedy_resumes_exactly);
    tcase_add_test(tc, a_checkpoint_of_before_async_resumes_exactly);
    tcase_add_test(tc, a_run_resumed_at_its_end_makes_no_step);
    tcase_add_test(tc, a_run_by_time_that_had_its_seconds_makes_no_step);
    suite_add_tcase(suite, tc);
    int result = adn_suite_run(suite);
    tiny_data_clear(&data);
    return result;
}
