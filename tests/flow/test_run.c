/* Runs as a whole: no allocation in a step, divergence, greedy, odd ends of epochs, every failing
 * call. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/inside.h"
#include "store/store.h"
#include "suite.h"
#include "tiny.h"

static const char *const config =
    "seed: 3\n"
    "mode: sync\n"
    "until: 2ep\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [crop 1, flip]}\n"
    "model:\n"
    "  units: [{conv: 6}, {pool: 2, conv: 8}, {residual: 8}]\n"
    "  cuts: [1, 2]\n"
    "aux: {kind: mlp, hidden: 1}\n"
    "edge: {slots: 2}\n"
    "optim: {name: sgd, lr: 0.05, momentum: 0.9, weight_decay: 1e-3}\n";

static int64_t calls_at[64];
static int n_asked;

static bool count_calls(void *user)
{
    (void)user;
    if (n_asked < (int)ADN_COUNT(calls_at)) calls_at[n_asked] = (int64_t)adn_alloc_calls();
    n_asked++;
    return false;
}

START_TEST(a_step_allocates_nothing)
{
    adn_dataset_pair data;
    adn_config *conf = tiny_config(config, NULL);
    adn_plan plan;
    adn_device *dev;
    adn_run *run;

    tiny_data(&data, 320, 20, 8, 8, 3, 4); /* 20 steps an epoch */
    ck_assert_int_eq(adn_plan_create(conf, &data, &plan), ADN_OK);
    ck_assert_int_eq(adn_cpu_open(&dev), ADN_OK);
    adn_run_conf rc = {.plan = &plan, .data = &data, .dev = dev, .must_stop = count_calls};
    ck_assert_int_eq(adn_run_create(&rc, &run), ADN_OK);
    n_asked = 0;
    ck_assert_int_eq(adn_run_train(run), ADN_OK);
    ck_assert_int_eq(n_asked, 40);
    for (int i = 1; i < 40; i++) /* the test pass and the epoch's row too */
        ck_assert_msg(calls_at[i] == calls_at[0], "step %d allocated %lld blocks", i,
                      (long long)(calls_at[i] - calls_at[0]));
    adn_run_destroy(run);
    dev->ops->close(dev);
    adn_plan_clear_all(&plan);
    adn_config_free(conf);
    tiny_data_clear(&data);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_ends_the_run_and_names_block_step_and_layer)
{
    adn_dataset_pair data;
    const char *const overrides[] = {"optim.lr=1000", "until=200ep", NULL};
    adn_config *conf = tiny_config(config, overrides);
    tiny_run t;

    tiny_data(&data, 64, 16, 8, 8, 3, 4);
    tiny_open(&t, conf, &data, &(tiny_options){0});
    adn_test_log_clear();
    ck_assert_int_eq(adn_run_train(t.run), ADN_DIVERGED);
    ck_assert_msg(strstr(adn_test_log(), "block ") != NULL, "%s", adn_test_log());
    ck_assert_msg(strstr(adn_test_log(), ", step ") != NULL, "%s", adn_test_log());
    ck_assert_msg(strstr(adn_test_log(), "first layer whose output is not finite is ") != NULL,
                  "%s", adn_test_log());
    tiny_close(&t);
    adn_config_free(conf);
    tiny_data_clear(&data);
}
END_TEST

/* What the stage's newest checkpoint says of `key`, in its own words. Static memory. */
static const char *saved(const char *dir, int block, const char *key)
{
    static char text[64];
    adn_st_file f;
    char *path = adn_format("%s/ckpt/last/block%d.optim.safetensors", dir, block);

    ck_assert_int_eq(adn_st_read(path, &f), ADN_OK);
    text[0] = '\0';
    for (int i = 0; i < f.n_meta; i++)
        if (strcmp(f.meta[i].key, key) == 0) snprintf(text, sizeof(text), "%s", f.meta[i].value);
    adn_st_clear(&f);
    adn_free(path);
    return text;
}

