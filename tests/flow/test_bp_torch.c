/* `bp` against 20 recorded steps of PyTorch (support/record_bp.py) from the same weights and
 * batches, given by a formula on both sides. For each step and kind of quantity our largest
 * relative deviation from PyTorch's float64 is at most ten times that of PyTorch's float32, plus
 * 1e-6; with Winograd's transforms, whose rounding is up to four times that of direct sums, forty
 * times and 4e-6. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"
#include "formula.h"
#include "optim/optim.h"
#include "suite.h"
#include "tiny.h"

enum { N_STEP = 20, N_KIND = 4, MAX_TENSOR = 160 };
static const char *const kinds[N_KIND] = {"loss", "param_norm", "running_mean", "running_var"};

typedef struct deviation { /* the largest of a step and kind */
    double ours, torch;
    char ours_at[64];
    int n;
} deviation;

typedef struct bench { /* the net under test */
    adn_config *conf;
    adn_plan plan;
    adn_dataset_pair data;
    adn_device *dev;
    adn_queue *queue;
    adn_net *net;
    adn_optim *optim;
    uint8_t *pixels;                     /* the host's */
    adn_label *labels;                   /* likewise */
    void *src, *targets, *result, *halt; /* the device's */
    double loss, norms[MAX_TENSOR];
} bench;

static int header_int(FILE *f, const char *what)
{
    char line[512];
    int value = 0;
    rewind(f);
    while (fgets(line, sizeof(line), f) != NULL && line[0] == '#') {
        const char *at = strstr(line, what);
        if (at != NULL && value == 0) value = atoi(at + strlen(what));
    }
    ck_assert_int_gt(value, 0);
    return value;
}

static double header_real(FILE *f, const char *what)
{
    char line[512];
    rewind(f);
    while (fgets(line, sizeof(line), f) != NULL && line[0] == '#') {
        const char *at = strstr(line, what);
        if (at != NULL) return strtod(at + strlen(what), NULL);
    }
    ck_abort_msg("the recording does not say '%s'", what);
}

static void set_formula_weights(bench *b)
{
    uint32_t number = 0;
    int64_t fan_in = 1;

    for (int i = 0; i < adn_net_n_tensor(b->net); i++) {
        const adn_tensor *t = adn_net_tensor(b->net, i);
        if (t->is_stat) continue; /* 0 and 1, as created */
        bool is_norm = strstr(t->name, "norm") != NULL;
        double *v = adn_alloc(t->count * sizeof(*v));
        if (t->n_dim > 1) fan_in = t->dim[1] * (t->n_dim == 4 ? t->dim[2] * t->dim[3] : 1);
        bool is_one = is_norm && strstr(t->name, ".weight") != NULL;
        for (size_t k = 0; k < t->count; k++)
            v[k] =
                is_one ? 1 : adn_formula_param(number, (uint32_t)k, is_norm ? 4 : (uint32_t)fan_in);
        ck_assert_int_eq(adn_net_import(b->net, i, adn_net_params(b->net), v), ADN_OK);
        adn_free(v);
        number++;
    }
}

static size_t pixel_bytes(const bench *b)
{
    return (size_t)b->plan.batch * 32 * 32 * 3;
}

static size_t label_bytes(const bench *b)
{
    return (size_t)b->plan.batch * sizeof(adn_label);
}

static void *on_device(const bench *b, size_t bytes)
{
    void *p = NULL;
    ck_assert_int_eq(b->dev->ops->alloc(b->dev, bytes, &p), ADN_OK);
    return p;
}

