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

/* --- R batches of n are one batch of R n */

typedef struct lone { /* a stage without norm, and a slot of its own */
    adn_device *devs[4];
    adn_stage *stage;
    adn_slot slots[4];
    int n_copy, batch;
} lone;

static const adn_optim_conf sgd = {
    .lr = 0.05, .momentum = 0.9, .weight_decay = 1e-3, .no_decay_bias = true};
static const adn_optim_conf adamw = {
    .kind = ADN_OPTIM_ADAMW, .lr = 0.01, .betas = {0.9, 0.999}, .eps = 1e-8};

/* Convolution and ReLU; a linear head. */
static adn_net_spec plain_spec(void)
{
    adn_net_spec spec = {.input = {1, 8, 8, 3}, .n_block = 2};
    const adn_layer layers[] = {{.kind = ADN_LAYER_CONV,
                                 .name = "unit1.conv",
                                 .src = 0,
                                 .channels = 6,
                                 .kernel = 3,
                                 .stride = 1,
                                 .pad = 1,
                                 .has_bias = true},
                                {.kind = ADN_LAYER_RELU, .src = 1},
                                {.kind = ADN_LAYER_FLATTEN, .src = 2},
                                {.kind = ADN_LAYER_LINEAR,
                                 .name = "classifier.fc1",
                                 .src = 3,
                                 .channels = 4,
                                 .has_bias = true}};

    for (size_t i = 0; i < ADN_COUNT(layers); i++)
        ck_assert_int_ne(adn_layers_add(&spec.layers, &layers[i]), 0);
    return spec;
}

static void lone_open(lone *l, const adn_optim_conf *optim, adn_clock_kind counts, int n_copy,
                      int batch)
{
    adn_net_spec spec = plain_spec();
    adn_stage_conf c = {.spec = &spec,
                        .n_copy = n_copy,
                        .queue = {.name = "lone", .n_thread = 1},
                        .type = ADN_F32,
                        .batches = {{batch, true}},
                        .n_batches = 1,
                        .optim = optim,
                        .counts = counts,
                        .until = {1, ADN_EPOCHS},
                        .epoch_samples = 1000,
                        .bucket_bytes = 64,
                        .seed = 3};

    *l = (lone){.n_copy = n_copy, .batch = batch};
    for (int k = 0; k < n_copy; k++) {
        adn_device *dev = l->devs[k] = c.devs[k] = devices_get(devices_are_gpus() ? k : 0);
        adn_slot *s = &l->slots[k];
        void *labels;
        ck_assert_int_eq(dev->ops->alloc(dev, (size_t)batch * 192 * sizeof(float), &s->x), ADN_OK);
        ck_assert_int_eq(dev->ops->alloc(dev, (size_t)batch * sizeof(*s->labels), &labels), ADN_OK);
        s->labels = labels;
        ck_assert_int_eq(dev->ops->event_create(dev, &s->read), ADN_OK);
        s->beside = k + 1 < n_copy ? s + 1 : NULL;
    }
    ck_assert_int_eq(adn_stage_create(&c, &l->stage), ADN_OK);
    adn_net_spec_clear(&spec);
}

static void lone_close(lone *l)
{
    adn_stage_destroy(l->stage);
    for (int k = 0; k < l->n_copy; k++) {
        const adn_device_ops *ops = l->devs[k]->ops;
        ops->release(l->devs[k], l->slots[k].x);
        ops->release(l->devs[k], l->slots[k].labels);
        ops->event_destroy(l->slots[k].read);
        ops->close(l->devs[k]);
    }
}

/* Sample i of a step is the same, whoever has it. */
static void lone_fill(lone *l, int step)
{
    float *x = adn_alloc((size_t)l->batch * 192 * sizeof(*x));
    adn_label *labels = adn_alloc((size_t)l->batch * sizeof(*labels));

    for (int k = 0; k < l->n_copy; k++) {
        adn_slot *s = &l->slots[k];
        adn_queue *q = adn_stage_queues(l->stage)[k];
        for (int i = 0; i < l->batch; i++) {
            uint64_t sample = (uint64_t)(1000 * step + k * l->batch + i);
            labels[i] = (adn_label){(int)(sample % 4), (int)(sample % 4), 1};
            for (size_t e = 0; e < 192; e++)
                x[(size_t)i * 192 + e] =
                    adn_rng_unit(adn_rng_draw(8, ADN_RNG_TEST, sample, e).u[0]) +
                    (e % 4 == sample % 4);
        }
        s->n_valid = l->batch;
        s->step = step;
        ck_assert_int_eq(q->dev->ops->upload(q, s->x, x, (size_t)l->batch * 192 * sizeof(*x)),
                         ADN_OK);
        ck_assert_int_eq(
            q->dev->ops->upload(q, s->labels, labels, (size_t)l->batch * sizeof(*labels)), ADN_OK);
        ck_assert_int_eq(q->dev->ops->queue_sync(q), ADN_OK);
    }
    adn_free(x);
    adn_free(labels);
}

