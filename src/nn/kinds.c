/* What each kind of layer runs, forward and backward. */
#include "nn/net.h"

static const adn_layer *layer_of(const adn_build *b, int i)
{
    return &b->net->spec.layers.layer[i];
}

static adn_at param(int tensor)
{
    return tensor < 0 ? (adn_at){ADN_AT_NONE, 0} : (adn_at){ADN_AT_PARAM, tensor};
}

static adn_at grad(int tensor)
{
    return tensor < 0 ? (adn_at){ADN_AT_NONE, 0} : (adn_at){ADN_AT_GRAD, tensor};
}

static adn_at dst_buffer(adn_build *b, int i)
{
    return adn_build_buffer(b, adn_shape_count(adn_build_shape(b, i + 1)) *
                                   adn_type_bytes(b->net->type));
}

static adn_at vector_buffer(adn_build *b, int i)
{
    return adn_build_buffer(b, (size_t)adn_build_shape(b, i + 1).c *
                                   adn_type_bytes(adn_param_type(b->net->type)));
}

/* In place over the incoming gradient, where nobody else reads it and it is the first gradient of
 * the source. */
static adn_at grad_in_place(adn_build *b, int i)
{
    int src = layer_of(b, i)->src;
    adn_at in = b->grad[i + 1];
    bool is_free = b->st == ADN_OK && !b->plan->buffers[in.index].is_shared;
    return is_free ? in : adn_build_grad_dst(b, src);
}

/* --- conv and linear */

static adn_planned *weighted_op(adn_build *b, int i, adn_op_kind conv, adn_op_kind linear)
{
    const adn_net *net = b->net;
    adn_planned *op = adn_build_op(b, layer_of(b, i)->kind == ADN_LAYER_CONV ? conv : linear, i);
    op->desc.u = adn_layer_fwd_desc(net, i, b->plan->batch.n).u;
    op->desc.layout = net->tensors[net->layer_tensors[i].weight].layout;
    return op;
}

static bool is_normed(const adn_build *b, int value)
{
    for (int k = 0; k < b->net->spec.layers.n; k++)
        if (layer_of(b, k)->kind == ADN_LAYER_NORM && layer_of(b, k)->src == value) return true;
    return false;
}

static void weighted_fwd(adn_build *b, int i)
{
    const adn_layer_tensors *t = &b->net->layer_tensors[i];
    adn_planned *op = weighted_op(b, i, ADN_OP_CONV_FWD, ADN_OP_LINEAR_FWD);
    op->at[ADN_SRC] = b->value[layer_of(b, i)->src];
    op->at[ADN_WEIGHT] = param(t->weight);
    op->at[ADN_BIAS] = param(t->bias);
    adn_at dst = op->at[ADN_DST] = dst_buffer(b, i);
    b->value[i + 1] = dst;
    if (op->desc.kind == ADN_OP_CONV_FWD && b->plan->batch.is_training && is_normed(b, i + 1))
        b->note[i].sums = op->at[ADN_SUMS] =
            adn_build_buffer(b, 2 * (size_t)op->desc.dst.c * sizeof(double));
}

static void weighted_grad(adn_build *b, int i)
{
    const adn_layer_tensors *t = &b->net->layer_tensors[i];
    int src = layer_of(b, i)->src;
    adn_planned *op = weighted_op(b, i, ADN_OP_CONV_GRAD_PARAM, ADN_OP_LINEAR_GRAD_PARAM);
    op->at[ADN_SRC] = b->value[src];
    op->at[ADN_GRAD_DST] = b->grad[i + 1];
    op->at[ADN_GRAD_WEIGHT] = grad(t->weight);
    op->at[ADN_GRAD_BIAS] = grad(t->bias);
    if (!b->needs_grad[src]) return;
    op = weighted_op(b, i, ADN_OP_CONV_GRAD_SRC, ADN_OP_LINEAR_GRAD_SRC);
    op->at[ADN_GRAD_DST] = b->grad[i + 1];
    op->at[ADN_WEIGHT] = param(t->weight);
    adn_at written = op->at[ADN_GRAD_SRC] = adn_build_grad_dst(b, src);
    adn_build_grad_done(b, src, written);
}

/* --- norm, with the ReLU and the pools that run inside it */

static adn_planned *norm_op(adn_build *b, int i, adn_op_kind kind)
{
    const adn_layer_tensors *t = &b->net->layer_tensors[i];
    const adn_note *note = &b->note[i];
    adn_planned *op = adn_build_op(b, kind, i);
    op->desc.u.norm.eps = 1e-5;
    op->desc.u.norm.momentum = 0.1;
    op->desc.u.norm.relu = adn_fuse_has_relu(b, i);
    op->desc.u.norm.has_max = note->max != ADN_NO_LAYER;
    if (note->avg != ADN_NO_LAYER) {
        op->desc.u.norm.avg_h = b->net->shapes[note->avg + 1].h;
        op->desc.u.norm.avg_w = b->net->shapes[note->avg + 1].w;
    }
    op->at[ADN_SRC] = b->value[layer_of(b, i)->src];
    op->at[ADN_WEIGHT] = param(t->weight);
    op->at[ADN_BIAS] = param(t->bias);
    return op;
}

