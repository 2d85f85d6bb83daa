/* Saves on the way: blocks meet a marker one after another, and many may be under way at once. */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const config = "data: {name: cifar10, root: nowhere, batch: 4}\n"
                                  "model: {units: [{conv: 2}, {conv: 2}, {conv: 2}], cuts: every}\n"
                                  "aux: {kind: linear}\n"
                                  "checkpoint: {every: 1st, keep: {last: 100, best: 0}}\n";

static int n_whole(const char *dir)
{
    adn_ckpt_info *list;
    int n;

    ck_assert_int_eq(adn_ckpt_list(dir, &list, &n), ADN_OK);
    adn_free(list);
    return n;
}

START_TEST(there_is_room_for_as_many_saves_as_markers_have_places)
{
    adn_dataset_pair data;
    adn_config *conf = tiny_config(config, NULL);
    const char *dir = adn_test_dir();
    tiny_run t;

    tiny_data(&data, 8, 4, 4, 4, 3, 2);
    tiny_open(&t, conf, &data, &(tiny_options){.dir = dir});
    for (int k = 1; k <= ADN_EDGE_MARKERS; k++) {
        ck_assert(adn_saver_announce(t.run->saver));
        ck_assert_int_eq(adn_saver_block(t.run->saver, 0, k), ADN_OK);
    }
    ck_assert(!adn_saver_announce(t.run->saver));
    ck_assert_int_eq(n_whole(dir), 0);
    for (int k = 1; k <= 2; k++)
        for (int j = 1; j < t.plan.n_block; j++)
            ck_assert_int_eq(adn_saver_block(t.run->saver, j, k), ADN_OK);
    ck_assert_int_eq(t.n_save, 2);
    ck_assert(adn_saver_announce(t.run->saver) && adn_saver_announce(t.run->saver));
    ck_assert(!adn_saver_announce(t.run->saver));
    ck_assert_int_eq(adn_saver_block(t.run->saver, 0, 17), ADN_OK); /* in a free place */
    tiny_close(&t);
    ck_assert_int_eq(n_whole(dir), 2);
    adn_config_free(conf);
    tiny_data_clear(&data);
}
END_TEST

/* --- a last block that waits while the source goes on */

enum { LAST = 2, N_STEP = 24, PATIENCE_S = 120 };

static const char *const three_blocks = "until: 1ep\n"
                                        "data: {name: cifar10, root: nowhere, batch: 4}\n"
                                        "model: {units: [{conv: 2, repeat: 3}], cuts: every}\n"
                                        "aux: {kind: linear}\n"
                                        "edge: {slots: 10}\n"
                                        "checkpoint: {every: 1st, keep: {last: 100, best: 0}}\n";

typedef struct holding {
    tiny_run t;
    int64_t until_step; /* source steps that the last block's first step waits for */
    bool fails;         /* and then it ends the run */
    int n_step;         /* of the last block */
} holding;

static void hold_last(void *user, int block)
{
    holding *h = user;
    if (block != LAST || h->n_step++ > 0) return;
    while (adn_run_look(h->t.run).source_steps < h->until_step) sched_yield();
    if (h->fails) adn_run_fail(h->t.run, ADN_DEVICE);
}

static adn_status run_holding(holding *h, const char *mode, const char *dir)
{
    const char *const overrides[] = {mode, "after_end=stop", NULL};
    adn_dataset_pair data;
    adn_config *conf = tiny_config(three_blocks, overrides);

    tiny_data(&data, 4 * N_STEP, 4, 4, 4, 3, 2);
    tiny_open(&h->t, conf, &data, &(tiny_options){.dir = dir, .before_step = hold_last, .user = h});
    adn_test_log_clear();
    alarm(PATIENCE_S); /* a hang ends the program */
    adn_status st = adn_run_train(h->t.run);
    alarm(0);
    tiny_close(&h->t);
    adn_config_free(conf);
    tiny_data_clear(&data);
    return st;
}

/* It waits for a save to become whole when the run fails: none ever will. */
START_TEST(a_source_that_waits_for_a_save_ends_with_the_run)
{
    static holding h;
    h = (holding){.until_step = ADN_EDGE_MARKERS + 1, .fails = true};
    ck_assert_int_eq(run_holding(&h, "mode=sync", adn_test_dir()), ADN_DEVICE);
}
END_TEST

START_TEST(sync_waits_for_saves_and_leaves_none_out)
{
    static holding h;
    const char *dir = adn_test_dir();

    h = (holding){.until_step = ADN_EDGE_MARKERS + 1};
    ck_assert_int_eq(run_holding(&h, "mode=sync", dir), ADN_OK);
    ck_assert_int_eq(h.t.n_save, N_STEP);
    ck_assert_int_eq(n_whole(dir), N_STEP);
}
END_TEST

/* The producer goes on: many saves are due while nobody saves. */
START_TEST(async_leaves_saves_out_and_never_waits_for_one)
{
    static holding h;
    const char *dir = adn_test_dir();
    adn_ckpt_info info;

    h = (holding){.until_step = ADN_EDGE_MARKERS + 4};
    ck_assert_int_eq(run_holding(&h, "mode=async", dir), ADN_OK);
    const char *said = strstr(adn_test_log(), "saves take longer than what lies between them");
    ck_assert_ptr_nonnull(said);
    ck_assert_ptr_null(strstr(said + 1, "saves take longer")); /* once */
    ck_assert_int_ge(h.t.n_save, 2);
    ck_assert_int_lt(h.t.n_save, ADN_EDGE_MARKERS);
    ck_assert_int_eq(n_whole(dir), h.t.n_save);
    ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
    ck_assert_int_ge(info.step, N_STEP); /* of the end */
}
END_TEST

/* A save takes the last block longer than all steps that the first one makes between two. */
START_TEST(slow_saves_keep_no_block_from_learning)
{
    adn_dataset_pair data;
    adn_config *conf = tiny_config_of(three_blocks, "mode=async until=40st edge.policy=latest");
    tiny_run t;

    tiny_data(&data, 4 * N_STEP, 4, 4, 4, 3, 2);
    tiny_open(&t, conf, &data, &(tiny_options){.dir = adn_test_dir(), .save_s = 0.05});
    alarm(PATIENCE_S);
    ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
    alarm(0);
    ck_assert_int_ge(adn_stage_look(adn_run_stage(t.run, LAST)).steps, 40);
    ck_assert_int_ge(t.n_save, 2);
    tiny_close(&t);
    adn_config_free(conf);
    tiny_data_clear(&data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("save");
    TCase *tc = tcase_create("save");
    tcase_add_test(tc, there_is_room_for_as_many_saves_as_markers_have_places);
    tcase_add_test(tc, a_source_that_waits_for_a_save_ends_with_the_run);
    tcase_add_test(tc, sync_waits_for_saves_and_leaves_none_out);
    tcase_add_test(tc, async_leaves_saves_out_and_never_waits_for_one);
    tcase_add_test(tc, slow_saves_keep_no_block_from_learning);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