static void lone_step(lone *l, int step)
{
    lone_fill(l, step);
    ck_assert_int_eq(adn_stage_step(l->stage, &l->slots[0], NULL, ADN_ACT_LEARN), ADN_OK);
    ck_assert_int_eq(adn_stage_drain(l->stage), ADN_OK);
}

static double distance(lone *a, lone *b)
{
    adn_net *nets[2] = {adn_stage_net(a->stage, 0), adn_stage_net(b->stage, 0)};
    double most = 0;

    for (int i = 0; i < adn_net_n_tensor(nets[0]); i++) {
        size_t n = adn_net_tensor(nets[0], i)->count;
        double *v[2];
        for (int k = 0; k < 2; k++) {
            v[k] = adn_alloc(n * sizeof(double));
            ck_assert_int_eq(adn_net_export(nets[k], i, adn_net_params(nets[k]), v[k]), ADN_OK);
        }
        for (size_t e = 0; e < n; e++) most = fmax(most, fabs(v[0][e] - v[1][e]));
        adn_free(v[0]);
        adn_free(v[1]);
    }
    return most;
}

START_TEST(without_norm_r_batches_are_one_that_is_r_times_as_large)
{
    int most = devices_are_gpus() ? ADN_MIN(devices_count(), 4) : 4;

    for (int n_copy = 2; n_copy <= most; n_copy += 2) {
        lone one, many;
        lone_open(&one, &sgd, ADN_CLOCK_FRESH, 1, 16);
        lone_open(&many, &sgd, ADN_CLOCK_FRESH, n_copy, 16 / n_copy);
        for (int step = 0; step < 20; step++) {
            lone_step(&one, step);
            lone_step(&many, step);
        }
        adn_stage_view a = adn_stage_look(one.stage), b = adn_stage_look(many.stage);
        ck_assert_int_eq(b.samples, a.samples);
        ck_assert_double_lt(a.loss, 1.2); /* it has learned */
        ck_assert_double_lt(fabs(a.loss - b.loss), 1e-5);
        ck_assert_double_lt(distance(&one, &many), 2e-6);
        lone_close(&one);
        lone_close(&many);
    }
}
END_TEST

/* AdamW's count is of updates, re-reads too: not of what the clock counts. */
START_TEST(two_clocks_make_the_same_updates_of_re_reads)
{
    lone fresh, own;

    lone_open(&fresh, &adamw, ADN_CLOCK_FRESH, 1, 16);
    lone_open(&own, &adamw, ADN_CLOCK_OWN_STEPS, 1, 16);
    for (int k = 0; k < 9; k++) { /* each batch three times */
        lone_step(&fresh, k / 3);
        lone_step(&own, k / 3);
    }
    ck_assert_int_eq(adn_stage_look(fresh.stage).steps, 3);
    ck_assert_int_eq(adn_stage_look(own.stage).steps, 9);
    ck_assert_double_eq(distance(&fresh, &own), 0);
    lone_close(&fresh);
    lone_close(&own);
}
END_TEST

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

/* A loss that is not finite ends the run, in whichever column it is. */
START_TEST(a_diverged_copy_ends_the_run)
{
    const float bad = NAN;

    if (!has_room(2)) return;
    for (int k = 0; k < 2; k++) {
        lone l;
        lone_open(&l, &sgd, ADN_CLOCK_FRESH, 2, 8);
        lone_fill(&l, 0);
        adn_queue *q = adn_stage_queues(l.stage)[k];
        ck_assert_int_eq(q->dev->ops->upload(q, l.slots[k].x, &bad, sizeof(bad)), ADN_OK);
        ck_assert_int_eq(q->dev->ops->queue_sync(q), ADN_OK);
        adn_test_log_clear();
        ck_assert_int_eq(adn_stage_step(l.stage, &l.slots[0], NULL, ADN_ACT_LEARN), ADN_OK);
        ck_assert_int_eq(adn_stage_drain(l.stage), ADN_DIVERGED);
        ck_assert_msg(strstr(adn_test_log(), "block 0, step 1: the loss is") != NULL, "%s",
                      adn_test_log());
        lone_close(&l);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replicas");
    TCase *tc = tcase_create("flows");

    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, without_norm_r_batches_are_one_that_is_r_times_as_large);
    tcase_add_test(tc, two_clocks_make_the_same_updates_of_re_reads);
    tcase_add_test(tc, copies_stay_the_same_and_sync_is_deterministic);
    tcase_add_test(tc, async_runs_with_every_policy_end_by_themselves);
    tcase_add_test(tc, the_virtual_schedule_has_columns_too);
    tcase_add_test(tc, each_column_has_its_own_share_of_an_epoch);
    tcase_add_test(tc, a_test_pass_is_shared_out_and_gives_the_same);
    tcase_add_test(tc, a_stopped_run_goes_on_as_if_it_had_not_stopped);
    tcase_add_test(tc, a_recorded_async_run_is_repeated_bit_for_bit);
    tcase_add_test(tc, a_diverged_copy_ends_the_run);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