/* Where the operation writes what the pools leave. */
static void norm_pools(adn_build *b, int i, adn_planned *op)
{
    adn_note *note = &b->note[i];

    if (note->max == ADN_EMIT_POOL) {
        op->at[ADN_DST_MAX] = (adn_at){ADN_AT_EMIT, 0};
    } else if (note->max != ADN_NO_LAYER) {
        b->value[note->max + 1] = op->at[ADN_DST_MAX] = dst_buffer(b, note->max);
        if (b->plan->batch.is_training)
            note->index = op->at[ADN_INDEX] =
                adn_build_buffer(b, adn_shape_count(adn_build_shape(b, note->max + 1)));
    }
    if (note->avg != ADN_NO_LAYER)
        b->value[note->avg + 1] = op->at[ADN_DST_AVG] = dst_buffer(b, note->avg);
}

static void norm_fwd(adn_build *b, int i)
{
    const adn_layer_tensors *t = &b->net->layer_tensors[i];
    adn_note *note = &b->note[i];
    bool is_training = b->plan->batch.is_training;
    int src = layer_of(b, i)->src;
    adn_planned *op = norm_op(b, i, is_training ? ADN_OP_NORM_FWD : ADN_OP_NORM_INFER);

    op->desc.u.norm.is_pooled_only = note->is_pooled_only;
    op->at[ADN_RUN_MEAN] = (adn_at){ADN_AT_STAT, t->run_mean};
    op->at[ADN_RUN_VAR] = (adn_at){ADN_AT_STAT, t->run_var};
    norm_pools(b, i, op);
    if (note->emits)
        op->at[ADN_DST] = (adn_at){ADN_AT_EMIT, 0};
    else if (!note->is_pooled_only)
        b->value[i + 1] = op->at[ADN_DST] = dst_buffer(b, i);
    if (!is_training) return;
    if (src > 0) op->at[ADN_SUMS] = b->note[src - 1].sums;
    note->mean = op->at[ADN_MEAN] = vector_buffer(b, i);
    note->inv_std = op->at[ADN_INV_STD] = vector_buffer(b, i);
}

/* Over the incoming gradient, or else over src, which nobody else reads. */
static adn_at norm_grad_dst(adn_build *b, int i)
{
    int src = layer_of(b, i)->src;
    bool is_own = b->value[src].place == ADN_AT_BUFFER && adn_fuse_readers(b, src) == 1;

    if (b->grad[i + 1].place != ADN_AT_NONE) return grad_in_place(b, i);
    return is_own ? b->value[src] : adn_build_grad_dst(b, src);
}

static void norm_grad(adn_build *b, int i)
{
    const adn_layer_tensors *t = &b->net->layer_tensors[i];
    const adn_note *note = &b->note[i];
    int src = layer_of(b, i)->src;
    adn_at written =
        norm_grad_dst(b, i); /* parameters' gradients need the pass over src in any case */
    adn_planned *op = norm_op(b, i, ADN_OP_NORM_GRAD);

    op->desc.u.norm.has_max = note->grad_max.place != ADN_AT_NONE;
    op->desc.u.norm.is_pooled_only = b->grad[i + 1].place == ADN_AT_NONE;
    op->at[ADN_GRAD_DST] = b->grad[i + 1];
    op->at[ADN_GRAD_MAX] = note->grad_max;
    if (note->grad_max.place != ADN_AT_NONE) op->at[ADN_INDEX] = note->index;
    op->at[ADN_GRAD_AVG] = note->grad_avg;
    op->at[ADN_MEAN] = note->mean;
    op->at[ADN_INV_STD] = note->inv_std;
    op->at[ADN_GRAD_WEIGHT] = grad(t->weight);
    op->at[ADN_GRAD_BIAS] = grad(t->bias);
    op->at[ADN_GRAD_SRC] = written;
    adn_build_grad_done(b, src, written);
}

/* --- ReLU */

static void relu_fwd(adn_build *b, int i)
{
    if (b->note[i].is_fused) {
        b->value[i + 1] = b->value[i];
        return;
    }
    adn_planned *op = adn_build_op(b, ADN_OP_RELU_FWD, i);
    op->at[ADN_SRC] = b->value[layer_of(b, i)->src];
    b->value[i + 1] = op->at[ADN_DST] = dst_buffer(b, i);
}

static adn_at masked(adn_build *b, int i, adn_at dst_value, adn_at in, adn_at out)
{
    adn_planned *op = adn_build_op(b, ADN_OP_RELU_GRAD, i);
    op->desc.src = op->desc.dst;
    op->at[ADN_DST] = dst_value;
    op->at[ADN_GRAD_DST] = in;
    op->at[ADN_GRAD_SRC] = out;
    return out;
}

