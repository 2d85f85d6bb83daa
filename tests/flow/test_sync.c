/* `sync` against an independent loop: no stages, edges, schedules or threads of the pipeline, just
 * nets one after another. Weights, momenta, statistics, test results and rows must be the same
 * bits. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "optim/optim.h"
#include "suite.h"
#include "tiny.h"

static const char *const four_blocks =
    "mode: sync\n"
    "seed: 5\n"
    "until: 3ep\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [crop 2, flip, cutout 3]}\n"
    "model:\n"
    "  units: [{conv: 6}, {pool: 2, conv: 8}, {residual: 8}, {residual: 12, stride: 2}]\n"
    "  cuts: every\n"
    "aux: {kind: mlp-sr, conv: 1, hidden: 1, label_smoothing: 0.1}\n"
    "classifier: {hidden: 1}\n"
    "edge: {slots: 2}\n"
    "optim: {name: sgd, lr: 0.05, momentum: 0.9, weight_decay: 1e-3, reset_momentum: true,\n"
    "        schedule: {kind: step, every: 1ep, factor: 0.5}}\n"
    "eval: {every: 1ep}\n"
    "checkpoint: {every: 1ep, keep: {last: 5, best: 1}}\n";

enum { MAX_BLOCK = 4 };

typedef struct loop { /* the independent one */
    const adn_plan *plan;
    const adn_dataset_pair *data;
    adn_device *dev;
    adn_queue *queue[MAX_BLOCK];
    adn_net *net[MAX_BLOCK];
    adn_optim *optim[MAX_BLOCK];
    void *x[MAX_BLOCK + 1]; /* what block j reads */
    adn_label *labels;
    adn_loss_result *result;
    int32_t *halt;
    adn_epoch_row rows[MAX_BLOCK][8];
} loop;

static void loop_open(loop *l, const adn_plan *p, const adn_dataset_pair *data)
{
    *l = (loop){.plan = p, .data = data};
    const adn_config *conf = p->conf;

    ck_assert_int_eq(adn_cpu_open(&l->dev), ADN_OK);
    for (int j = 0; j < p->n_block; j++) {
        adn_queue_conf qc = {.name = "loop", .n_thread = p->blocks[j].queue.n_thread};
        ck_assert_int_eq(l->dev->ops->queue_create(l->dev, &qc, &l->queue[j]), ADN_OK);
        adn_net_conf nc = {.spec = &p->blocks[j].spec,
                           .queue = l->queue[j],
                           .type = p->type,
                           .n_batches = p->n_batches};
        memcpy(nc.batches, p->batches, sizeof(nc.batches));
        ck_assert_int_eq(adn_net_create(&nc, &l->net[j]), ADN_OK);
        ck_assert_int_eq(adn_net_init(l->net[j], conf->model.init, conf->seed), ADN_OK);
        size_t n_decay, n = adn_net_n_param(l->net[j], &n_decay);
        ck_assert_int_eq(adn_optim_create(l->queue[j], adn_param_type(p->type), n, n_decay,
                                          &conf->optim, &l->optim[j]),
                         ADN_OK);
        l->x[j + 1] = adn_alloc(adn_shape_count(p->blocks[j].emits) * adn_type_bytes(p->type));
    }
    l->x[0] = adn_alloc(adn_shape_count(p->image));
    l->labels = adn_alloc((size_t)p->batch * sizeof(adn_label));
    l->result = adn_alloc(sizeof(*l->result));
    l->halt = adn_alloc(sizeof(*l->halt));
}

static void loop_close(loop *l)
{
    for (int j = 0; j < l->plan->n_block; j++) {
        adn_optim_destroy(l->optim[j]);
        adn_net_destroy(l->net[j]);
        l->dev->ops->queue_destroy(l->queue[j]);
    }
    for (int j = 0; j <= l->plan->n_block; j++) adn_free(l->x[j]);
    adn_free(l->labels);
    adn_free(l->result);
    adn_free(l->halt);
    l->dev->ops->close(l->dev);
}