static void bench_open(bench *b, const char *name, int batch, double lr, adn_conv_algo conv)
{
    char *yaml = adn_format(
        "mode: bp\nuntil: 1ep\ndata: {name: cifar10, root: nowhere, batch: %d}\nmodel: {name: %s}\n"
        "optim: {name: sgd, lr: %.17g, momentum: 0.9, weight_decay: 5e-4, schedule: {kind: "
        "constant}}\n",
        batch, name, lr);
    *b = (bench){.conf = tiny_config(yaml, NULL)};
    adn_free(yaml);
    tiny_data(&b->data, batch, batch, 32, 32, 3, 10);
    memcpy(b->data.mean, (double[]){.4914, .4822, .4465}, 3 * sizeof(double));
    memcpy(b->data.std, (double[]){.2023, .1994, .2010}, 3 * sizeof(double));
    ck_assert_int_eq(adn_plan_create(b->conf, &b->data, &b->plan), ADN_OK);
    b->dev = devices_get(0);
    ck_assert_int_eq(b->dev->ops->queue_create(
                         b->dev, &(adn_queue_conf){.name = "bp", .n_thread = 2}, &b->queue),
                     ADN_OK);
    adn_net_conf nc = {.spec = &b->plan.blocks[0].spec,
                       .queue = b->queue,
                       .type = ADN_F32,
                       .conv = conv,
                       .batches = {{batch, true}},
                       .n_batches = 1};
    ck_assert_int_eq(adn_net_create(&nc, &b->net), ADN_OK);
    ck_assert_int_eq(adn_net_init(b->net, ADN_INIT_TORCH, 1), ADN_OK);
    ck_assert_int_le(adn_net_n_tensor(b->net), MAX_TENSOR);
    set_formula_weights(b);
    size_t n_decay, n = adn_net_n_param(b->net, &n_decay);
    ck_assert_int_eq(adn_optim_create(b->queue, ADN_F32, n, n_decay, &b->conf->optim, &b->optim),
                     ADN_OK);
    b->pixels = adn_alloc(pixel_bytes(b));
    b->labels = adn_alloc(label_bytes(b));
    b->src = on_device(b, pixel_bytes(b));
    b->targets = on_device(b, label_bytes(b));
    b->result = on_device(b, sizeof(adn_loss_result));
    b->halt = on_device(b, sizeof(int32_t));
}

static void bench_close(bench *b)
{
    adn_optim_destroy(b->optim);
    adn_net_destroy(b->net);
    b->dev->ops->queue_destroy(b->queue);
    b->dev->ops->release(b->dev, b->src);
    b->dev->ops->release(b->dev, b->targets);
    b->dev->ops->release(b->dev, b->result);
    b->dev->ops->release(b->dev, b->halt);
    b->dev->ops->close(b->dev);
    adn_plan_clear_all(&b->plan);
    tiny_data_clear(&b->data);
    adn_config_free(b->conf);
    adn_free(b->pixels);
    adn_free(b->labels);
}

/* One step (from 1), and the norms after it. */
static void bench_step(bench *b, int step)
{
    int batch = b->plan.batch;
    adn_loss_result result;
    const adn_device_ops *ops = b->dev->ops;
    adn_net_io io = {.src = b->src,
                     .labels = b->targets,
                     .result = b->result,
                     .halt = b->halt,
                     .moves_stats = true};

    for (int k = 0; k < batch * 32 * 32 * 3; k++)
        b->pixels[k] = adn_formula_pixel((uint32_t)step, (uint32_t)k);
    for (int k = 0; k < batch; k++) {
        int label = adn_formula_label((uint32_t)step, (uint32_t)k);
        b->labels[k] = (adn_label){label, label, 1};
    }
    ck_assert_int_eq(ops->upload(b->queue, b->src, b->pixels, pixel_bytes(b)), ADN_OK);
    ck_assert_int_eq(ops->upload(b->queue, b->targets, b->labels, label_bytes(b)), ADN_OK);
    ck_assert_int_eq(adn_net_fwd(b->net, batch, true, &io), ADN_OK);
    ck_assert_int_eq(adn_net_learn(b->net, batch, true, &io), ADN_OK);
    ck_assert_int_eq(adn_optim_step(b->optim, adn_net_params(b->net), adn_net_grads(b->net),
                                    &(adn_update){.lr = b->conf->optim.lr, .count = step + 1},
                                    b->halt),
                     ADN_OK);
    ck_assert_int_eq(ops->download(b->queue, &result, b->result, sizeof(result)), ADN_OK);
    ck_assert_int_eq(ops->queue_sync(b->queue), ADN_OK);
    b->loss = result.loss_sum / batch;
    for (int i = 0; i < adn_net_n_tensor(b->net); i++) {
        const adn_tensor *t = adn_net_tensor(b->net, i);
        double *v = adn_alloc(t->count * sizeof(*v)), sum = 0;
        ck_assert_int_eq(adn_net_export(b->net, i, adn_net_params(b->net), v), ADN_OK);
        for (size_t k = 0; k < t->count; k++) sum += v[k] * v[k];
        b->norms[i] = sqrt(sum);
        adn_free(v);
    }
}

