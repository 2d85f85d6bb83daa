/* Convolutions by cuDNN. Over bf16 a weight is narrowed into the workspace first, and its gradient
 * comes out in fp32: by the same graph where there is a plan for that, else in bf16 and widened
 * (three channels have none). Sums for a norm and a bias' gradient are our kernels'. */
#include "device/cuda/dnn_graph.h"

/* Tensors of the graphs. */
enum { ID_SRC = 1, ID_WEIGHT, ID_DST, ID_WIDE };

typedef struct conv {
    dnn_graph graph;
    dnn_plan plan;
    bool is_narrow; /* what the graph has for a weight is bf16, at the workspace's begin */
    size_t n_weight;
    size_t plan_at; /* in the workspace: cuDNN's; what our kernels want begins there, too */
    size_t rows;    /* of dst */
} conv;

static void conv_free(void *impl)
{
    conv *v = impl;

    if (v->plan.plan != NULL) cudnnBackendDestroyDescriptor(v->plan.plan);
    adn_dnn_graph_clear(&v->graph);
    adn_free(v);
}

static char *workspace(const conv *v, const adn_op_args *a)
{
    char *p = a->p[ADN_WORKSPACE];
    return p != NULL ? p + v->plan_at : NULL;
}

static adn_status run_plan(const cuda_op *op, const adn_op_args *a, void *src, void *weight,
                           void *dst)
{
    const conv *v = op->impl;
    static const int64_t id[3] = {ID_SRC, ID_WEIGHT, ID_DST};
    void *p[3] = {src, weight, dst};

    if (v->rows == 0) return ADN_OK;
    return adn_dnn_plan_run(&v->graph, &v->plan, id, p, 3, workspace(v, a));
}

