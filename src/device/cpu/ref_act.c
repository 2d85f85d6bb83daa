/* ReLU and the residual sum. */
#include "device/cpu/ref.h"

void REF(adn_ref_relu_fwd)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *src = args->p[ADN_SRC];
    real *dst = args->p[ADN_DST];
    size_t n = adn_shape_count(d->src);
    for (size_t k = 0; k < n; k++) dst[k] = ref_relu(src[k]);
}

void REF(adn_ref_relu_grad)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *dst = args->p[ADN_DST], *grad_dst = args->p[ADN_GRAD_DST];
    real *grad_src = args->p[ADN_GRAD_SRC];
    size_t n = adn_shape_count(d->src);
    for (size_t k = 0; k < n; k++) grad_src[k] = ref_relu_grad(dst[k], grad_dst[k]);
}

void REF(adn_ref_add)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *src = args->p[ADN_SRC], *src2 = args->p[ADN_SRC2];
    real *dst = args->p[ADN_DST];
    size_t n = adn_shape_count(d->src);
    for (size_t k = 0; k < n; k++) {
        real sum = src[k] + src2[k];
        dst[k] = d->u.norm.relu ? ref_relu(sum) : sum;
    }
}