static int fill(loop *l, const adn_dataset *set, const uint32_t *order, int first, int epoch)
{
    const adn_data_conf *d = &l->plan->conf->data;
    size_t image = (size_t)(set->h * set->w * set->c);
    uint8_t black[ADN_MAX_CHANNELS];
    int n = ADN_MIN(l->plan->batch, set->n - first);

    for (int c = 0; c < set->c; c++) black[c] = (uint8_t)lround(255 * l->data->mean[c]);
    for (int i = 0; i < n; i++) {
        uint32_t sample = order != NULL ? order[first + i] : (uint32_t)(first + i);
        adn_augment(d->augment, order != NULL ? d->n_augment : 0, l->plan->conf->seed, epoch,
                    sample, set->h, set->w, set->c, black, set->pixels + sample * image,
                    (uint8_t *)l->x[0] + (size_t)i * image);
        l->labels[i] = (adn_label){set->labels[sample], set->labels[sample], 1};
    }
    return n;
}

static adn_loss_result pass(loop *l, int j, int n, bool is_training)
{
    bool is_last = j == l->plan->n_block - 1;
    adn_net_io io = {.src = l->x[j],
                     .emit = is_last ? NULL : l->x[j + 1],
                     .labels = l->labels,
                     .result = l->result,
                     .halt = l->halt,
                     .moves_stats = true};
    ck_assert_int_eq(adn_net_fwd(l->net[j], n, is_training, &io), ADN_OK);
    ck_assert_int_eq(adn_net_learn(l->net[j], n, is_training, &io), ADN_OK);
    ck_assert_int_eq(l->dev->ops->queue_sync(l->queue[j]), ADN_OK);
    return *l->result;
}

static void loop_epoch(loop *l, int epoch)
{
    const adn_plan *p = l->plan;
    uint32_t *order = adn_alloc((size_t)p->n_train * sizeof(*order));
    double loss[MAX_BLOCK] = {0}, test_loss[MAX_BLOCK] = {0};
    int64_t hits[MAX_BLOCK] = {0}, test_hits[MAX_BLOCK] = {0};
    double lr = p->conf->optim.lr * pow(0.5, epoch - 1);

    adn_order_epoch(p->conf->seed, epoch, p->n_train, order);
    for (int first = 0; first < p->n_train; first += p->batch) {
        int n = fill(l, &l->data->train, order, first, epoch);
        bool falls = epoch > 1 && first == 0; /* the rate has, just now */
        adn_update u = {.lr = lr,
                        .count = (epoch - 1) * p->epoch_steps + first / p->batch + 1,
                        .resets = falls && p->conf->optim.reset_momentum};
        for (int j = 0; j < p->n_block; j++) {
            adn_loss_result r = pass(l, j, n, true);
            loss[j] += r.loss_sum;
            hits[j] += r.hits;
            ck_assert_int_eq(adn_optim_step(l->optim[j], adn_net_params(l->net[j]),
                                            adn_net_grads(l->net[j]), &u, l->halt),
                             ADN_OK);
            ck_assert_int_eq(l->dev->ops->queue_sync(l->queue[j]), ADN_OK);
        }
    }
    for (int first = 0; first < p->n_test; first += p->batch) {
        int n = fill(l, &l->data->test, NULL, first, 1);
        for (int j = 0; j < p->n_block; j++) {
            adn_loss_result r = pass(l, j, n, false);
            test_loss[j] += r.loss_sum;
            test_hits[j] += r.hits;
        }
    }
    for (int j = 0; j < p->n_block; j++)
        l->rows[j][epoch] = (adn_epoch_row){.lr = lr,
                                            .steps = (int64_t)epoch * p->epoch_steps,
                                            .samples = (int64_t)epoch * p->n_train,
                                            .train_loss = loss[j] / p->n_train,
                                            .train_top1 = 100 * ((double)hits[j] / p->n_train),
                                            .test_loss = test_loss[j] / p->n_test,
                                            .test_top1 = 100 * ((double)test_hits[j] / p->n_test)};
    adn_free(order);
}

static void compare_rows(const loop *l, const tiny_rows *rows)
{
    ck_assert_int_eq(rows->n, 3 * l->plan->n_block);
    for (int j = 0; j < l->plan->n_block; j++)
        for (int e = 1; e <= 3; e++) {
            const adn_epoch_row *a = tiny_row(rows, j, e), *b = &l->rows[j][e];
            ck_assert_ptr_nonnull(a);
            ck_assert_int_eq(a->steps, b->steps);
            ck_assert_int_eq(a->samples, b->samples);
            ck_assert_double_eq(a->lr, b->lr);
            ck_assert_double_eq(a->train_loss, b->train_loss);
            ck_assert_double_eq(a->train_top1, b->train_top1);
            ck_assert_double_eq(a->test_loss, b->test_loss);
            ck_assert_double_eq(a->test_top1, b->test_top1);
        }
}