/* In greedy block 0 learns alone first: exactly what it does in sync. Later it only runs forward,
 * and behind the block that learns nothing runs. 69 = 4 x 16 + 5, 20 = 16 + 4: short batches that
 * are learned from, forwarded and tested. */
START_TEST(greedy_trains_the_first_block_as_sync_does_and_then_leaves_it)
{
    adn_dataset_pair data;
    /* the same bits need the same teams */
    const char *const same_teams[] = {"mode=greedy",
                                      "blocks=[{threads: 1}, {threads: 1}, {threads: 1}]", NULL};
    const char *const sync_teams[] = {"blocks=[{threads: 1}, {threads: 1}, {threads: 1}]", NULL};
    adn_config *sync = tiny_config(config, sync_teams), *greedy = tiny_config(config, same_teams);
    const char *dir = adn_test_dir();
    tiny_run a, b;

    tiny_data(&data, 69, 20, 8, 8, 3, 4);
    tiny_open(&a, sync, &data, &(tiny_options){0});
    tiny_open(&b, greedy, &data, &(tiny_options){.dir = dir});
    ck_assert_int_eq(adn_run_train(a.run), ADN_OK);
    ck_assert_int_eq(adn_run_train(b.run), ADN_OK);
    ck_assert_uint_eq(tiny_hash(adn_stage_net(adn_run_stage(a.run, 0), 0),
                                adn_stage_optim(adn_run_stage(a.run, 0), 0)),
                      tiny_hash(adn_stage_net(adn_run_stage(b.run, 0), 0),
                                adn_stage_optim(adn_run_stage(b.run, 0), 0)));
    ck_assert_uint_ne(tiny_hash(adn_stage_net(adn_run_stage(a.run, 1), 0),
                                adn_stage_optim(adn_run_stage(a.run, 1), 0)),
                      tiny_hash(adn_stage_net(adn_run_stage(b.run, 1), 0),
                                adn_stage_optim(adn_run_stage(b.run, 1), 0)));
    for (int e = 1; e <= 2; e++) {
        ck_assert_double_eq(tiny_row(&a.rows, 0, e)->train_loss,
                            tiny_row(&b.rows, 0, e)->train_loss);
        ck_assert_double_eq(tiny_row(&a.rows, 0, e)->test_loss, tiny_row(&b.rows, 0, e)->test_loss);
        ck_assert_ptr_nonnull(tiny_row(&b.rows, 2, e));
    }
    ck_assert_int_eq(b.rows.n, 6);
    for (int j = 0; j < 3; j++) { /* ten steps a block */
        ck_assert_int_eq(adn_run_edge(b.run, j).pushed, 10 * (3 - j));
        ck_assert_int_eq(adn_run_edge(b.run, j).pulled, 10 * (3 - j));
        ck_assert_int_eq(adn_stage_look(adn_run_stage(b.run, j)).tests, 0);
        ck_assert_int_eq(adn_stage_look(adn_run_stage(b.run, j)).steps, 10);
        ck_assert_str_eq(saved(dir, j, "epoch.test_loss"), "nan"); /* of the epoch after its last */
    }
    tiny_close(&a);
    tiny_close(&b);
    adn_config_free(sync);
    adn_config_free(greedy);
    tiny_data_clear(&data);
}
END_TEST

/* Of a run's rows: there must be one. */
static const adn_epoch_row *row_of(const tiny_run *t, int block, int epoch)
{
    const adn_epoch_row *row = tiny_row(&t->rows, block, epoch);
    ck_assert_msg(row != NULL, "block %d has no row of epoch %d", block, epoch);
    return row;
}

static void run_rows(int n_train, const char *const *overrides, tiny_run *t)
{
    adn_dataset_pair data;
    adn_config *conf = tiny_config(config, overrides);

    tiny_data(&data, n_train, 21, 8, 8, 3, 4);
    tiny_open(t, conf, &data, &(tiny_options){0});
    ck_assert_int_eq(adn_run_train(t->run), ADN_OK);
    tiny_close(t);
    adn_config_free(conf);
    tiny_data_clear(&data);
}

