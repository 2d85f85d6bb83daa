/* Which layers run inside others: a norm with what reads its result, as the operations that a net
 * then has. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"
#include "suite.h"

static adn_device *dev;
static adn_queue *queue;

enum { READERS = 3, TEXT_ROOM = 400 };

/* What reads value 3, the ReLU's, behind convolution, norm and ReLU of a map of h x w. Two of them
 * are added up; a linear layer follows. */
typedef struct fuse_case {
    int h, w;
    adn_layer readers[READERS]; /* of kernel or size 0: none */
    adn_layer emit_pool;        /* likewise */
    const char *ops;            /* norms, ReLUs, pools, and sums with a ReLU */
} fuse_case;

#define MAX(k, s)                                                                                  \
    {                                                                                              \
        .kind = ADN_LAYER_POOL, .pool = ADN_POOL_MAX, .kernel = (k), .stride = (s)                 \
    }
#define AVG(k, s)                                                                                  \
    {                                                                                              \
        .kind = ADN_LAYER_POOL, .pool = ADN_POOL_AVG, .kernel = (k), .stride = (s)                 \
    }
#define ADAPT(side)                                                                                \
    {                                                                                              \
        .kind = ADN_LAYER_POOL, .pool = ADN_POOL_ADAPTIVE_AVG, .size = (side)                      \
    }
#define CONV(s)                                                                                    \
    {                                                                                              \
        .kind = ADN_LAYER_CONV, .channels = 4, .kernel = 1, .stride = (s)                          \
    }

/* clang-format off */
static const fuse_case cases[] = {
    /* pools whose windows tile the map; the block's output is wanted besides, unless a pool is */
    {8, 8, {MAX(2, 2)}, {0}, "norm_fwd relu max; norm_grad relu max alone; "},
    {8, 8, {MAX(2, 2)}, MAX(2, 2), "norm_fwd relu max; pool_fwd; norm_grad relu max alone; "},
    {8, 8, {AVG(2, 2)}, MAX(2, 2), "norm_fwd relu max avg 4x4 alone; norm_grad relu avg 4x4 alone; "},
    {8, 8, {ADAPT(4)}, MAX(2, 2), "norm_fwd relu max avg 4x4 alone; norm_grad relu avg 4x4 alone; "},
    {4, 8, {ADAPT(2)}, MAX(2, 2), "norm_fwd relu max avg 2x2 alone; norm_grad relu avg 2x2 alone; "},
    {8, 8, {MAX(2, 2), AVG(2, 2)}, {0}, "norm_fwd relu max avg 4x4; norm_grad relu max avg 4x4 alone; "},
    /* what does not tile, or overlaps, or leaves something out */
    {7, 8, {MAX(2, 2)}, {0}, "norm_fwd relu; pool_fwd; pool_grad; norm_grad relu; "},
    {8, 7, {MAX(2, 2)}, {0}, "norm_fwd relu; pool_fwd; pool_grad; norm_grad relu; "},
    {8, 8, {MAX(3, 2)}, {0}, "norm_fwd relu; pool_fwd; pool_grad; norm_grad relu; "},
    {8, 8, {MAX(2, 1)}, {0}, "norm_fwd relu; pool_fwd; pool_grad; norm_grad relu; "},
    {8, 8, {ADAPT(3)}, {0}, "norm_fwd relu; pool_fwd; pool_grad; norm_grad relu; "},
    {8, 8, {AVG(4, 3)}, {0}, "norm_fwd relu; pool_fwd; pool_grad; norm_grad relu; "},
    {8, 8, {AVG(3, 3)}, {0}, "norm_fwd relu; pool_fwd; pool_grad; norm_grad relu; "},
    {8, 8, {ADAPT(8)}, {0}, "norm_fwd relu; norm_grad relu; "}, /* changes nothing */
    /* one pool of each kind */
    {8, 8, {MAX(2, 2), MAX(2, 2)}, {0}, "norm_fwd relu max; pool_fwd; pool_grad; norm_grad relu max; "},
    {8, 8, {ADAPT(4), AVG(2, 2)}, {0}, "norm_fwd relu avg 4x4; pool_fwd; pool_grad; norm_grad relu avg 4x4; "},
    {8, 8, {MAX(2, 2), AVG(2, 2), MAX(2, 2)}, {0},
     "norm_fwd relu max avg 4x4; pool_fwd; pool_grad; norm_grad relu max avg 4x4; "},
    /* others read the map too; a pool that runs elsewhere is no ReLU of the sum before it */
    {8, 8, {MAX(2, 2), CONV(2), AVG(2, 2)}, {0}, "norm_fwd relu max avg 4x4; norm_grad relu max avg 4x4; "},
    {8, 8, {MAX(2, 2), CONV(2)}, {0}, "norm_fwd relu max; norm_grad relu max; "},
    {8, 8, {ADAPT(4), CONV(2)}, MAX(2, 2), "norm_fwd relu max avg 4x4; norm_grad relu avg 4x4; "},
    {8, 8, {CONV(1)}, {0}, "norm_fwd relu; norm_grad relu; "},
    {8, 8, {CONV(1)}, MAX(2, 2), "norm_fwd relu max; norm_grad relu; "},
    /* a pool that is emitted, but not a maximum of 2x2 */
    {8, 8, {ADAPT(4)}, AVG(2, 2), "norm_fwd relu avg 4x4; pool_fwd; norm_grad relu avg 4x4 alone; "},
    {8, 8, {CONV(1)}, AVG(2, 2), "norm_fwd relu; pool_fwd; norm_grad relu; "},
    {8, 8, {ADAPT(4)}, MAX(3, 2), "norm_fwd relu avg 4x4; pool_fwd; norm_grad relu avg 4x4 alone; "},
    {7, 7, {CONV(1)}, MAX(2, 2), "norm_fwd relu; pool_fwd; norm_grad relu; "},
};
/* clang-format on */

