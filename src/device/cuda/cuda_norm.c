/* Batch norm by our kernels, with the residual, ReLU and pools in the same pass. cuDNN has plans
 * for some of that, but none that pools, and its sums behind a convolution are of plain squares,
 * which a large mean spoils. */
#include "device/cuda/kernels.h"

static size_t channels_of(const cuda_op *op)
{
    return (size_t)op->base.desc.src.c;
}

static size_t places_of(const cuda_op *op)
{
    const adn_shape *s = &op->base.desc.src;
    return (size_t)s->n * (size_t)s->h * (size_t)s->w;
}

static adn_k_norm norm_of(const cuda_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    return (adn_k_norm){.type = cuda_kernel_type(op),
                        .n = d->src.n,
                        .h = d->src.h,
                        .w = d->src.w,
                        .c = d->src.c,
                        .relu = d->u.norm.relu,
                        .avg_h = d->u.norm.avg_h,
                        .avg_w = d->u.norm.avg_w,
                        .mean = args->p[ADN_MEAN],
                        .inv_std = args->p[ADN_INV_STD],
                        .weight = args->p[ADN_WEIGHT],
                        .bias = args->p[ADN_BIAS],
                        .src = args->p[ADN_SRC],
                        .dst = args->p[ADN_DST],
                        .dst_max = args->p[ADN_DST_MAX],
                        .index = args->p[ADN_INDEX],
                        .dst_avg = args->p[ADN_DST_AVG]};
}

/* Workspace: sums [2][c] in double, then that of the moments. */
static adn_status run_forward(const cuda_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    const adn_k_norm norm = norm_of(op, args);
    const cuda_queue *q = op->q;
    size_t c = channels_of(op), places = places_of(op);
    double *own = args->p[ADN_WORKSPACE];
    const double *sums = args->p[ADN_SUMS];
    adn_status st;

    if (sums == NULL) {
        CUDA_TRY(st, q->gpu,
                 adn_k_moments(norm.type, norm.src, places, c, own, own + 2 * c, q->stream), done);
        sums = own;
    }
    CUDA_TRY(st, q->gpu,
             adn_k_norm_statistics(sums, places, c, d->u.norm.eps, d->u.norm.momentum,
                                   args->value[0] != 0, args->p[ADN_MEAN], args->p[ADN_INV_STD],
                                   args->p[ADN_RUN_MEAN], args->p[ADN_RUN_VAR], q->stream),
             done);
    CUDA_TRY(st, q->gpu, adn_k_norm_apply(&norm, q->stream), done);
done:
    return st;
}

/* Workspace: inv_std [c]. */
static adn_status run_infer(const cuda_op *op, const adn_op_args *args)
{
    adn_k_norm norm = norm_of(op, args);
    float *inv_std = args->p[ADN_WORKSPACE];
    adn_status st;

    norm.mean = args->p[ADN_RUN_MEAN];
    norm.inv_std = inv_std;
    CUDA_TRY(st, op->q->gpu,
             adn_k_norm_inv_std(args->p[ADN_RUN_VAR], channels_of(op), op->base.desc.u.norm.eps,
                                inv_std, op->q->stream),
             done);
    CUDA_TRY(st, op->q->gpu, adn_k_norm_apply(&norm, op->q->stream), done);
done:
    return st;
}

static adn_status run_grad(const cuda_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    const adn_k_norm_grad grad = {.type = cuda_kernel_type(op),
                                  .n = d->src.n,
                                  .h = d->src.h,
                                  .w = d->src.w,
                                  .c = d->src.c,
                                  .relu = d->u.norm.relu,
                                  .avg_h = d->u.norm.avg_h,
                                  .avg_w = d->u.norm.avg_w,
                                  .mean = args->p[ADN_MEAN],
                                  .inv_std = args->p[ADN_INV_STD],
                                  .weight = args->p[ADN_WEIGHT],
                                  .bias = args->p[ADN_BIAS],
                                  .src = args->p[ADN_SRC],
                                  .grad_dst = args->p[ADN_GRAD_DST],
                                  .grad_max = args->p[ADN_GRAD_MAX],
                                  .grad_avg = args->p[ADN_GRAD_AVG],
                                  .index = args->p[ADN_INDEX],
                                  .grad_src = args->p[ADN_GRAD_SRC],
                                  .grad_weight = args->p[ADN_GRAD_WEIGHT],
                                  .grad_bias = args->p[ADN_GRAD_BIAS]};
    adn_status st;

    CUDA_TRY(st, op->q->gpu, adn_k_norm_backward(&grad, args->p[ADN_WORKSPACE], op->q->stream),
             done);
done:
    return st;
}

adn_status adn_cuda_plan_norm(cuda_op *op)
{
    size_t c = channels_of(op), places = places_of(op);

    switch (op->base.desc.kind) {
    case ADN_OP_NORM_FWD:
        op->run = run_forward;
        op->base.workspace_bytes = 2 * c * sizeof(double) + adn_k_moments_workspace(places, c);
        break;
    case ADN_OP_NORM_INFER:
        op->run = run_infer;
        op->base.workspace_bytes = c * sizeof(float);
        break;
    default:
        ADN_ASSERT(op->base.desc.kind == ADN_OP_NORM_GRAD);
        op->run = run_grad;
        op->base.workspace_bytes = adn_k_norm_backward_workspace(places, c);
    }
    return cuda_kernel_plan(op);
}
