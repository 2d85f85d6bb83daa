/* Gradients of whole nets by finite differences along random directions, on the loops compiled for
 * double; and the float net's gradients against the double net's. For dgl4 and resnet20, end to end
 * and block by block. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/bf16.h"
#include "core/rng.h"
#include "suite.h"
#include "tiny.h"

enum { BATCH = 5 };

typedef struct bed { /* one block's net with its memory */
    adn_device *dev;
    adn_queue *queue;
    adn_net *net;
    adn_net_spec spec;
    void *x;
    adn_label labels[BATCH];
    adn_loss_result *result;
    int32_t *halt;
    adn_type type;
} bed;

static adn_config *config_of(const char *name, const char *mode)
{
    char *yaml = adn_format(
        "mode: %s\nuntil: 1ep\ndata: {name: cifar10, root: nowhere, batch: %d}\n"
        "model: {name: %s, cuts: every}\n"
        "aux: {kind: mlp-sr, conv: 2, hidden: 1, label_smoothing: 0.1}\nclassifier: {hidden: 2}\n",
        mode, BATCH, name);
    adn_config *conf = tiny_config(yaml, NULL);
    adn_free(yaml);
    return conf;
}

static void bed_open(bed *b, const adn_net_spec *spec, adn_type type)
{
    *b = (bed){.type = type};
    ck_assert_int_eq(adn_cpu_open(&b->dev), ADN_OK);
    ck_assert_int_eq(b->dev->ops->queue_create(
                         b->dev, &(adn_queue_conf){.name = "grad", .n_thread = 2}, &b->queue),
                     ADN_OK);
    adn_net_conf nc = {
        .spec = spec, .queue = b->queue, .type = type, .batches = {{BATCH, true}}, .n_batches = 1};
    ck_assert_int_eq(adn_net_create(&nc, &b->net), ADN_OK);
    ck_assert_int_eq(adn_net_init(b->net, ADN_INIT_TORCH, 9), ADN_OK);
    adn_shape in = spec->input;
    size_t n = (size_t)(BATCH * in.h * in.w * in.c);
    b->x = adn_alloc(n * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        uint32_t u = adn_rng_draw(7, ADN_RNG_TEST, 1, i).u[0];
        if (spec->input_is_u8)
            ((uint8_t *)b->x)[i] = (uint8_t)u;
        else if (type == ADN_F64)
            ((double *)b->x)[i] = (double)adn_rng_unit(u);
        else if (type == ADN_F32)
            ((float *)b->x)[i] = adn_rng_unit(u);
        else
            ((adn_bf16 *)b->x)[i] = adn_bf16_of(adn_rng_unit(u));
    }
    for (int i = 0; i < BATCH; i++)
        b->labels[i] = (adn_label){i % 10, (i + 3) % 10, i % 2 == 0 ? 1 : 0.75f};
    b->result = adn_alloc(sizeof(*b->result));
    b->halt = adn_alloc(sizeof(*b->halt));
}

static void bed_close(bed *b)
{
    adn_net_destroy(b->net);
    b->dev->ops->queue_destroy(b->queue);
    b->dev->ops->close(b->dev);
    adn_free(b->x);
    adn_free(b->result);
    adn_free(b->halt);
}

static double loss_of(bed *b)
{
    adn_net_io io = {.src = b->x,
                     .labels = b->labels,
                     .result = b->result,
                     .halt = b->halt,
                     .moves_stats = false};
    ck_assert_int_eq(adn_net_fwd(b->net, BATCH, true, &io), ADN_OK);
    ck_assert_int_eq(adn_net_learn(b->net, BATCH, true, &io), ADN_OK);
    ck_assert_int_eq(b->dev->ops->queue_sync(b->queue), ADN_OK);
    ck_assert_int_eq(*b->halt, 0);
    return b->result->loss_sum / BATCH;
}

static double *exported(bed *b, int i, const void *base)
{
    double *v = adn_alloc(adn_net_tensor(b->net, i)->count * sizeof(*v));
    ck_assert_int_eq(adn_net_export(b->net, i, base, v), ADN_OK);
    return v;
}

