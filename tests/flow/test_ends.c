/* No run hangs at its end: every schedule, policy, clock and end of async, with a slow first block
 * and a slow last one, ends by itself, with the right rows. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const three_blocks =
    "seed: 3\n"
    "mode: async\n"
    "until: 2ep\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [flip]}\n"
    "model: {units: [{conv: 4}, {conv: 4}, {residual: 4}], cuts: every}\n"
    "aux: {kind: linear}\n"
    "classifier: {hidden: 0}\n"
    "edge: {slots: 2}\n"
    "blocks: [{threads: 1}, {threads: 1}, {threads: 1}]\n"
    "optim: {lr: 0.05, schedule: {kind: constant}}\n";

enum { N_TRAIN = 90, N_TEST = 20, EPOCHS = 2, PATIENCE_S = 60 }; /* 6 steps, the last of 10 */

typedef enum how { THREADS, CLOCK, RANDOM } how;
static const char *const hows[] = {"threads", "clock", "random"};
static const char *const policies[] = {"fifo",          "latest",  "lifo",
                                       "priority-lifo", "uniform", "priority-lifo-paper"};

typedef struct one {
    how how;
    int policy, drops, own_steps, stops, slow; /* slow: 0 none, 1 the first block, 2 the last */
} one;

static void say(const one *o)
{
    printf("%s %s %s %s %s, slow: %s\n", hows[o->how], policies[o->policy],
           o->drops ? "drop_oldest" : "block", o->own_steps ? "own_steps" : "fresh",
           o->stops ? "stop" : "eval_forward",
           o->slow == 0   ? "none"
           : o->slow == 1 ? "first"
                          : "last");
    fflush(stdout);
}

static adn_config *config_of(const one *o)
{
    char text[10][48];
    const char *overrides[11] = {0};
    int n = 0;

    snprintf(text[n++], 48, "schedule=%s", o->how == THREADS ? "threads" : "virtual");
    snprintf(text[n++], 48, "draw=%s", o->how == RANDOM ? "random" : "clock");
    snprintf(text[n++], 48, "edge.policy=%s", policies[o->policy]);
    snprintf(text[n++], 48, "edge.when_full=%s", o->drops ? "drop_oldest" : "block");
    snprintf(text[n++], 48, "clock=%s", o->own_steps ? "own_steps" : "fresh");
    snprintf(text[n++], 48, "after_end=%s", o->stops ? "stop" : "eval_forward");
    if (o->slow > 0) {
        snprintf(text[n++], 48, "chaos.slow[0].block=%d", o->slow == 1 ? 0 : 2);
        snprintf(text[n++], 48, "chaos.slow[0].factor=3");
    }
    for (int i = 0; i < n; i++) overrides[i] = text[i];
    return tiny_config(three_blocks, overrides);
}

/* The rows of a block: epochs in order, the last with the last pass's test. */
static void check_rows(const tiny_run *t, const one *o, int block)
{
    int n = 0;
    const adn_epoch_row *last = NULL;

    for (int i = 0; i < t->rows.n; i++) {
        const adn_epoch_row *r = &t->rows.rows[i];
        if (r->block != block) continue;
        ck_assert_int_eq(r->epoch, ++n);
        last = r;
    }
    ck_assert_ptr_nonnull(last);
    ck_assert(isfinite(last->test_loss) && isfinite(last->test_top1));
    if (o->stops && block > 0) return; /* its producer may have ended before */
    ck_assert_int_eq(n, EPOCHS);
    ck_assert(isfinite(last->train_loss));
    ck_assert_int_ge(last->samples, EPOCHS * N_TRAIN);
    ck_assert_int_lt(last->samples, EPOCHS * N_TRAIN + 16);
}

static void end_by_itself(const adn_dataset_pair *data, const one *o)
{
    adn_config *conf = config_of(o);
    tiny_run t;

    say(o);
    alarm(PATIENCE_S); /* a hang ends the test program, and the line above says where */
    tiny_open(&t, conf, data, &(tiny_options){.jitter = 0});
    ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
    alarm(0);
    for (int j = 0; j < t.plan.n_block; j++) check_rows(&t, o, j);
    tiny_close(&t);
    adn_config_free(conf);
}

static void every_end_of(how schedule)
{
    adn_dataset_pair data;

    tiny_data(&data, N_TRAIN, N_TEST, 8, 8, 3, 4);
    for (int policy = 0; policy < (int)ADN_COUNT(policies); policy++)
        for (int drops = 0; drops < (policy == 0 ? 1 : 2); drops++)
            for (int rest = 0; rest < 12; rest++)
                end_by_itself(&data,
                              &(one){schedule, policy, drops, rest & 1, rest >> 1 & 1, rest >> 2});
    tiny_data_clear(&data);
}

START_TEST(every_run_on_threads_ends)
{
    every_end_of(THREADS);
}
END_TEST

START_TEST(every_run_by_a_modelled_clock_ends)
{
    every_end_of(CLOCK);
}
END_TEST

START_TEST(every_run_of_drawn_blocks_ends)
{
    every_end_of(RANDOM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ends");
    TCase *tc = tcase_create("ends");
    tcase_add_test(tc, every_run_on_threads_ends);
    tcase_add_test(tc, every_run_by_a_modelled_clock_ends);
    tcase_add_test(tc, every_run_of_drawn_blocks_ends);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
