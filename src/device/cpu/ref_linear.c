/* Linear layer: a sample is h * w * c numbers as they lie; weights [o][h][w][i]. */
#include "device/cpu/ref.h"

static size_t inputs(const adn_op_desc *d)
{
    return (size_t)d->src.h * (size_t)d->src.w * (size_t)d->src.c;
}

void REF(adn_ref_linear_fwd)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *src = args->p[ADN_SRC], *weight = args->p[ADN_WEIGHT];
    const real *bias = d->u.conv.has_bias ? args->p[ADN_BIAS] : NULL;
    real *dst = args->p[ADN_DST];
    size_t n_in = inputs(d), n_out = (size_t)d->dst.c;

    for (size_t n = 0; n < (size_t)d->src.n; n++)
        for (size_t o = 0; o < n_out; o++)
            dst[n * n_out + o] =
                (bias != NULL ? bias[o] : 0) + ref_dot(src + n * n_in, weight + o * n_in, n_in);
}

void REF(adn_ref_linear_grad_src)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *grad_dst = args->p[ADN_GRAD_DST], *weight = args->p[ADN_WEIGHT];
    real *grad_src = args->p[ADN_GRAD_SRC];
    size_t n_in = inputs(d), n_out = (size_t)d->dst.c;

    ref_zero(grad_src, adn_shape_count(d->src));
    for (size_t n = 0; n < (size_t)d->src.n; n++)
        for (size_t o = 0; o < n_out; o++)
            ref_add_scaled(grad_src + n * n_in, weight + o * n_in, grad_dst[n * n_out + o], n_in);
}

void REF(adn_ref_linear_grad_param)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *src = args->p[ADN_SRC], *grad_dst = args->p[ADN_GRAD_DST];
    real *grad_weight = args->p[ADN_GRAD_WEIGHT];
    real *grad_bias = d->u.conv.has_bias ? args->p[ADN_GRAD_BIAS] : NULL;
    size_t n_in = inputs(d), n_out = (size_t)d->dst.c, n_batch = (size_t)d->src.n;

    for (size_t o = 0; o < n_out; o++) {
        double bias_sum = 0;
        for (size_t i = 0; i < n_in; i += REF_CHUNK) {
            double sum[REF_CHUNK] = {0};
            size_t n_i = ADN_MIN(n_in - i, (size_t)REF_CHUNK);
            for (size_t n = 0; n < n_batch; n++) {
                double g = grad_dst[n * n_out + o];
                for (size_t c = 0; c < n_i; c++) sum[c] += g * src[n * n_in + i + c];
            }
            for (size_t c = 0; c < n_i; c++) grad_weight[o * n_in + i + c] = (real)sum[c];
        }
        for (size_t n = 0; n < n_batch; n++) bias_sum += grad_dst[n * n_out + o];
        if (grad_bias != NULL) grad_bias[o] = (real)bias_sum;
    }
}