/* The weight that the graph reads. */
static adn_status factor_of(const cuda_op *op, const adn_op_args *a, void **out)
{
    const conv *v = op->impl;
    adn_status st = ADN_OK;

    *out = v->is_narrow ? a->p[ADN_WORKSPACE] : a->p[ADN_WEIGHT];
    if (!v->is_narrow) return ADN_OK;
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
    if (a->p[ADN_BIAS] != NULL)
        CUDA_TRY(
            st, op->q->gpu,
            adn_k_add_bias(type, a->p[ADN_DST], a->p[ADN_BIAS], v->rows, n_channel, op->q->stream),
            done);
    if (a->p[ADN_SUMS] != NULL)
        CUDA_TRY(st, op->q->gpu,
                 adn_k_moments(type, a->p[ADN_DST], v->rows, n_channel, a->p[ADN_SUMS],
                               workspace(v, a), op->q->stream),
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

static adn_status run_grad_param(const cuda_op *op, const adn_op_args *a)
{
    const conv *v = op->impl;
    const adn_op_desc *d = &op->base.desc;
    void *weight = v->is_narrow ? a->p[ADN_WORKSPACE] : a->p[ADN_GRAD_WEIGHT];
    adn_status st;

    ADN_TRY(st, run_plan(op, a, a->p[ADN_SRC], weight, a->p[ADN_GRAD_DST]), done);
    if (v->is_narrow)
        CUDA_TRY(st, op->q->gpu,
                 adn_k_widen(weight, a->p[ADN_GRAD_WEIGHT], v->n_weight, op->q->stream), done);
    if (a->p[ADN_GRAD_BIAS] != NULL)
        CUDA_TRY(st, op->q->gpu,
                 adn_k_column_sums(adn_cuda_k_type(d->type), a->p[ADN_GRAD_DST], v->rows,
                                   (size_t)d->dst.c, a->p[ADN_GRAD_BIAS], workspace(v, a),
                                   op->q->stream),
                 done);
done:
    return st;
}

/* Plans the pass; weight: the type of the graph's weight. A gradient of another type than that of
 * the activations passes through one between two operations. */
static adn_status plan_pass(cuda_op *op, adn_type weight)
{
    const adn_op_desc *d = &op->base.desc;
    conv *v = op->impl;
    dnn_graph *g = &v->graph;
    adn_shape filter = {d->dst.c, d->u.conv.kernel, d->u.conv.kernel, d->src.c};
    bool converts = weight != d->type;

    adn_dnn_graph_clear(g);
    adn_dnn_graph_init(g, &(dnn_target){.gpu = op->q->gpu, .handle = op->q->dnn});
    cudnnBackendDescriptor_t src =
        adn_dnn_tensor(g, &(dnn_tensor){.id = ID_SRC, .type = d->type, .shape = d->src});
    cudnnBackendDescriptor_t dst =
        adn_dnn_tensor(g, &(dnn_tensor){.id = ID_DST, .type = d->type, .shape = d->dst});
    cudnnBackendDescriptor_t w =
        adn_dnn_tensor(g, &(dnn_tensor){.id = ID_WEIGHT, .type = weight, .shape = filter});
    cudnnBackendDescriptor_t wide = w;
    if (converts)
        wide = adn_dnn_tensor(
            g, &(dnn_tensor){.id = ID_WIDE, .type = ADN_F32, .shape = filter, .is_virtual = true});
    dnn_conv_pass pass = d->kind == ADN_OP_CONV_FWD        ? DNN_CONV_FWD
                         : d->kind == ADN_OP_CONV_GRAD_SRC ? DNN_CONV_GRAD_SRC
                                                           : DNN_CONV_GRAD_WEIGHT;
    adn_dnn_conv(g, pass, d->u.conv.stride, d->u.conv.pad, src, wide, dst);
    if (converts) adn_dnn_convert(g, wide, w);
    dnn_limits limits = {.workspace_bytes = op->q->gpu->conf.workspace_limit,
                         .no_tensor_core = d->type == ADN_F32 && !op->q->gpu->conf.allows_tf32};
    return adn_dnn_plan_create(g, &limits, &v->plan);
}

static adn_status choose(cuda_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    conv *v = op->impl;
    adn_status st = ADN_END;

    if (v->rows == 0) return ADN_OK; /* nothing to run */
    if (d->kind == ADN_OP_CONV_GRAD_PARAM && d->type == ADN_BF16) st = plan_pass(op, ADN_F32);
    if (st != ADN_END) return st;
    v->is_narrow = d->type == ADN_BF16;
    st = plan_pass(op, d->type);
    if (st != ADN_END) return st;
    return ADN_FAIL(ADN_DEVICE,
                    "%s (%s): cuDNN has no plan for %s of %d to %d channels, kernel %d, stride %d, "
                    "on %dx%d, batch %d, within %zu MiB of workspace",
                    op->q->gpu->name, op->q->gpu->model, adn_op_infos[d->kind].name, d->src.c,
                    d->dst.c, d->u.conv.kernel, d->u.conv.stride, d->src.h, d->src.w, d->src.n,
                    op->q->gpu->conf.workspace_limit >> 20);
}

/* What our kernels want, where the library's own has been used already. */
static size_t kernels_want(const adn_op_desc *d, size_t rows)
{
    size_t n_channel = (size_t)d->dst.c;

    if (d->kind == ADN_OP_CONV_FWD) return adn_k_moments_workspace(rows, n_channel);
    if (d->kind == ADN_OP_CONV_GRAD_PARAM) return adn_k_column_sums_workspace(rows, n_channel);
    return 0;
}

adn_status adn_cuda_plan_conv(cuda_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    adn_status st = adn_cuda_queue_dnn(op->q);
    if (st != ADN_OK) return st;
    conv *v = adn_alloc(sizeof(*v));

    if (v == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for a plan", op->q->gpu->name);
    op->impl = v;
    op->impl_free = conv_free;
    op->base.algo = "cudnn";
    v->n_weight =
        (size_t)d->dst.c * (size_t)d->u.conv.kernel * (size_t)d->u.conv.kernel * (size_t)d->src.c;
    v->rows = (size_t)d->dst.n * (size_t)d->dst.h * (size_t)d->dst.w;
    st = choose(op);
    if (st != ADN_OK) return st;
    if (v->is_narrow) v->plan_at = (v->n_weight * adn_type_bytes(ADN_BF16) + 255) / 256 * 256;
    op->base.workspace_bytes =
        v->plan_at + ADN_MAX(v->plan.workspace_bytes, kernels_want(d, v->rows));
    op->run = d->kind == ADN_OP_CONV_FWD        ? run_fwd
              : d->kind == ADN_OP_CONV_GRAD_SRC ? run_grad_src
                                                : run_grad_param;
    return ADN_OK;
}
