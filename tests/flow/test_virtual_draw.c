/* The virtual schedule as a whole: drawn blocks, seeds, the other modes' bits, hundreds of blocks.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const three_blocks =
    "seed: 3\n"
    "mode: async\n"
    "schedule: virtual\n"
    "draw: random\n"
    "until: 3ep\n"
    "data: {name: cifar10, root: nowhere, batch: 4, augment: [flip]}\n"
    "model: {units: [{conv: 4}, {conv: 4}, {residual: 4}], cuts: every}\n"
    "aux: {kind: linear}\n"
    "classifier: {hidden: 0}\n"
    "edge: {slots: 2}\n"
    "blocks: [{threads: 1}, {threads: 1}, {threads: 1}]\n"
    "optim: {lr: 0.05, schedule: {kind: constant}}\n";

enum { N_BLOCK = 3, PATIENCE_S = 120 };

static adn_dataset_pair data;

static void setup(void)
{
    tiny_data(&data, 26, 6, 4, 4, 3, 2); /* 7 steps an epoch, the last of 2 */
    alarm(PATIENCE_S);                   /* a hang ends the program */
}

static void teardown(void)
{
    tiny_data_clear(&data);
    alarm(0);
}

/* --- draws */

typedef struct drawn {
    tiny_run t;
    int64_t n[N_BLOCK]; /* steps while nobody was done */
    int64_t decays;     /* of all, when the warm-up began */
    int n_warm;
    int n_warmup; /* that were whole */
    bool must_warm, is_over;
} drawn;

static drawn d;

static void check_turn(void *user, int block)
{
    (void)user;
    int64_t decays = 0;

    for (int j = 0; j < N_BLOCK; j++) {
        decays += adn_stage_clock_now(adn_run_stage(d.t.run, j)).decays;
        d.is_over = d.is_over || adn_run_is_done(d.t.run, j);
    }
    if (d.is_over) return;
    d.n[block]++;
    if (!d.must_warm) return;
    if (decays != d.decays) d.n_warm = 0;
    d.decays = decays;
    if (d.n_warm < 2 * N_BLOCK) {
        ck_assert_int_eq(block, d.n_warm / 2);
        d.n_warmup += ++d.n_warm == 2 * N_BLOCK;
    }
}

static void run_drawn(const char *overrides, bool must_warm)
{
    adn_config *conf = tiny_config_of(three_blocks, overrides);

    d = (drawn){.must_warm = must_warm};
    tiny_open(&d.t, conf, &data, &(tiny_options){.before_step = check_turn});
    ck_assert_int_eq(adn_run_train(d.t.run), ADN_OK);
    tiny_close(&d.t);
    adn_config_free(conf);
}

START_TEST(blocks_warm_up_in_order_at_first_and_after_each_decay)
{
    run_drawn("until=12ep optim.schedule.kind=step optim.schedule.every=3ep "
              "optim.schedule.factor=0.5",
              true);
    ck_assert_int_ge(d.n_warmup, 4);
    run_drawn("until=12ep optim.schedule.kind=multistep optim.schedule.at=[5ep] "
              "optim.schedule.factor=0.5",
              true);
    ck_assert_int_ge(d.n_warmup, 2);
}
END_TEST

/* Rates 1, 1 / 2 and 1 / 4: four, two and one of seven draws, within three sigma. */
START_TEST(blocks_are_drawn_as_often_as_they_are_fast)
{
    run_drawn("until=1600st clock=own_steps eval.every=inf "
              "chaos.slow[0].block=1 chaos.slow[0].factor=2 chaos.slow[1].block=2 "
              "chaos.slow[1].factor=4",
              false);
    int64_t n = d.n[0] + d.n[1] + d.n[2];
    ck_assert_int_gt(n, 2500);
    for (int j = 0; j < N_BLOCK; j++) {
        double p = (j == 0 ? 4 : j == 1 ? 2 : 1) / 7.0;
        double sigma = sqrt(p * (1 - p) * (double)n);
        ck_assert_double_le(fabs((double)d.n[j] - p * (double)n), 3 * sigma + 2);
    }
}
END_TEST

START_TEST(a_block_that_cannot_step_is_passed_over)
{
    run_drawn("edge.policy=fifo edge.slots=1", false);
    for (int j = 0; j < N_BLOCK; j++) ck_assert_int_ge(tiny_row(&d.t.rows, j, 3)->steps, 21);
    /* thousands of draws long everybody but one waits for one */
    run_drawn("edge.policy=fifo edge.slots=1 until=3st eval.every=inf after_end=stop "
              "chaos.slow[0].block=2 chaos.slow[0].factor=20000",
              false);
    for (int j = 0; j < N_BLOCK; j++) ck_assert_int_eq(tiny_row(&d.t.rows, j, 1)->steps, 3);
}
END_TEST

/* However many batches a link's delay keeps: who drops does not wait for it. */
START_TEST(a_producer_that_drops_is_never_passed_over)
{
    adn_config *conf = tiny_config_of(
        three_blocks, "until=60st chaos.link[0].edge=1 chaos.link[0].delay=20s edge.max_reuse=1");

    tiny_open(&d.t, conf, &data, &(tiny_options){.jitter = 0});
    ck_assert_int_eq(adn_run_train(d.t.run), ADN_OK);
    ck_assert_double_eq(adn_run_edge(d.t.run, 1).wait_out_s, 0);
    tiny_close(&d.t);
    adn_config_free(conf);
}
END_TEST