/* 71 = 4 x 16 + 7: the last batch is short; test pass, save and short batch fall on one step. 37 =
 * 2 x 16 + 5. */
static void compare(uint64_t jitter, const char *slots, const char *other, int n_dev)
{
    adn_dataset_pair data;
    tiny_options o = {.jitter = jitter, .dir = adn_test_dir(), .n_dev = n_dev};
    const char *const overrides[] = {slots, other, NULL};
    adn_config *conf = tiny_config(four_blocks, overrides);
    tiny_run t;
    loop l;

    tiny_data(&data, 71, 37, 12, 12, 3, 5);
    for (int k = 0; k < n_dev; k++) ck_assert_int_eq(adn_cpu_open(&o.devs[k]), ADN_OK);
    tiny_open(&t, conf, &data, &o);
    loop_open(&l, &t.plan, &data);
    for (int e = 1; e <= 3; e++) loop_epoch(&l, e);
    ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
    ck_assert_int_eq(t.n_save, 3);
    for (int j = 0; j < t.plan.n_block; j++) {
        adn_stage *s = adn_run_stage(t.run, j);
        ck_assert_uint_eq(tiny_hash(adn_stage_net(s, 0), adn_stage_optim(s, 0)),
                          tiny_hash(l.net[j], l.optim[j]));
    }
    compare_rows(&l, &t.rows);
    loop_close(&l);
    tiny_close(&t);
    adn_config_free(conf);
    tiny_data_clear(&data);
}

START_TEST(sync_equals_an_independent_loop_bit_for_bit)
{
    compare(0, "edge.slots=2", "precision=fp32", 1);
}
END_TEST

START_TEST(sync_over_bf16_equals_it_too)
{
    compare(9, "edge.slots=2", "precision=bf16", 1);
}
END_TEST

START_TEST(sync_with_adamw_equals_it_too)
{
    compare(0, "edge.slots=2", "optim={name: adamw, lr: 0.01, schedule: {every: 1ep, factor: 0.5}}",
            1);
}
END_TEST

START_TEST(delays_in_queues_and_threads_change_no_bit)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        compare(seed, seed % 2 == 0 ? "edge.slots=1" : "edge.slots=3", "precision=fp32", 1);
}
END_TEST

/* Each block's output is carried to the next device on a queue of its own. */
START_TEST(blocks_on_several_devices_change_no_bit)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        compare(seed, seed % 2 == 0 ? "edge.slots=1" : "edge.slots=3", "precision=fp32",
                seed % 2 == 0 ? 2 : 3);
}
END_TEST

static void learn(const char *precision)
{
    adn_dataset_pair data;
    const char *const overrides[] = {"until=12ep", "data.augment=[]", precision, NULL};
    adn_config *conf = tiny_config(four_blocks, overrides);
    tiny_run t;

    tiny_data(&data, 320, 64, 12, 12, 3, 5);
    tiny_open(&t, conf, &data, &(tiny_options){0});
    ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
    for (int j = 0; j < t.plan.n_block; j++)
        ck_assert_double_lt(tiny_row(&t.rows, j, 12)->train_loss,
                            0.8 * tiny_row(&t.rows, j, 1)->train_loss);
    tiny_close(&t);
    adn_config_free(conf);
    tiny_data_clear(&data);
}

START_TEST(the_net_learns)
{
    learn("precision=fp32");
    learn("precision=bf16");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sync");
    TCase *tc = tcase_create("sync");
    tcase_add_test(tc, sync_equals_an_independent_loop_bit_for_bit);
    tcase_add_test(tc, sync_over_bf16_equals_it_too);
    tcase_add_test(tc, sync_with_adamw_equals_it_too);
    tcase_add_test(tc, delays_in_queues_and_threads_change_no_bit);
    tcase_add_test(tc, blocks_on_several_devices_change_no_bit);
    tcase_add_test(tc, the_net_learns);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
