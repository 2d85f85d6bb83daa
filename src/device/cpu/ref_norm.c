/* Batch norm over n, h, w for each channel, with ReLU and pools behind it if asked: PyTorch's
 * BatchNorm2d. Sums run over all places for REF_CHUNK channels at a time. */
#include <math.h>

#include "device/cpu/ref.h"

/* What turns x into the normalised, scaled y. Forward and gradient compute it alike, so that the
 * gradient's ReLU mask is the forward's, bit for bit. */
static inline real apply(real x, real mean, real inv_std, real weight, real bias)
{
    return (x - mean) * inv_std * weight + bias;
}

/* n_c channels from `at` on, and what they are normed by. */
typedef struct channels {
    size_t at, n_c;
    const real *mean, *inv_std, *weight, *bias;
} channels;

static real normed(const adn_op_desc *d, const adn_op_args *args, const channels *v, size_t k,
                   size_t c)
{
    const real *src = args->p[ADN_SRC];
    real y = apply(src[k + c], v->mean[c], v->inv_std[c], v->weight[c], v->bias[c]);
    return d->u.norm.relu ? ref_relu(y) : y;
}

/* The largest of 2x2 by PyTorch's rules: the first of them, or what is not a number. */
static void max_all(const adn_op_desc *d, const adn_op_args *args, const channels *v)
{
    adn_shape pooled = {d->src.n, d->src.h / 2, d->src.w / 2, d->src.c};
    real *dst = args->p[ADN_DST_MAX];
    uint8_t *index = args->p[ADN_INDEX];

    for (int n = 0; n < pooled.n; n++)
        for (int y = 0; y < pooled.h; y++)
            for (int x = 0; x < pooled.w; x++)
                for (size_t c = 0; c < v->n_c; c++) {
                    size_t to = ref_at(pooled, n, y, x) + v->at + c;
                    dst[to] = (real)-INFINITY;
                    for (int tap = 0; tap < 4; tap++) {
                        size_t k = ref_at(d->src, n, 2 * y + tap / 2, 2 * x + tap % 2) + v->at;
                        real value = normed(d, args, v, k, c);
                        if (!(value > dst[to] || isnan(value))) continue;
                        dst[to] = value;
                        if (index != NULL) index[to] = (uint8_t)tap;
                    }
                }
}

static void average_all(const adn_op_desc *d, const adn_op_args *args, const channels *v)
{
    adn_shape pooled = {d->src.n, d->u.norm.avg_h, d->u.norm.avg_w, d->src.c};
    int h = d->src.h / pooled.h, w = d->src.w / pooled.w;
    real *dst = args->p[ADN_DST_AVG];

    for (int n = 0; n < pooled.n; n++)
        for (int y = 0; y < pooled.h; y++)
            for (int x = 0; x < pooled.w; x++)
                for (size_t c = 0; c < v->n_c; c++) {
                    double sum = 0;
                    for (int tap = 0; tap < h * w; tap++)
                        sum +=
                            normed(d, args, v,
                                   ref_at(d->src, n, y * h + tap / w, x * w + tap % w) + v->at, c);
                    dst[ref_at(pooled, n, y, x) + v->at + c] = (real)(sum / (h * w));
                }
}

static void apply_all(const adn_op_desc *d, const adn_op_args *args, size_t at, size_t n_c,
                      const real *mean, const real *inv_std)
{
    const channels v = {
        at, n_c, mean, inv_std, (real *)args->p[ADN_WEIGHT] + at, (real *)args->p[ADN_BIAS] + at};
    real *dst = args->p[ADN_DST];
    size_t n = adn_shape_count(d->src), stride = (size_t)d->src.c;

    for (size_t k = at; dst != NULL && k < n; k += stride)
        for (size_t c = 0; c < n_c; c++) dst[k + c] = normed(d, args, &v, k, c);
    if (args->p[ADN_DST_MAX] != NULL) max_all(d, args, &v);
    if (args->p[ADN_DST_AVG] != NULL) average_all(d, args, &v);
}

/* Mean and biased variance of n_c channels from `at` on. sums: of src and its squares, or NULL. */
static void moments(const adn_op_desc *d, const real *src, const double *sums, size_t at,
                    size_t n_c, double *mean, double *var)
{
    size_t n = adn_shape_count(d->src), stride = (size_t)d->src.c;
    double n_place = (double)(n / stride);

    for (size_t c = 0; sums != NULL && c < n_c; c++) {
        mean[c] = sums[at + c] / n_place;
        var[c] = ADN_MAX(sums[stride + at + c] / n_place - mean[c] * mean[c], 0);
    }
    if (sums != NULL) return;
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

        moments(d, args->p[ADN_SRC], args->p[ADN_SUMS], at, n_c, batch_mean, batch_var);
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

/* The gradient of element k of dst: its own, and what the pools spread over it. */
static real grad_at(const adn_op_desc *d, const adn_op_args *args, size_t k)
{
    const real *grad_dst = args->p[ADN_GRAD_DST], *grad_max = args->p[ADN_GRAD_MAX];
    const real *grad_avg = args->p[ADN_GRAD_AVG];
    const uint8_t *index = args->p[ADN_INDEX];
    size_t n_c = (size_t)d->src.c, c = k % n_c, place = k / n_c;
    int x = (int)(place % (size_t)d->src.w), y = (int)(place / (size_t)d->src.w) % d->src.h;
    int n = (int)(place / (size_t)d->src.w) / d->src.h;
    double g = grad_dst != NULL ? grad_dst[k] : 0;

    if (grad_max != NULL) {
        adn_shape pooled = {d->src.n, d->src.h / 2, d->src.w / 2, d->src.c};
        size_t from = ref_at(pooled, n, y / 2, x / 2) + c;
        if (index[from] == y % 2 * 2 + x % 2) g += grad_max[from];
    }
    if (grad_avg != NULL) {
        adn_shape pooled = {d->src.n, d->u.norm.avg_h, d->u.norm.avg_w, d->src.c};
        int h = d->src.h / pooled.h, w = d->src.w / pooled.w;
        g += grad_avg[ref_at(pooled, n, y / h, x / w) + c] / (real)(h * w);
    }
    return (real)g;
}

/* With x^ = (x - mean) / std, g = the gradient through ReLU and N places:
 * grad bias = sum g, grad weight = sum g x^, grad x = weight / std * (g - (grad bias + x^ grad
 * weight) / N). */
static void grad_chunk(const adn_op_desc *d, const adn_op_args *args, size_t at, size_t n_c)
{
    const real *src = args->p[ADN_SRC];
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
            double g = grad_at(d, args, k + c);
            if (d->u.norm.relu) g = ref_relu_grad(y, (real)g);
            sum_g[c] += g;
            sum_gx[c] += g * ((src[k + c] - mean[c]) * inv_std[c]);
        }
    for (size_t k = at; k < n; k += stride)
        for (size_t c = 0; c < n_c; c++) {
            real y = apply(src[k + c], mean[c], inv_std[c], weight[c], bias[c]);
            real g = grad_at(d, args, k + c);
            if (d->u.norm.relu) g = ref_relu_grad(y, g);
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