/* --- seeds and modes */

typedef struct bytes {
    uint64_t hash;
    adn_epoch_row rows[64];
    int n_row;
    size_t n_order;
    char order[1 << 20];
} bytes;

static void run_bytes(const char *overrides, bytes *out)
{
    adn_config *conf = tiny_config_of(three_blocks, overrides);
    const char *dir = adn_test_dir();
    char *path = adn_format("%s/order.bin", dir);
    tiny_run t;

    memset(out, 0, sizeof(*out));
    tiny_open(&t, conf, &data, &(tiny_options){.order_dir = dir});
    ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
    out->hash = tiny_run_hash(&t);
    out->n_row = t.rows.n;
    memcpy(out->rows, t.rows.rows, sizeof(out->rows));
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    out->n_order = fread(out->order, 1, sizeof(out->order), f);
    ck_assert_uint_lt(out->n_order, sizeof(out->order));
    fclose(f);
    adn_free(path);
    tiny_close(&t);
    adn_config_free(conf);
}

static bool same_order(const bytes *a, const bytes *b)
{
    return a->n_order == b->n_order && memcmp(a->order, b->order, a->n_order) == 0;
}

START_TEST(the_same_seed_gives_the_same_bytes_and_another_another_order)
{
    static const char *const runs[] = {
        "", "edge.policy=uniform edge.emit=fresh",
        "draw=clock chaos.spread=0.5 chaos.link[0].edge=1 chaos.link[0].loss=0.2",
        "draw=clock edge.policy=uniform chaos.spread=0.9"};
    static bytes a, b, c;

    for (size_t i = 0; i < ADN_COUNT(runs); i++) {
        char text[200];
        run_bytes(runs[i], &a);
        run_bytes(runs[i], &b);
        snprintf(text, sizeof(text), "%s seed=4", runs[i]);
        run_bytes(text, &c);
        ck_assert(a.hash == b.hash && same_order(&a, &b));
        ck_assert(a.n_row == b.n_row && memcmp(a.rows, b.rows, sizeof(a.rows)) == 0);
        ck_assert(!same_order(&a, &c));
    }
}
END_TEST

START_TEST(the_other_modes_have_the_bits_of_threads)
{
    static const char *const modes[] = {"bp", "sync", "greedy"};
    static bytes a, b;

    for (size_t i = 0; i < ADN_COUNT(modes); i++)
        for (int k = 0; k < 2; k++) {
            char text[200];
            snprintf(text, sizeof(text), "mode=%s schedule=threads", modes[i]);
            run_bytes(text, &a);
            snprintf(text, sizeof(text),
                     "mode=%s draw=%s chaos.slow[0].block=1 "
                     "chaos.slow[0].factor=3",
                     modes[i], k == 0 ? "clock" : "random");
            run_bytes(text, &b);
            ck_assert_uint_eq(a.hash, b.hash);
            ck_assert_int_eq(a.n_row, b.n_row);
        }
}
END_TEST

/* --- hundreds of blocks */

static const char *const hundreds_of_blocks =
    "mode: async\n"
    "schedule: virtual\n"
    "data: {name: cifar10, root: nowhere, batch: 4}\n"
    "model: {units: [{conv: 4, repeat: 200}], cuts: every}\n"
    "aux: {kind: linear}\n"
    "eval: {every: inf}\n"
    "optim: {lr: 0.05, schedule: {kind: constant}}\n";

static int64_t live_at_first, live_most, n_begun;

static void count_live(void *user, int block)
{
    (void)user;
    (void)block;
    int64_t live = adn_alloc_live();
    if (n_begun++ == 0) live_at_first = live_most = live;
    live_most = ADN_MAX(live_most, live);
}

START_TEST(two_hundred_blocks_end_in_the_memory_they_began_with)
{
    static const int n_block[] = {200, 50};

    for (int i = 0; i < 2; i++) {
        char text[200];
        static tiny_run t;
        snprintf(text, sizeof(text), "%s model.units=[{conv:\t4,repeat:\t%d}]",
                 i == 0 ? "draw=clock until=3st after_end=stop" : "draw=random until=2st",
                 n_block[i]);
        adn_config *conf = tiny_config_of(hundreds_of_blocks, text);
        n_begun = 0;
        tiny_open(&t, conf, &data, &(tiny_options){.before_step = count_live});
        ck_assert_int_eq(t.plan.n_block, n_block[i]);
        ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
        ck_assert_int_eq(live_most, live_at_first);
        ck_assert_int_ge(n_begun, n_block[i]);
        ck_assert_int_eq(t.rows.n, n_block[i]);
        tiny_close(&t);
        adn_config_free(conf);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("virtual_draw");
    TCase *tc = tcase_create("virtual_draw");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, blocks_warm_up_in_order_at_first_and_after_each_decay);
    tcase_add_test(tc, blocks_are_drawn_as_often_as_they_are_fast);
    tcase_add_test(tc, a_block_that_cannot_step_is_passed_over);
    tcase_add_test(tc, a_producer_that_drops_is_never_passed_over);
    tcase_add_test(tc, the_same_seed_gives_the_same_bytes_and_another_another_order);
    tcase_add_test(tc, the_other_modes_have_the_bits_of_threads);
    tcase_add_test(tc, two_hundred_blocks_end_in_the_memory_they_began_with);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