static double direction(int tensor, size_t k)
{
    return 2 * (double)adn_rng_unit(adn_rng_draw(21, ADN_RNG_TEST, (uint64_t)tensor, k).u[0]) - 1;
}

/* Moves parameters by eps along the direction of tensor `only` (-1: all), from their values
 * `start`. */
static void move(bed *b, double **start, int only, double eps)
{
    for (int i = 0; i < adn_net_n_tensor(b->net); i++) {
        const adn_tensor *t = adn_net_tensor(b->net, i);
        if (t->is_stat || (only >= 0 && i != only)) continue;
        double *v = adn_alloc(t->count * sizeof(*v));
        for (size_t k = 0; k < t->count; k++) v[k] = start[i][k] + eps * direction(i, k);
        ck_assert_int_eq(adn_net_import(b->net, i, adn_net_params(b->net), v), ADN_OK);
        adn_free(v);
    }
}

static void check_direction(bed *b, double **start, double **grads, int only)
{
    const double eps = 1e-8; /* so small that no ReLU and no pool changes its mind on the way */
    double expected = 0;

    for (int i = 0; i < adn_net_n_tensor(b->net); i++) {
        const adn_tensor *t = adn_net_tensor(b->net, i);
        for (size_t k = 0; !t->is_stat && (only < 0 || i == only) && k < t->count; k++)
            expected += grads[i][k] * direction(i, k);
    }
    move(b, start, only, eps);
    double up = loss_of(b);
    move(b, start, only, -eps);
    double down = loss_of(b);
    move(b, start, only, 0);
    double measured = (up - down) / (2 * eps);
    /* The loss is known to 1e-15 or so: 1e-7 over 2 eps. */
    ck_assert_msg(fabs(measured - expected) <= 1e-6 * fabs(expected) + 1e-6,
                  "%s: gradient along a direction is %.10g, differences give %.10g",
                  only < 0 ? "all" : adn_net_tensor(b->net, only)->name, expected, measured);
}

/* bf16 rounds every map, norms over a batch of five enlarge that, and ReLUs near zero flip: the
 * gradient of all parameters together keeps its direction. */
static void check_bf16(const adn_net_spec *spec, double **grads)
{
    bed f;
    double dot = 0, own = 0, other = 0;

    bed_open(&f, spec, ADN_BF16);
    loss_of(&f);
    for (int i = 0; i < adn_net_n_tensor(f.net); i++) {
        if (adn_net_tensor(f.net, i)->is_stat) continue;
        double *g = exported(&f, i, adn_net_grads(f.net));
        for (size_t k = 0; k < adn_net_tensor(f.net, i)->count; k++) {
            dot += g[k] * grads[i][k];
            own += g[k] * g[k];
            other += grads[i][k] * grads[i][k];
        }
        adn_free(g);
    }
    double cosine = dot / sqrt(own * other), length = sqrt(own / other);
    ck_assert_msg(cosine > 0.9 && fabs(length - 1) < 0.2,
                  "bf16 gradient: cosine %.4f, length %.4f of double's", cosine, length);
    bed_close(&f);
}

