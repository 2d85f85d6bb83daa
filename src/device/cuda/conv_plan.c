/* Convolutions as graphs. Over bf16 a weight's gradient comes out in fp32 by a conversion behind
 * it, for channels that come in eights: cuDNN has no plan for odd ones, and compiles others for ten
 * times as long. A bias is added in the graph where there is a plan for that: before the sum is
 * rounded to bf16. */
#include "device/cuda/conv_plan.h"

enum { FULL_CHANNELS = 8, CONV_WIDE = CONV_BIAS + 1 /* between two operations */ };

dnn_limits adn_conv_limits(const adn_op_desc *d, const adn_cuda_conf *conf)
{
    return (dnn_limits){.workspace_bytes = conf->workspace_limit,
                        .no_tensor_core = d->type == ADN_F32 && !conf->allows_tf32};
}

static dnn_conv_pass pass_of(const adn_op_desc *d)
{
    return d->kind == ADN_OP_CONV_FWD        ? DNN_CONV_FWD
           : d->kind == ADN_OP_CONV_GRAD_SRC ? DNN_CONV_GRAD_SRC
                                             : DNN_CONV_GRAD_WEIGHT;
}

static bool is_converted(const adn_op_desc *d)
{
    return d->kind == ADN_OP_CONV_GRAD_PARAM && d->type == ADN_BF16;
}

/* The operations of p->graph. */
static void describe(const adn_op_desc *d, conv_plan *p)
{
    dnn_graph *g = &p->graph;
    bool converts = is_converted(d);
    dnn_tensor src = {.id = CONV_SRC, .type = d->type, .shape = d->src};
    dnn_tensor dst = {.id = CONV_DST, .type = d->type, .shape = d->dst};
    dnn_tensor weight = {.id = CONV_WEIGHT,
                         .type = converts ? ADN_F32 : d->type,
                         .shape = {p->dst_c, d->u.conv.kernel, d->u.conv.kernel, p->src_c}};
    dnn_tensor bias = {.id = CONV_BIAS, .type = ADN_F32, .shape = {1, 1, 1, p->dst_c}};

    src.shape.c = p->src_c;
    dst.shape.c = p->dst_c;
    cudnnBackendDescriptor_t x = adn_dnn_tensor(g, &src), y = adn_dnn_tensor(g, &dst);
    cudnnBackendDescriptor_t w = adn_dnn_tensor(g, &weight), between = NULL;
    if (converts || p->adds_bias) {
        dnn_tensor wide = {.id = CONV_WIDE,
                           .type = ADN_F32,
                           .shape = converts ? weight.shape : dst.shape,
                           .is_virtual = true};
        between = adn_dnn_tensor(g, &wide);
    }
    adn_dnn_conv(g, pass_of(d), d->u.conv.stride, d->u.conv.pad, x, converts ? between : w,
                 p->adds_bias ? between : y);
    if (converts) adn_dnn_convert(g, between, w);
    if (p->adds_bias) adn_dnn_add(g, between, adn_dnn_tensor(g, &bias), y);
}

static adn_status try_graph(const adn_op_desc *d, const dnn_target *target,
                            const dnn_limits *limits, bool adds_bias, conv_plan *p)
{
    p->adds_bias = adds_bias;
    adn_dnn_graph_clear(&p->graph);
    adn_dnn_graph_init(&p->graph, target);
    describe(d, p);
    return adn_dnn_plan_create(&p->graph, limits, &p->plan);
}

static int full(int channels)
{
    return (channels + FULL_CHANNELS - 1) / FULL_CHANNELS * FULL_CHANNELS;
}

adn_status adn_conv_plan_create(const adn_op_desc *d, const dnn_target *target,
                                const dnn_limits *limits, conv_plan *out)
{
    adn_status st = ADN_END;

    out->src_c = is_converted(d) ? full(d->src.c) : d->src.c;
    out->dst_c = is_converted(d) ? full(d->dst.c) : d->dst.c;
    if (d->kind == ADN_OP_CONV_FWD && d->u.conv.has_bias)
        st = try_graph(d, target, limits, true, out);
    return st == ADN_END ? try_graph(d, target, limits, false, out) : st;
}

void adn_conv_plan_clear(conv_plan *p)
{
    adn_dnn_plan_clear(&p->plan);
    adn_dnn_graph_clear(&p->graph);
}
