/* `async` saved, stopped and resumed, in real and in modelled time, with every policy: clocks,
 * re-reads, open and closing rows go on; only what lay in the slots is gone. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "order_model.h"
#include "pipeline/inside.h"
#include "suite.h"

static const char *const three_blocks =
    "seed: 3\n"
    "mode: async\n"
    "until: 3ep\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [flip]}\n"
    "model: {units: [{conv: 4}, {conv: 4}, {residual: 4}], cuts: every}\n"
    "aux: {kind: linear}\n"
    "classifier: {hidden: 0}\n"
    "edge: {slots: 2}\n"
    "blocks: [{threads: 1}, {threads: 1}, {threads: 1}]\n"
    "chaos: {slow: [{block: 0, factor: 2}]}\n"
    "optim: {lr: 0.05, schedule: {kind: step, every: 1ep, factor: 0.5}}\n"
    "checkpoint: {every: inf, keep: {last: 2, best: 0}}\n";

enum { N_TRAIN = 90, N_BLOCK = 3, PATIENCE_S = 120 }; /* 6 steps, the last of 10 */

static adn_dataset_pair data;

static void setup(void)
{
    tiny_data(&data, N_TRAIN, 20, 8, 8, 3, 4);
    alarm(PATIENCE_S); /* a hang ends the program */
}

static void teardown(void)
{
    tiny_data_clear(&data);
    alarm(0);
}

/* Whether two folders have the same bytes in a block's file. */
static void same_file(const char *a, const char *b, int block, const char *ending)
{
    char *paths[2] = {adn_format("%s/block%d%s", a, block, ending),
                      adn_format("%s/block%d%s", b, block, ending)};
    void *text[2];
    size_t n[2];

    for (int k = 0; k < 2; k++) {
        FILE *f = fopen(paths[k], "rb");
        ck_assert_ptr_nonnull(f);
        text[k] = adn_alloc(1 << 20);
        n[k] = fread(text[k], 1, 1 << 20, f);
        fclose(f);
    }
    ck_assert_uint_eq(n[0], n[1]);
    ck_assert_mem_eq(text[0], text[1], n[0]);
    for (int k = 0; k < 2; k++) {
        adn_free(text[k]);
        adn_free(paths[k]);
    }
}

/* What was loaded is saved as the same bytes: nothing of it is forgotten. */
static void saves_what_it_loaded(tiny_run *t, const char *from)
{
    const char *dir = adn_test_dir();

    for (int j = 0; j < N_BLOCK; j++) {
        ck_assert_int_eq(adn_stage_save(adn_run_stage(t->run, j), dir), ADN_OK);
        same_file(from, dir, j, ".safetensors");
        same_file(from, dir, j, ".optim.safetensors");
    }
}

static void same_state(tiny_run *a, tiny_run *b)
{
    for (int j = 0; j < N_BLOCK; j++) {
        adn_stage *s[2] = {adn_run_stage(a->run, j), adn_run_stage(b->run, j)};
        adn_stage_clock x = adn_stage_clock_now(s[0]), y = adn_stage_clock_now(s[1]);
        ck_assert(x.steps == y.steps && x.samples == y.samples);
        ck_assert(x.updates == y.updates && x.decays == y.decays);
        ck_assert_int_eq(adn_stage_look(s[0]).rereads, adn_stage_look(s[1]).rereads);
        ck_assert_int_eq(adn_stage_open_epoch(s[0]), adn_stage_open_epoch(s[1]));
    }
}

/* Each block has a row of each epoch, in one of the two processes and not in both. */
static void rows_are_whole(const tiny_run *first, const tiny_run *second, const int *open)
{
    for (int j = 0; j < N_BLOCK; j++)
        for (int e = 1; e <= 3; e++) {
            ck_assert_int_eq(tiny_row(&first->rows, j, e) != NULL, e < open[j]);
            ck_assert_int_eq(tiny_row(&second->rows, j, e) != NULL, e >= open[j]);
        }
    ck_assert_int_eq(first->rows.n + second->rows.n, 3 * N_BLOCK);
}

static void stop_and_go_on(const char *overrides, int64_t stop_at, uint64_t jitter)
{
    static order_model model;
    const char *dir = adn_test_dir();
    adn_config *conf = tiny_config_of(three_blocks, overrides);
    static tiny_run first, second;
    adn_ckpt_info info;
    char *path;
    int open[N_BLOCK];

    tiny_open(&first, conf, &data,
              &(tiny_options){.dir = dir, .stop_at = stop_at, .jitter = jitter});
    model_begin(&model, &first);
    ck_assert_int_eq(adn_run_train(first.run), ADN_STOPPED);
    model_read(&model, &first.plan, dir);
    model_check(&model, &first);
    ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
    ck_assert_int_eq(info.step, stop_at);
    ck_assert_int_eq(adn_ckpt_path(dir, info.name, &path), ADN_OK);
    tiny_open(
        &second, conf, &data,
        &(tiny_options){.dir = dir, .load = path, .load_step = info.step, .jitter = jitter + 1});
    same_state(&first, &second);
    saves_what_it_loaded(&second, path);
    for (int j = 0; j < N_BLOCK; j++) open[j] = adn_stage_open_epoch(adn_run_stage(second.run, j));
    model_begin(&model, &second);
    ck_assert_int_eq(adn_run_train(second.run), ADN_OK);
    model_read(&model, &second.plan, dir);
    model_check(&model, &second);
    rows_are_whole(&first, &second, open);
    adn_free(path);
    tiny_close(&first);
    tiny_close(&second);
    adn_config_free(conf);
}

static const char *const policies[] = {"fifo",          "latest",  "lifo",
                                       "priority-lifo", "uniform", "priority-lifo-paper"};

static void every_policy(const char *schedule)
{
    for (size_t i = 0; i < ADN_COUNT(policies); i++)
        for (int64_t stop_at = 3 + (int64_t)i; stop_at < 18; stop_at += 9) {
            char text[128];
            snprintf(text, sizeof(text), "%s edge.policy=%s", schedule, policies[i]);
            stop_and_go_on(text, stop_at, (uint64_t)stop_at);
        }
}

START_TEST(a_run_on_threads_goes_on)
{
    every_policy("schedule=threads");
}
END_TEST

START_TEST(a_run_by_a_modelled_clock_goes_on)
{
    every_policy("schedule=virtual");
}
END_TEST

START_TEST(a_run_of_drawn_blocks_goes_on)
{
    every_policy("schedule=virtual draw=random");
}
END_TEST

START_TEST(own_steps_and_closing_rows_go_on)
{
    for (int64_t stop_at = 5; stop_at <= 8; stop_at++) { /* the end of an epoch, and beside it */
        stop_and_go_on("clock=own_steps schedule=virtual", stop_at, 0);
        stop_and_go_on("schedule=virtual eval.every=inf", stop_at, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("async_resume");
    TCase *tc = tcase_create("async_resume");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_run_on_threads_goes_on);
    tcase_add_test(tc, a_run_by_a_modelled_clock_goes_on);
    tcase_add_test(tc, a_run_of_drawn_blocks_goes_on);
    tcase_add_test(tc, own_steps_and_closing_rows_go_on);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
