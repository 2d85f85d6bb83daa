/* Convolutions by cuDNN. Over bf16 a weight is narrowed into the workspace first, and what its
 * gradient is made of filled up there where the graph has more channels. Kernels of ours add a bias
 * where the graph does not, and form the sums for a norm and a bias' gradient. */
#include "device/cuda/conv_plan.h"

#include <stdio.h>

enum { ALIGNMENT = 256 };

typedef struct conv {
    conv_plan dnn;
    size_t n_weight, taps; /* of the weight; of its kernel, for all dst channels */
    size_t src_rows, rows; /* of src, of dst */
    /* Places in the workspace, in bytes. At 0: a narrowed weight, or the gradient of a filled up
     * one. */
    size_t src_at, dst_at; /* filled up src and gradient of dst */
    size_t plan_at;        /* cuDNN's; what our kernels want begins there too */
    char detail[80];       /* of the plan, for people */
} conv;

static void conv_free(void *impl)
{
    conv *v = impl;

    adn_conv_plan_clear(&v->dnn);
    adn_free(v);
}

static void *place(const adn_op_args *a, size_t at)
{
    char *p = a->p[ADN_WORKSPACE];
    return p != NULL ? p + at : NULL;
}

static adn_status run_plan(const cuda_op *op, const adn_op_args *a, void *src, void *weight,
                           void *dst)
{
    const conv *v = op->impl;
    static const int64_t id[4] = {CONV_SRC, CONV_WEIGHT, CONV_DST, CONV_BIAS};
    void *p[4] = {src, weight, dst, a->p[ADN_BIAS]};

    if (v->rows == 0) return ADN_OK;
    return adn_dnn_plan_run(&v->dnn.graph, &v->dnn.plan, id, p, v->dnn.adds_bias ? 4 : 3,
                            place(a, v->plan_at));
}

/* The weight that the graph reads. */
static adn_status factor_of(const cuda_op *op, const adn_op_args *a, void **out)
{
    const conv *v = op->impl;
    adn_status st = ADN_OK;

    *out = a->p[ADN_WEIGHT];
    if (op->base.desc.type != ADN_BF16) return ADN_OK;
    *out = place(a, 0);
    CUDA_TRY(st, op->q->gpu, adn_k_narrow(a->p[ADN_WEIGHT], *out, v->n_weight, op->q->stream),
             done);
done:
    return st;
}

static adn_status run_fwd(const cuda_op *op, const adn_op_args *a)
{
    const conv *v = op->impl;
    const adn_op_desc *d = &op->base.desc;
    size_t n_channel = (size_t)d->dst.c;
    adn_k_type type = adn_cuda_k_type(d->type);
    void *weight;
    adn_status st;

    ADN_TRY(st, factor_of(op, a, &weight), done);
    ADN_TRY(st, run_plan(op, a, a->p[ADN_SRC], weight, a->p[ADN_DST]), done);
    if (a->p[ADN_BIAS] != NULL && !v->dnn.adds_bias)
        CUDA_TRY(
            st, op->q->gpu,
            adn_k_add_bias(type, a->p[ADN_DST], a->p[ADN_BIAS], v->rows, n_channel, op->q->stream),
            done);
    if (a->p[ADN_SUMS] != NULL)
        CUDA_TRY(st, op->q->gpu,
                 adn_k_moments(type, a->p[ADN_DST], v->rows, n_channel, a->p[ADN_SUMS],
                               place(a, v->plan_at), op->q->stream),
                 done);
done:
    return st;
}

static adn_status run_grad_src(const cuda_op *op, const adn_op_args *a)
{
    void *weight;
    adn_status st;

    ADN_TRY(st, factor_of(op, a, &weight), done);
    st = run_plan(op, a, a->p[ADN_GRAD_SRC], weight, a->p[ADN_GRAD_DST]);
done:
    return st;
}

/* Where the graph reads activations: p, or its copy of more channels in the workspace. */
static adn_status fill_up(const cuda_op *op, const adn_op_args *a, adn_role role, size_t rows,
                          int c, int full, size_t at, void **out)
{
    adn_status st = ADN_OK;

    *out = a->p[role];
    if (c == full) return ADN_OK;
    *out = place(a, at);
    CUDA_TRY(st, op->q->gpu,
             adn_k_fit_rows(adn_cuda_k_type(op->base.desc.type), a->p[role], (size_t)c, *out,
                            (size_t)full, rows, op->q->stream),
             done);
done:
    return st;
}

static adn_status grad_weight(const cuda_op *op, const adn_op_args *a)
{
    const conv *v = op->impl;
    const adn_op_desc *d = &op->base.desc;
    bool is_full = v->dnn.src_c != d->src.c || v->dnn.dst_c != d->dst.c;
    void *src, *dst, *weight = a->p[ADN_GRAD_WEIGHT];
    adn_status st;

    if (v->rows == 0) {
        CUDA_TRY(st, op->q->gpu,
                 cudaMemsetAsync(weight, 0, v->n_weight * sizeof(float), op->q->stream), done);
        return ADN_OK;
    }
    ADN_TRY(st, fill_up(op, a, ADN_SRC, v->src_rows, d->src.c, v->dnn.src_c, v->src_at, &src),
            done);
    ADN_TRY(st, fill_up(op, a, ADN_GRAD_DST, v->rows, d->dst.c, v->dnn.dst_c, v->dst_at, &dst),
            done);
    ADN_TRY(st, run_plan(op, a, src, is_full ? place(a, 0) : weight, dst), done);
    if (is_full) /* the first dst channels stand first */
        CUDA_TRY(st, op->q->gpu,
                 adn_k_fit_rows(ADN_K_F32, place(a, 0), (size_t)v->dnn.src_c, weight,
                                (size_t)d->src.c, v->taps, op->q->stream),
                 done);
done:
    return st;
}