static void tell(void *user, const char *layer, const adn_op *op)
{
    char *text = user;
    const adn_op_desc *d = &op->desc;
    bool is_norm = d->kind >= ADN_OP_NORM_FWD && d->kind <= ADN_OP_NORM_GRAD;
    bool has_relu = (is_norm || d->kind == ADN_OP_ADD) && d->u.norm.relu;
    char avg[24] = "";

    (void)layer;
    if (!is_norm && !has_relu && (d->kind < ADN_OP_RELU_FWD || d->kind > ADN_OP_POOL_GRAD)) return;
    if (is_norm && d->u.norm.avg_h > 0)
        snprintf(avg, sizeof(avg), " avg %dx%d", d->u.norm.avg_h, d->u.norm.avg_w);
    size_t n = strlen(text);
    snprintf(text + n, TEXT_ROOM - n, "%s%s%s%s%s; ", adn_op_infos[d->kind].name,
             has_relu ? " relu" : "", is_norm && d->u.norm.has_max ? " max" : "", avg,
             is_norm && d->u.norm.is_pooled_only ? " alone" : "");
}

static int add(adn_net_spec *s, adn_layer l, int src)
{
    l.src = src;
    int value = adn_layers_add(&s->layers, &l);
    ck_assert_int_gt(value, 0);
    return value;
}

/* Flatten and scores behind `value`; then the operations of the net. */
static void finish(adn_net_spec *s, int value, char *text)
{
    adn_net *net = NULL;

    value = add(s, (adn_layer){.kind = ADN_LAYER_FLATTEN}, value);
    add(s, (adn_layer){.kind = ADN_LAYER_LINEAR, .channels = 3, .name = "fc"}, value);
    adn_net_conf nc = {
        .spec = s, .queue = queue, .type = ADN_F32, .batches = {{2, true}}, .n_batches = 1};
    ck_assert_int_eq(adn_net_create(&nc, &net), ADN_OK);
    text[0] = '\0';
    adn_net_ops(net, tell, text);
    adn_net_destroy(net);
    adn_net_spec_clear(s);
}

static const adn_layer conv = {
    .kind = ADN_LAYER_CONV, .name = "conv", .channels = 4, .kernel = 3, .stride = 1, .pad = 1};
