/* What plans that run our kernels share. Private to src/device/cuda. */
#ifndef ADN_CUDA_KERNELS_H
#define ADN_CUDA_KERNELS_H

#include "adn_kernels.h"
#include "device/cuda/cuda.h"

/* Activations' type, of an operation that was planned. */
static inline adn_k_type cuda_kernel_type(const cuda_op *op)
{
    return op->base.desc.type == ADN_BF16 ? ADN_K_BF16 : ADN_K_F32;
}

/* The start of a plan: refuses types that no kernel takes. */
static inline adn_status cuda_kernel_plan(cuda_op *op)
{
    const adn_op_desc *d = &op->base.desc;

    if (d->type != ADN_F32 && d->type != ADN_BF16)
        return ADN_FAIL(ADN_DEVICE, "cuda: %s has kernels for fp32 and bf16 alone",
                        adn_op_infos[d->kind].name);
    op->base.algo = "kernels";
    return ADN_OK;
}

#endif