static double our_value(const bench *b, const char *kind, const char *name)
{
    if (strcmp(kind, "loss") == 0) return b->loss;
    for (int i = 0; i < adn_net_n_tensor(b->net); i++)
        if (strcmp(adn_net_tensor(b->net, i)->name, name) == 0) return b->norms[i];
    ck_abort_msg("the recording names '%s', which the net does not have", name);
}

static void check(const char *name, int n_quantity, adn_conv_algo conv)
{
    char path[512], line[512], kind[32], what[80];
    deviation d[N_STEP + 1][N_KIND] = {0};
    bench b;
    int done = 0, step, seen = 0;
    double v64, v32, times = conv == ADN_CONV_WINOGRAD ? 4 : 1;

    const char *tests = getenv("ADN_TEST_DIR"); /* where a packed test finds them */
    snprintf(path, sizeof(path), "%s/data/bp_%s.txt", tests != NULL ? tests : ADN_TEST_DIR, name);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    bench_open(&b, name, header_int(f, "batch "), header_real(f, "SGD: lr "), conv);
    rewind(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (line[0] == '#') continue;
        ck_assert_int_eq(sscanf(line, "%d %31s %79s %lf %lf", &step, kind, what, &v64, &v32), 5);
        while (done < step) bench_step(&b, ++done);
        int k = 0;
        while (k < N_KIND && strcmp(kind, kinds[k]) != 0) k++;
        ck_assert_int_lt(k, N_KIND);
        double size = fabs(v64), ours = fabs(our_value(&b, kind, what) - v64) / size,
               torch = fabs(v32 - v64) / size;
        if (ours > d[step][k].ours)
            snprintf(d[step][k].ours_at, sizeof(d[step][k].ours_at), "%.63s", what);
        d[step][k].ours = fmax(d[step][k].ours, ours);
        d[step][k].torch = fmax(d[step][k].torch, torch);
        d[step][k].n++;
        seen++;
    }
    fclose(f);
    ck_assert_int_eq(done, N_STEP);
    ck_assert_int_eq(seen, N_STEP * n_quantity);
    for (step = 1; step <= N_STEP; step++)
        for (int k = 0; k < N_KIND; k++) {
            ck_assert_int_gt(d[step][k].n, 0);
            ck_assert_msg(d[step][k].ours <= times * (10 * d[step][k].torch + 1e-6),
                          "%s step %d %s: ours %g (%s), PyTorch's float32 %g", name, step, kinds[k],
                          d[step][k].ours, d[step][k].ours_at, d[step][k].torch);
        }
    bench_close(&b);
}

/* On a GPU the choice is cuDNN's. */
static const adn_conv_algo algos[] = {ADN_CONV_DIRECT, ADN_CONV_WINOGRAD};

START_TEST(dgl4_follows_pytorch_for_20_steps)
{
    check("dgl4", 39, devices_are_gpus() ? ADN_CONV_AUTO : algos[_i]);
}
END_TEST

START_TEST(resnet20_follows_pytorch_for_20_steps)
{
    check("resnet20", 108, devices_are_gpus() ? ADN_CONV_AUTO : algos[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bp against PyTorch");
    TCase *tc = tcase_create("bp");
    int n_algo = devices_are_gpus() ? 1 : (int)ADN_COUNT(algos);
    tcase_set_timeout(tc, 0);
    tcase_add_loop_test(tc, dgl4_follows_pytorch_for_20_steps, 0, n_algo);
    tcase_add_loop_test(tc, resnet20_follows_pytorch_for_20_steps, 0, n_algo);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