static const adn_layer norm = {.kind = ADN_LAYER_NORM, .name = "norm"};
static const adn_layer relu = {.kind = ADN_LAYER_RELU};

static bool is_there(const adn_layer *l)
{
    return l->kernel > 0 || l->size > 0;
}

START_TEST(a_norm_runs_the_relu_and_the_pools_that_it_can)
{
    const fuse_case *c = &cases[_i];
    adn_net_spec s = {.input = {1, c->h, c->w, 3}};
    char text[TEXT_ROOM];
    int sum = 0;

    add(&s, conv, 0);
    add(&s, norm, 1);
    add(&s, relu, 2);
    s.n_block = 3;
    s.has_emit_pool = is_there(&c->emit_pool);
    s.emit_pool = c->emit_pool;
    for (int i = 0; i < READERS && is_there(&c->readers[i]); i++) {
        adn_layer l = c->readers[i];
        snprintf(l.name, sizeof(l.name), "reader%d", i);
        int value = add(&s, l, 3);
        sum = i == 0 ? value : add(&s, (adn_layer){.kind = ADN_LAYER_ADD, .src2 = value}, sum);
    }
    finish(&s, sum, text);
    ck_assert_str_eq(text, c->ops);
}
END_TEST

START_TEST(a_norms_result_that_no_relu_takes_is_pooled_as_it_is)
{
    adn_net_spec s = {.input = {1, 8, 8, 3}, .n_block = 3};
    char text[TEXT_ROOM];

    add(&s, conv, 0);
    add(&s, norm, 1);
    int value = add(&s, (adn_layer)MAX(2, 2), 2);
    finish(&s, value, text);
    ck_assert_str_eq(text, "norm_fwd max alone; norm_grad max alone; ");
}
END_TEST

START_TEST(a_relu_runs_inside_a_norm_or_a_sum_that_nobody_else_reads)
{
    adn_net_spec s = {.input = {1, 8, 8, 3}, .n_block = 3};
    char text[TEXT_ROOM];

    add(&s, conv, 0); /* two read the norm */
    add(&s, norm, 1);
    int value = add(&s, relu, 2);
    value = add(&s, (adn_layer){.kind = ADN_LAYER_ADD, .src2 = 2}, value);
    finish(&s, value, text);
    ck_assert_str_eq(text, "norm_fwd; relu_fwd; relu_grad; norm_grad; ");

    s = (adn_net_spec){.input = {1, 8, 8, 3}, .n_block = 2};
    add(&s, conv, 0); /* there is no norm */
    finish(&s, add(&s, relu, 1), text);
    ck_assert_str_eq(text, "relu_fwd; relu_grad; ");

    s = (adn_net_spec){.input = {1, 8, 8, 3}, .n_block = 5};
    add(&s, conv, 0); /* a sum's ReLU: its gradient stays an operation */
    add(&s, norm, 1);
    value = add(&s, (adn_layer){.kind = ADN_LAYER_ADD, .src2 = 2}, 2);
    finish(&s, add(&s, relu, value), text);
    ck_assert_str_eq(text, "norm_fwd; add relu; relu_grad; norm_grad; ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fuse");
    TCase *tc = tcase_create("fuse");
    adn_queue_conf conf = {.name = "fuse", .n_thread = 1};

    ADN_ASSERT(adn_cpu_open(&dev) == ADN_OK &&
               dev->ops->queue_create(dev, &conf, &queue) == ADN_OK);
    tcase_add_loop_test(tc, a_norm_runs_the_relu_and_the_pools_that_it_can, 0,
                        (int)ADN_COUNT(cases));
    tcase_add_test(tc, a_norms_result_that_no_relu_takes_is_pooled_as_it_is);
    tcase_add_test(tc, a_relu_runs_inside_a_norm_or_a_sum_that_nobody_else_reads);
    suite_add_tcase(suite, tc);
    int result = adn_suite_run(suite);
    dev->ops->queue_destroy(queue);
    dev->ops->close(dev);
    return result;
}
