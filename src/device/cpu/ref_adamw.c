/* AdamW: decay apart from the gradient, both moments, their ratio. */
#include <math.h>

#include "device/cpu/ref.h"

void REF(adn_ref_adamw)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *grad = args->p[ADN_GRAD_WEIGHT];
    const int32_t *halt = args->p[ADN_HALT];
    real *weight = args->p[ADN_WEIGHT], *m = args->p[ADN_MOMENTUM], *v = args->p[ADN_MOMENT2];
    real keep = (real)args->value[0], b1 = (real)args->value[1], new1 = (real)args->value[2];
    real b2 = (real)args->value[3], new2 = (real)args->value[4], rate = (real)args->value[5];
    real scale = (real)args->value[6], eps = (real)args->value[7];
    size_t n = adn_shape_count(d->src);

    if (*halt != 0) return;
    for (size_t k = 0; k < n; k++) {
        m[k] = b1 * m[k] + new1 * grad[k];
        v[k] = b2 * v[k] + new2 * (grad[k] * grad[k]);
        weight[k] = keep * weight[k] - rate * m[k] / (scale * (real)sqrt(v[k]) + eps);
    }
}