START_TEST(a_last_batch_of_one_sample_is_left_out)
{
    tiny_run t;
    run_rows(33, NULL, &t);
    ck_assert_int_eq(t.rows.n, 6);
    ck_assert_int_eq(row_of(&t, 0, 1)->samples, 32);
    ck_assert_int_eq(row_of(&t, 2, 2)->steps, 4);
}
END_TEST

START_TEST(drop_last_leaves_the_short_batch_out)
{
    tiny_run t;
    const char *const overrides[] = {"data.drop_last=true", NULL};
    run_rows(45, overrides, &t);
    ck_assert_int_eq(t.rows.n, 6);
    ck_assert_int_eq(row_of(&t, 0, 1)->samples, 32);
    ck_assert_int_eq(row_of(&t, 2, 2)->steps, 4);
}
END_TEST

START_TEST(an_unfinished_last_epoch_has_rows_and_a_test)
{
    tiny_run t;
    const char *const overrides[] = {"until=4st", NULL};
    run_rows(48, overrides, &t); /* 3 steps an epoch */
    ck_assert_int_eq(t.rows.n, 6);
    for (int j = 0; j < 3; j++) {
        ck_assert_int_eq(row_of(&t, j, 2)->steps, 4);
        ck_assert_int_eq(row_of(&t, j, 2)->samples, 64);
        ck_assert(isfinite(row_of(&t, j, 2)->test_top1));
    }
}
END_TEST

START_TEST(a_batch_larger_than_the_set_is_one_short_batch)
{
    tiny_run t;
    const char *const overrides[] = {"data.batch=64", NULL};
    run_rows(40, overrides, &t);
    ck_assert_int_eq(t.rows.n, 6);
    ck_assert_int_eq(row_of(&t, 1, 2)->steps, 2);
    ck_assert_int_eq(row_of(&t, 1, 2)->samples, 80);
}
END_TEST

static adn_run *failing;

/* Ends the run while it is told a row, as another block's thread would. */
static adn_status fail_meanwhile(void *user, const adn_epoch_row *row)
{
    (void)user;
    (void)row;
    adn_run_fail(failing, ADN_DEVICE);
    return ADN_OK;
}

START_TEST(a_run_fails_though_a_row_is_still_being_told)
{
    adn_dataset_pair data;
    adn_config *conf = tiny_config(config, NULL);
    adn_plan plan;
    adn_device *dev;

    tiny_data(&data, 48, 20, 8, 8, 3, 4);
    ck_assert_int_eq(adn_plan_create(conf, &data, &plan), ADN_OK);
    ck_assert_int_eq(adn_cpu_open(&dev), ADN_OK);
    adn_run_conf rc = {.plan = &plan, .data = &data, .dev = dev, .on_row = fail_meanwhile};
    ck_assert_int_eq(adn_run_create(&rc, &failing), ADN_OK);
    ck_assert_int_eq(adn_run_train(failing), ADN_DEVICE);
    adn_run_destroy(failing);
    dev->ops->close(dev);
    adn_plan_clear_all(&plan);
    adn_config_free(conf);
    tiny_data_clear(&data);
}
END_TEST

