/* Trials. */
#include "trial.h"

#include <unistd.h>

#include "suite.h"

static const char *const three_blocks =
    "seed: 3\n"
    "mode: async\n"
    "until: 3ep\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [flip]}\n"
    "model: {units: [{conv: 4}, {conv: 4}, {residual: 4}], cuts: every}\n"
    "aux: {kind: linear}\n"
    "classifier: {hidden: 0}\n"
    "edge: {slots: 3}\n"
    "blocks: [{threads: 1}, {threads: 1}, {threads: 1}]\n"
    "optim: {lr: 0.05, schedule: {kind: step, every: 1ep, factor: 0.5}}\n"
    "checkpoint: {every: inf, keep: {last: 2, best: 1}}\n";

enum { PATIENCE_S = 120 };

static adn_dataset_pair data;

void trial_setup(void)
{
    tiny_data(&data, N_TRAIN, N_TEST, 8, 8, 3, 4);
}

void trial_teardown(void)
{
    tiny_data_clear(&data);
}

const adn_dataset_pair *trial_data(void)
{
    return &data;
}

void trial_open(trial *x, const char *overrides, const tiny_options *o)
{
    x->conf = tiny_config_of(three_blocks, overrides);
    x->dir = adn_test_dir();
    tiny_options options = *o;
    *(x->saves ? &options.dir : &options.order_dir) = x->dir;
    tiny_open(&x->t, x->conf, &data, &options);
    model_begin(&x->model, &x->t);
}

void trial_run(trial *x)
{
    alarm(PATIENCE_S); /* a hang ends the program */
    ck_assert_int_eq(adn_run_train(x->t.run), ADN_OK);
    alarm(0);
    model_read(&x->model, &x->t.plan, x->dir);
}

void trial_close(trial *x)
{
    tiny_close(&x->t);
    adn_config_free(x->conf);
}
