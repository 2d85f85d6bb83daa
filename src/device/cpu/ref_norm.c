/* Batch norm over n, h, w for each channel, with ReLU behind it if asked: PyTorch's BatchNorm2d.
 * Sums run over all places for REF_CHUNK channels at a time. */
#include <math.h>

#include "device/cpu/ref.h"

/* What turns x into the normalised, scaled y. Forward and gradient compute it alike, so that the
 * gradient's ReLU mask is the forward's, bit for bit. */
static inline real apply(real x, real mean, real inv_std, real weight, real bias)
{
    return (x - mean) * inv_std * weight + bias;
}

static void apply_all(const adn_op_desc *d, const adn_op_args *args, size_t at, size_t n_c,
                      const real *mean, const real *inv_std)
{
    const real *src = args->p[ADN_SRC];
    const real *weight = (real *)args->p[ADN_WEIGHT] + at, *bias = (real *)args->p[ADN_BIAS] + at;
    real *dst = args->p[ADN_DST];
    size_t n = adn_shape_count(d->src), stride = (size_t)d->src.c;

    for (size_t k = at; k < n; k += stride)
        for (size_t c = 0; c < n_c; c++) {
            real y = apply(src[k + c], mean[c], inv_std[c], weight[c], bias[c]);
            dst[k + c] = d->u.norm.relu ? ref_relu(y) : y;
        }
}

/* Mean and biased variance of n_c channels from `at` on. */
static void moments(const adn_op_desc *d, const real *src, size_t at, size_t n_c, double *mean,
                    double *var)
{
    size_t n = adn_shape_count(d->src), stride = (size_t)d->src.c;
    double n_place = (double)(n / stride);

    for (size_t c = 0; c < n_c; c++) mean[c] = var[c] = 0;
    for (size_t k = at; k < n; k += stride)
        for (size_t c = 0; c < n_c; c++) mean[c] += src[k + c];
    for (size_t c = 0; c < n_c; c++) mean[c] /= n_place;
    for (size_t k = at; k < n; k += stride)
        for (size_t c = 0; c < n_c; c++) var[c] += (src[k + c] - mean[c]) * (src[k + c] - mean[c]);
    for (size_t c = 0; c < n_c; c++) var[c] /= n_place;
}

void REF(adn_ref_norm_fwd)(const adn_op_desc *d, const adn_op_args *args)
{
    size_t n_channel = (size_t)d->src.c, n_place = adn_shape_count(d->src) / n_channel;
    double keep = 1 - d->u.norm.momentum, move = d->u.norm.momentum;
    double unbiased = n_place > 1 ? (double)n_place / (double)(n_place - 1) : 1;
    bool moves_stats = args->value[0] != 0;

    if (n_place == 0) return;
    for (size_t at = 0; at < n_channel; at += REF_CHUNK) {
        size_t n_c = ADN_MIN(n_channel - at, (size_t)REF_CHUNK);
        double batch_mean[REF_CHUNK], batch_var[REF_CHUNK];
        real *mean = (real *)args->p[ADN_MEAN] + at, *inv_std = (real *)args->p[ADN_INV_STD] + at;
        real *run_mean = (real *)args->p[ADN_RUN_MEAN] + at,
             *run_var = (real *)args->p[ADN_RUN_VAR] + at;

        moments(d, args->p[ADN_SRC], at, n_c, batch_mean, batch_var);
        for (size_t c = 0; c < n_c; c++) {
            mean[c] = (real)batch_mean[c];
            inv_std[c] = (real)(1 / sqrt(batch_var[c] + d->u.norm.eps));
            if (!moves_stats) continue;
            run_mean[c] = (real)(keep * run_mean[c] + move * batch_mean[c]);
            run_var[c] = (real)(keep * run_var[c] + move * unbiased * batch_var[c]);
        }
        apply_all(d, args, at, n_c, mean, inv_std);
    }
}

void REF(adn_ref_norm_infer)(const adn_op_desc *d, const adn_op_args *args)
{
    size_t n_channel = (size_t)d->src.c;

    for (size_t at = 0; at < n_channel; at += REF_CHUNK) {
        size_t n_c = ADN_MIN(n_channel - at, (size_t)REF_CHUNK);
        const real *run_mean = (real *)args->p[ADN_RUN_MEAN] + at,
                   *run_var = (real *)args->p[ADN_RUN_VAR] + at;
        real inv_std[REF_CHUNK];
        for (size_t c = 0; c < n_c; c++) inv_std[c] = (real)(1 / sqrt(run_var[c] + d->u.norm.eps));
        apply_all(d, args, at, n_c, run_mean, inv_std);
    }
}

/* With x^ = (x - mean) / std, g = the gradient through ReLU and N places:
 * grad bias = sum g, grad weight = sum g x^, grad x = weight / std * (g - (grad bias + x^ grad
 * weight) / N). */
static void grad_chunk(const adn_op_desc *d, const adn_op_args *args, size_t at, size_t n_c)
{
    const real *src = args->p[ADN_SRC], *grad_dst = args->p[ADN_GRAD_DST];
    const real *weight = (real *)args->p[ADN_WEIGHT] + at, *bias = (real *)args->p[ADN_BIAS] + at;
    const real *mean = (real *)args->p[ADN_MEAN] + at, *inv_std = (real *)args->p[ADN_INV_STD] + at;
    real *grad_src = args->p[ADN_GRAD_SRC];
    real *grad_weight = (real *)args->p[ADN_GRAD_WEIGHT] + at,
         *grad_bias = (real *)args->p[ADN_GRAD_BIAS] + at;
    size_t n = adn_shape_count(d->src), stride = (size_t)d->src.c;
    double n_place = (double)(n / stride), sum_g[REF_CHUNK] = {0}, sum_gx[REF_CHUNK] = {0};

    for (size_t k = at; k < n; k += stride)
        for (size_t c = 0; c < n_c; c++) {
            real y = apply(src[k + c], mean[c], inv_std[c], weight[c], bias[c]);
            double g = d->u.norm.relu ? ref_relu_grad(y, grad_dst[k + c]) : grad_dst[k + c];
            sum_g[c] += g;
            sum_gx[c] += g * ((src[k + c] - mean[c]) * inv_std[c]);
        }
    for (size_t k = at; k < n; k += stride)
        for (size_t c = 0; c < n_c; c++) {
            real y = apply(src[k + c], mean[c], inv_std[c], weight[c], bias[c]);
            real g = d->u.norm.relu ? ref_relu_grad(y, grad_dst[k + c]) : grad_dst[k + c];
            double shared = (sum_g[c] + (src[k + c] - mean[c]) * inv_std[c] * sum_gx[c]) / n_place;
            grad_src[k + c] = (real)(weight[c] * inv_std[c] * (g - shared));
        }
    for (size_t c = 0; c < n_c; c++) {
        grad_weight[c] = (real)sum_gx[c];
        grad_bias[c] = (real)sum_g[c];
    }
}

void REF(adn_ref_norm_grad)(const adn_op_desc *d, const adn_op_args *args)
{
    size_t n_channel = (size_t)d->src.c;
    for (size_t at = 0; at < n_channel; at += REF_CHUNK)
        grad_chunk(d, args, at, ADN_MIN(n_channel - at, (size_t)REF_CHUNK));
}
