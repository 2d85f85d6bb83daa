/* Pools by our kernels. */
#include "device/cuda/kernels.h"

static adn_k_pool pool_of(const cuda_op *op)
{
    static const adn_k_pool_kind kinds[] = {[ADN_POOL_MAX] = ADN_K_POOL_MAX,
                                            [ADN_POOL_AVG] = ADN_K_POOL_AVG,
                                            [ADN_POOL_ADAPTIVE_AVG] = ADN_K_POOL_ADAPTIVE};
    const adn_op_desc *d = &op->base.desc;
    return (adn_k_pool){.type = cuda_kernel_type(op),
                        .kind = kinds[d->u.pool.kind],
                        .n = d->src.n,
                        .c = d->src.c,
                        .src_h = d->src.h,
                        .src_w = d->src.w,
                        .dst_h = d->dst.h,
                        .dst_w = d->dst.w,
                        .kernel = d->u.pool.kernel,
                        .stride = d->u.pool.stride};
}

static adn_status run_forward(const cuda_op *op, const adn_op_args *args)
{
    const adn_k_pool p = pool_of(op);
    adn_status st;
    CUDA_TRY(st, op->q->gpu,
             adn_k_pool_forward(&p, args->p[ADN_SRC], args->p[ADN_DST], args->p[ADN_INDEX],
                                op->q->stream),
             done);
done:
    return st;
}

static adn_status run_backward(const cuda_op *op, const adn_op_args *args)
{
    const adn_k_pool p = pool_of(op);
    adn_status st;
    CUDA_TRY(st, op->q->gpu,
             adn_k_pool_backward(&p, args->p[ADN_GRAD_DST], args->p[ADN_INDEX],
                                 args->p[ADN_GRAD_SRC], op->q->stream),
             done);
done:
    return st;
}

adn_status adn_cuda_plan_pool(cuda_op *op)
{
    op->run = op->base.desc.kind == ADN_OP_POOL_FWD ? run_forward : run_backward;
    return cuda_kernel_plan(op);
}