static void relu_grad(adn_build *b, int i)
{
    int src = layer_of(b, i)->src;
    if (b->note[i].is_fused) {
        b->grad[src] = b->grad[i + 1]; /* its only reader: the operation before masks it */
        return;
    }
    adn_at out = grad_in_place(b, i);
    adn_build_grad_done(b, src, masked(b, i, b->value[i + 1], b->grad[i + 1], out));
}

/* --- pools */

static adn_planned *pool_op(adn_build *b, int i, adn_op_kind kind)
{
    const adn_layer *l = layer_of(b, i);
    adn_planned *op = adn_build_op(b, kind, i);
    op->desc.u.pool.kind = l->pool;
    op->desc.u.pool.kernel = l->kernel;
    op->desc.u.pool.stride = l->stride;
    return op;
}

/* Average pools that change nothing (a map of that size already) are passed over. */
static bool is_identity(const adn_build *b, int i)
{
    const adn_layer *l = layer_of(b, i);
    adn_shape src = b->net->shapes[l->src];
    return l->pool == ADN_POOL_ADAPTIVE_AVG && src.h == l->size && src.w == l->size;
}

static void pool_fwd(adn_build *b, int i)
{
    const adn_layer *l = layer_of(b, i);
    if (b->note[i].is_fused) return; /* the norm wrote it */
    if (is_identity(b, i)) {
        b->value[i + 1] = b->value[l->src];
        return;
    }
    adn_planned *op = pool_op(b, i, ADN_OP_POOL_FWD);
    op->at[ADN_SRC] = b->value[l->src];
    b->value[i + 1] = op->at[ADN_DST] = dst_buffer(b, i);
    if (l->pool == ADN_POOL_MAX && b->plan->batch.is_training && b->needs_grad[l->src])
        b->note[i].index = op->at[ADN_INDEX] = adn_build_buffer(b, adn_shape_count(op->desc.dst));
}

static void pool_grad(adn_build *b, int i)
{
    int src = layer_of(b, i)->src;
    if (b->note[i].is_fused) {
        adn_note *norm = &b->note[b->note[i].norm];
        *(norm->max == i ? &norm->grad_max : &norm->grad_avg) = b->grad[i + 1];
        return;
    }
    if (is_identity(b, i)) {
        adn_build_grad_done(b, src, b->grad[i + 1]);
        return;
    }
    adn_planned *op = pool_op(b, i, ADN_OP_POOL_GRAD);
    op->at[ADN_GRAD_DST] = b->grad[i + 1];
    op->at[ADN_INDEX] = b->note[i].index;
    adn_at written = op->at[ADN_GRAD_SRC] = adn_build_grad_dst(b, src);
    adn_build_grad_done(b, src, written);
}

/* --- flatten: the same bytes */

static void flatten_fwd(adn_build *b, int i)
{
    b->value[i + 1] = b->value[layer_of(b, i)->src];
}

static void flatten_grad(adn_build *b, int i)
{
    adn_build_grad_done(b, layer_of(b, i)->src, b->grad[i + 1]);
}

/* --- residual add */

static void add_fwd(adn_build *b, int i)
{
    const adn_layer *l = layer_of(b, i);
    adn_planned *op = adn_build_op(b, ADN_OP_ADD, i);
    op->desc.u.norm.relu = adn_fuse_has_relu(b, i);
    op->at[ADN_SRC] = b->value[l->src];
    op->at[ADN_SRC2] = b->value[l->src2];
    b->value[i + 1] = op->at[ADN_DST] = dst_buffer(b, i);
}

static void add_grad(adn_build *b, int i)
{
    const adn_layer *l = layer_of(b, i);
    adn_at g = b->grad[i + 1];

    if (adn_fuse_has_relu(b, i)) {
        bool is_free = b->st == ADN_OK && !b->plan->buffers[g.index].is_shared;
        g = masked(b, i, b->value[i + 1], g, is_free ? g : adn_build_grad_dst(b, i + 1));
    }
    /* Both sources have this gradient: one buffer, that nothing may write over from now on. */
    if (b->st != ADN_OK) return;
    bool both = b->needs_grad[l->src] && b->needs_grad[l->src2];
    if (both) b->plan->buffers[g.index].is_shared = true;
    if (b->needs_grad[l->src]) adn_build_grad_done(b, l->src, g);
    if (b->needs_grad[l->src2]) adn_build_grad_done(b, l->src2, g);
}

const adn_layer_ops adn_layer_table[ADN_N_LAYER_KIND] = {
    [ADN_LAYER_CONV] = {weighted_fwd, weighted_grad},
    [ADN_LAYER_NORM] = {norm_fwd, norm_grad},
    [ADN_LAYER_RELU] = {relu_fwd, relu_grad},
    [ADN_LAYER_POOL] = {pool_fwd, pool_grad},
    [ADN_LAYER_LINEAR] = {weighted_fwd, weighted_grad},
    [ADN_LAYER_FLATTEN] = {flatten_fwd, flatten_grad},
    [ADN_LAYER_ADD] = {add_fwd, add_grad},
};