static adn_status run_grad_param(const cuda_op *op, const adn_op_args *a)
{
    const conv *v = op->impl;
    const adn_op_desc *d = &op->base.desc;
    adn_status st;

    ADN_TRY(st, grad_weight(op, a), done);
    if (a->p[ADN_GRAD_BIAS] != NULL)
        CUDA_TRY(st, op->q->gpu,
                 adn_k_column_sums(adn_cuda_k_type(d->type), a->p[ADN_GRAD_DST], v->rows,
                                   (size_t)d->dst.c, a->p[ADN_GRAD_BIAS], place(a, v->plan_at),
                                   op->q->stream),
                 done);
done:
    return st;
}

/* What cuDNN does, and what our kernels do for it. */
static void describe(cuda_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    conv *v = op->impl;
    bool is_full = v->dnn.src_c != d->src.c || v->dnn.dst_c != d->dst.c;
    const char *bias = d->kind != ADN_OP_CONV_FWD || !d->u.conv.has_bias ? ""
                       : v->dnn.adds_bias                                ? ", bias fused"
                                                                         : ", bias by ours";

    snprintf(v->detail, sizeof(v->detail), "engine %d%s%s%s", v->dnn.plan.engine,
             v->dnn.plan.is_compiled ? ", compiled" : "", bias,
             is_full ? ", filled up by ours" : "");
    op->base.detail = v->detail;
}

static adn_status choose(cuda_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    cuda_device *gpu = op->q->gpu;
    conv *v = op->impl;
    const dnn_target target = {
        .gpu = gpu, .handle = op->q->dnn, .props = gpu->props, .cache = gpu->plans};
    const dnn_limits limits = adn_conv_limits(d, &gpu->conf);
    adn_status st = adn_conv_plan_create(d, &target, &limits, &v->dnn);

    if (st == ADN_OK) describe(op);
    if (st != ADN_END) return st;
    if (gpu->props != NULL) { /* told with all the rest */
        gpu->planned.n_without++;
        op->base.algo = "none";
        return ADN_OK;
    }
    return ADN_FAIL(ADN_DEVICE,
                    "%s (%s): cuDNN has no plan for %s of %d to %d channels, kernel %d, stride %d, "
                    "on %dx%d, batch %d, within %zu MiB of workspace",
                    gpu->name, gpu->model, adn_op_infos[d->kind].name, d->src.c, d->dst.c,
                    d->u.conv.kernel, d->u.conv.stride, d->src.h, d->src.w, d->src.n,
                    limits.workspace_bytes >> 20);
}

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* What our kernels want behind the library's, whose own is free then. */
static size_t kernels_want(const adn_op_desc *d, size_t rows)
{
    size_t n_channel = (size_t)d->dst.c;

    if (d->kind == ADN_OP_CONV_FWD) return adn_k_moments_workspace(rows, n_channel);
    if (d->kind == ADN_OP_CONV_GRAD_PARAM) return adn_k_column_sums_workspace(rows, n_channel);
    return 0;
}

static void lay_out_workspace(cuda_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    conv *v = op->impl;
    size_t bytes = 0, item = adn_type_bytes(d->type);
    size_t taps = (size_t)d->u.conv.kernel * (size_t)d->u.conv.kernel;

    if (d->kind != ADN_OP_CONV_GRAD_PARAM && d->type == ADN_BF16) bytes = v->n_weight * item;
    if (v->dnn.src_c != d->src.c || v->dnn.dst_c != d->dst.c)
        bytes = (size_t)v->dnn.dst_c * taps * (size_t)v->dnn.src_c * sizeof(float);
    v->src_at = bytes = aligned(bytes);
    if (v->dnn.src_c != d->src.c) bytes += v->src_rows * (size_t)v->dnn.src_c * item;
    v->dst_at = bytes = aligned(bytes);
    if (v->dnn.dst_c != d->dst.c) bytes += v->rows * (size_t)v->dnn.dst_c * item;
    v->plan_at = bytes = aligned(bytes);
    op->base.workspace_bytes =
        bytes + ADN_MAX(v->dnn.plan.workspace_bytes, kernels_want(d, v->rows));
}

adn_status adn_cuda_plan_conv(cuda_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    bool is_here = op->q->gpu->props == NULL;
    adn_status st = is_here ? adn_cuda_queue_dnn(op->q) : ADN_OK;
    if (st != ADN_OK) return st;
    conv *v = adn_alloc(sizeof(*v));

    if (v == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for a plan", op->q->gpu->name);
    op->impl = v;
    op->impl_free = conv_free;
    op->base.algo = d->type == ADN_BF16 ? "cudnn bf16" : "cudnn";
    v->taps = (size_t)d->dst.c * (size_t)d->u.conv.kernel * (size_t)d->u.conv.kernel;
    v->n_weight = v->taps * (size_t)d->src.c;
    v->src_rows = (size_t)d->src.n * (size_t)d->src.h * (size_t)d->src.w;
    v->rows = (size_t)d->dst.n * (size_t)d->dst.h * (size_t)d->dst.w;
    v->dnn.src_c = d->src.c; /* of an empty batch, for which nothing is planned */
    v->dnn.dst_c = d->dst.c;
    if (v->rows > 0) st = choose(op);
    if (st != ADN_OK) return st;
    lay_out_workspace(op);
    op->run = d->kind == ADN_OP_CONV_FWD        ? run_fwd
              : d->kind == ADN_OP_CONV_GRAD_SRC ? run_grad_src
                                                : run_grad_param;
    return ADN_OK;
}