/* The first loss is of the initial weights: a mean of cross entropies, linear in the smoothing. */
START_TEST(label_smoothing_reaches_the_heads_and_not_the_classifier)
{
    static const char *const smoothing[] = {"aux.label_smoothing=0", "aux.label_smoothing=0.1",
                                            "aux.label_smoothing=0.2"};
    tiny_run t[3];

    for (int k = 0; k < 3; k++) {
        const char *const overrides[] = {"until=1st", "eval.every=inf", smoothing[k], NULL};
        run_rows(48, overrides, &t[k]);
    }
    for (int j = 0; j < 3; j++) {
        double loss[3];
        for (int k = 0; k < 3; k++) loss[k] = row_of(&t[k], j, 1)->train_loss;
        ck_assert_double_eq_tol(loss[2] - loss[0], 2 * (loss[1] - loss[0]), 1e-6);
        if (j < 2)
            ck_assert_double_gt(fabs(loss[1] - loss[0]), 1e-4);
        else
            ck_assert_double_eq(loss[1], loss[0]);
    }
}
END_TEST

/* The n-th failing call of the device, then of our allocator, from n = 1 on: the right status,
 * nothing leaks. */
static adn_status whole(const adn_config *conf, const adn_dataset_pair *data, adn_device *dev)
{
    adn_status st;
    adn_plan plan = {0};
    adn_run *run = NULL;

    ADN_TRY(st, adn_plan_create(conf, data, &plan), done);
    adn_run_conf rc = {.plan = &plan, .data = data, .dev = dev};
    ADN_TRY(st, adn_run_create(&rc, &run), done);
    st = adn_run_train(run);
done:
    adn_run_destroy(run);
    adn_plan_clear_all(&plan);
    return st;
}

START_TEST(every_failing_call_gives_its_status_and_leaks_nothing)
{
    adn_dataset_pair data;
    const char *const overrides[] = {"until=2st", "model.units=[{conv: 4}, {residual: 4}]",
                                     "model.cuts=[1]", NULL};
    adn_config *conf = tiny_config(config, overrides);
    adn_device *cpu, *dev;
    adn_status st = ADN_DEVICE;
    int64_t n, live;

    tiny_data(&data, 32, 5, 4, 4, 3, 2);
    ck_assert_int_eq(adn_cpu_open(&cpu), ADN_OK);
    ck_assert_int_eq(adn_faulty_open(cpu, &dev), ADN_OK);
    live = adn_alloc_live();
    for (n = 1; st != ADN_OK; n += n < 40 ? 1 : 7) {
        adn_faulty_arm(dev, n);
        st = whole(conf, &data, dev);
        ck_assert_msg(st == ADN_OK || st == ADN_DEVICE, "call %lld: %s", (long long)n,
                      adn_status_name(st));
        ck_assert_int_eq(adn_alloc_live(), live);
    }
    ck_assert_int_gt(n, 100);
    adn_faulty_arm(dev, 0);
    st = ADN_NOMEM;
    for (n = 1; st != ADN_OK; n++) {
        adn_alloc_fail_at(n);
        st = whole(conf, &data, dev);
        adn_alloc_fail_at(0);
        ck_assert_msg(st == ADN_OK || st == ADN_NOMEM, "allocation %lld: %s", (long long)n,
                      adn_status_name(st));
        ck_assert_int_eq(adn_alloc_live(), live);
    }
    dev->ops->close(dev);
    adn_config_free(conf);
    tiny_data_clear(&data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *tc = tcase_create("run");
    tcase_add_test(tc, a_step_allocates_nothing);
    tcase_add_test(tc, a_loss_that_is_not_finite_ends_the_run_and_names_block_step_and_layer);
    tcase_add_test(tc, greedy_trains_the_first_block_as_sync_does_and_then_leaves_it);
    tcase_add_test(tc, a_last_batch_of_one_sample_is_left_out);
    tcase_add_test(tc, drop_last_leaves_the_short_batch_out);
    tcase_add_test(tc, an_unfinished_last_epoch_has_rows_and_a_test);
    tcase_add_test(tc, a_batch_larger_than_the_set_is_one_short_batch);
    tcase_add_test(tc, a_run_fails_though_a_row_is_still_being_told);
    tcase_add_test(tc, label_smoothing_reaches_the_heads_and_not_the_classifier);
    tcase_add_test(tc, every_failing_call_gives_its_status_and_leaks_nothing);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