static void check_net(const adn_net_spec *spec)
{
    bed b, f;
    double *start[256] = {0}, *grads[256] = {0};

    bed_open(&b, spec, ADN_F64);
    int n = adn_net_n_tensor(b.net);
    ck_assert_int_le(n, 256);
    loss_of(&b);
    for (int i = 0; i < n; i++) {
        start[i] = exported(&b, i, adn_net_params(b.net));
        grads[i] = exported(&b, i, adn_net_grads(b.net));
    }
    check_direction(&b, start, grads, -1);
    for (int k = 0; k < 4; k++) { /* some tensors alone: the first, the last, two between */
        int i = k * (n - 1) / 3;
        while (adn_net_tensor(b.net, i)->is_stat) i--;
        check_direction(&b, start, grads, i);
    }
    bed_open(&f, spec, ADN_F32); /* the operations that training uses, against double */
    loss_of(&f);
    for (int i = 0; i < n; i++) {
        if (adn_net_tensor(b.net, i)->is_stat) continue;
        double *g = exported(&f, i, adn_net_grads(f.net)), worst = 0, size = 0;
        for (size_t k = 0; k < adn_net_tensor(b.net, i)->count; k++) {
            worst = fmax(worst, fabs(g[k] - grads[i][k]));
            size = fmax(size, fabs(grads[i][k]));
        }
        /* 1e-2 of the largest: float's 1e-6 grows through batch norms over a batch of five, and a
         * ReLU at zero may differ. A bias before a norm has no gradient but rounding. */
        ck_assert_msg(worst <= 1e-2 * size + 2e-5, "%s: float gradient off by %g of %g",
                      adn_net_tensor(b.net, i)->name, worst, size);
        adn_free(g);
    }
    check_bf16(spec, grads);
    for (int i = 0; i < n; i++) {
        adn_free(start[i]);
        adn_free(grads[i]);
    }
    bed_close(&f);
    bed_close(&b);
}

static void check(const char *name, const char *mode, int block)
{
    adn_dataset_pair data;
    adn_config *conf = config_of(name, mode);
    adn_plan plan;

    tiny_data(&data, BATCH, BATCH, 8, 8, 3,
              10); /* all that differs from 32 x 32 is how long it takes */
    ck_assert_int_eq(adn_plan_create(conf, &data, &plan), ADN_OK);
    if (block >= 0)
        check_net(&plan.blocks[block].spec);
    else
        for (int j = 0; j < plan.n_block; j++) check_net(&plan.blocks[j].spec);
    adn_plan_clear_all(&plan);
    adn_config_free(conf);
    tiny_data_clear(&data);
}

START_TEST(dgl4_end_to_end)
{
    check("dgl4", "bp", 0);
}
END_TEST

START_TEST(every_block_of_dgl4_with_its_head)
{
    check("dgl4", "sync", -1);
}
END_TEST

START_TEST(resnet20_end_to_end)
{
    check("resnet20", "bp", 0);
}
END_TEST

START_TEST(a_residual_block_that_opens_a_stage)
{
    check("resnet20", "sync", 1); /* identity shortcut from the stage's input */
    check("resnet20", "sync", 4); /* 1x1 convolution and norm */
}
END_TEST

/* The norm's map is pooled alone, so that its gradient may lie where the convolution's result was;
 * but here the shortcut's gradient needs that result still. */
START_TEST(a_map_that_a_norm_and_another_read_is_kept_for_both)
{
    static const adn_layer layers[] = {
        {ADN_LAYER_CONV, "conv", .channels = 6, .kernel = 3, .stride = 1, .pad = 1},
        {ADN_LAYER_CONV, "shortcut", .src = 1, .channels = 6, .kernel = 1, .stride = 2},
        {ADN_LAYER_NORM, "norm", .src = 1},
        {ADN_LAYER_RELU, .src = 3},
        {ADN_LAYER_POOL, "pool", .src = 4, .pool = ADN_POOL_MAX, .kernel = 2, .stride = 2},
        {ADN_LAYER_ADD, "add", .src = 5, .src2 = 2},
        {ADN_LAYER_FLATTEN, .src = 6},
        {ADN_LAYER_LINEAR, "fc", .src = 7, .channels = 10, .has_bias = true},
    };
    adn_net_spec spec = {.input = {1, 8, 8, 3}, .n_block = 6};

    for (size_t i = 0; i < ADN_COUNT(layers); i++)
        ck_assert_int_gt(adn_layers_add(&spec.layers, &layers[i]), 0);
    check_net(&spec);
    adn_net_spec_clear(&spec);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net gradients");
    TCase *tc = tcase_create("net gradients");
    tcase_add_test(tc, dgl4_end_to_end);
    tcase_add_test(tc, every_block_of_dgl4_with_its_head);
    tcase_add_test(tc, resnet20_end_to_end);
    tcase_add_test(tc, a_residual_block_that_opens_a_stage);
    tcase_add_test(tc, a_map_that_a_norm_and_another_read_is_kept_for_both);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
