/* The loss by our kernels. */
#include "device/cuda/kernels.h"

/* The kernels' structs are the table's. */
_Static_assert(sizeof(adn_k_label) == sizeof(adn_label) &&
                   offsetof(adn_k_label, b) == offsetof(adn_label, b) &&
                   offsetof(adn_k_label, weight_a) == offsetof(adn_label, weight_a),
               "adn_k_label is adn_label");
_Static_assert(sizeof(adn_k_loss_result) == sizeof(adn_loss_result) &&
                   offsetof(adn_k_loss_result, hits) == offsetof(adn_loss_result, hits) &&
                   offsetof(adn_k_loss_result, n) == offsetof(adn_loss_result, n),
               "adn_k_loss_result is adn_loss_result");

static adn_status run_loss(const cuda_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    adn_status st;
    CUDA_TRY(st, op->q->gpu,
             adn_k_loss(cuda_kernel_type(op), args->p[ADN_SRC], args->p[ADN_LABELS],
                        (size_t)d->src.n, (size_t)d->src.c, d->u.loss.smoothing,
                        args->p[ADN_GRAD_SRC], args->p[ADN_RESULT], args->p[ADN_HALT],
                        args->p[ADN_WORKSPACE], op->q->stream),
             done);
done:
    return st;
}

adn_status adn_cuda_plan_loss(cuda_op *op)
{
    op->run = run_loss;
    op->base.workspace_bytes = adn_k_loss_workspace((size_t)op->base.desc.src.n);
    return cuda_kernel_plan(op);
}
