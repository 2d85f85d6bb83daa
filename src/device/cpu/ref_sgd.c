/* SGD in PyTorch's order of operations. Momentum that starts at zero makes its first step
 * PyTorch's. */
#include "device/cpu/ref.h"

void REF(adn_ref_sgd)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *grad = args->p[ADN_GRAD_WEIGHT];
    const int32_t *halt = args->p[ADN_HALT];
    real *weight = args->p[ADN_WEIGHT], *momentum = args->p[ADN_MOMENTUM];
    real lr = (real)args->value[0], keep = (real)args->value[1], decay = (real)args->value[2];
    bool is_first = args->value[3] == 1;
    size_t n = adn_shape_count(d->src);

    if (*halt != 0) return;
    for (size_t k = 0; k < n; k++) {
        real g = grad[k] + decay * weight[k];
        momentum[k] = is_first ? g : keep * momentum[k] + g;
        weight[k] -= lr * (d->u.sgd.nesterov ? g + keep * momentum[k] : momentum[k]);
    }
}
