/* Element-wise operations by our kernels. */
#include "device/cuda/kernels.h"

static size_t count_of(const cuda_op *op)
{
    return adn_shape_count(op->base.desc.src);
}

static adn_status run_relu(const cuda_op *op, const adn_op_args *args)
{
    adn_status st;
    CUDA_TRY(st, op->q->gpu,
             adn_k_relu(cuda_kernel_type(op), args->p[ADN_SRC], args->p[ADN_DST], count_of(op),
                        op->q->stream),
             done);
done:
    return st;
}

static adn_status run_relu_grad(const cuda_op *op, const adn_op_args *args)
{
    adn_status st;
    CUDA_TRY(st, op->q->gpu,
             adn_k_relu_grad(cuda_kernel_type(op), args->p[ADN_DST], args->p[ADN_GRAD_DST],
                             args->p[ADN_GRAD_SRC], count_of(op), op->q->stream),
             done);
done:
    return st;
}

static adn_status run_add(const cuda_op *op, const adn_op_args *args)
{
    adn_status st;
    CUDA_TRY(st, op->q->gpu,
             adn_k_add(cuda_kernel_type(op), args->p[ADN_SRC], args->p[ADN_SRC2], args->p[ADN_DST],
                       op->base.desc.u.norm.relu, count_of(op), op->q->stream),
             done);
done:
    return st;
}

static adn_status run_normalise(const cuda_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    float mean[ADN_PIXEL_CHANNELS], std[ADN_PIXEL_CHANNELS];
    size_t c = (size_t)d->src.c, n = c > 0 ? count_of(op) / c : 0;
    adn_status st;

    for (int i = 0; i < ADN_PIXEL_CHANNELS; i++) {
        mean[i] = (float)d->u.pixel.mean[i];
        std[i] = (float)d->u.pixel.std[i];
    }
    CUDA_TRY(st, op->q->gpu,
             adn_k_normalise(cuda_kernel_type(op), args->p[ADN_SRC], args->p[ADN_DST], n, d->src.c,
                             mean, std, op->q->stream),
             done);
done:
    return st;
}

static adn_status run_sgd(const cuda_op *op, const adn_op_args *args)
{
    const adn_k_sgd how = {.lr = (float)args->value[0],
                           .momentum = (float)args->value[1],
                           .decay = (float)args->value[2],
                           .nesterov = op->base.desc.u.sgd.nesterov,
                           .is_first = args->value[3] == 1};
    adn_status st;
    CUDA_TRY(st, op->q->gpu,
             adn_k_sgd_step(&how, args->p[ADN_WEIGHT], args->p[ADN_MOMENTUM],
                            args->p[ADN_GRAD_WEIGHT], args->p[ADN_HALT], count_of(op),
                            op->q->stream),
             done);
done:
    return st;
}

static adn_status run_adamw(const cuda_op *op, const adn_op_args *args)
{
    const double *by = args->value;
    const adn_k_adamw how = {.keep = (float)by[0],
                             .b1 = (float)by[1],
                             .new1 = (float)by[2],
                             .b2 = (float)by[3],
                             .new2 = (float)by[4],
                             .rate = (float)by[5],
                             .scale = (float)by[6],
                             .eps = (float)by[7]};
    adn_status st;
    CUDA_TRY(st, op->q->gpu,
             adn_k_adamw_step(&how, args->p[ADN_WEIGHT], args->p[ADN_MOMENTUM],
                              args->p[ADN_MOMENT2], args->p[ADN_GRAD_WEIGHT], args->p[ADN_HALT],
                              count_of(op), op->q->stream),
             done);
done:
    return st;
}

adn_status adn_cuda_plan_elem(cuda_op *op)
{
    adn_status st = cuda_kernel_plan(op);

    switch (op->base.desc.kind) {
    case ADN_OP_RELU_FWD:
        op->run = run_relu;
        break;
    case ADN_OP_RELU_GRAD:
        op->run = run_relu_grad;
        break;
    case ADN_OP_ADD:
        op->run = run_add;
        break;
    case ADN_OP_NORMALISE:
        op->run = run_normalise;
        break;
    case ADN_OP_SGD: /* over fp32 whatever the activations: parameters are */
        op->run = run_sgd;
        break;
    case ADN_OP_ADAMW: /* likewise */
        op->run = run_adamw;
        break;
    default:
        ADN_ASSERT(!"an element-wise operation");
    }
    return st;
}
