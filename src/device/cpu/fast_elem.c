/* Element by element over flat arrays: ReLU, sums, pixels, the update of parameters. */
#include <math.h>

#include "device/cpu/act.h"

enum { CHUNK = 16384 }; /* elements a thread takes at a time */

static void relu(float *restrict dst, const float *restrict src, size_t n)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++) dst[i] = src[i] <= 0.0F ? 0.0F : src[i]; /* NaN stays */
}

/* out may be grad. */
static void relu_grad(float *out, const float *grad, const float *restrict dst, size_t n)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++) out[i] = dst[i] <= 0.0F ? 0.0F : grad[i];
}

/* dst may be a. least: 0 for ReLU, else minus infinity. */
static void add(float *dst, const float *a, const float *b, size_t n, float least)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++) {
        float sum = a[i] + b[i];
        dst[i] = sum <= least ? least : sum;
    }
}

static adn_status run_relu(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t n = adn_shape_count(op->base.desc.src);
    const float *src = args->p[ADN_SRC];
    float *dst = args->p[ADN_DST];

#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK) relu(dst + at, src + at, ADN_MIN(CHUNK, n - at));
    return ADN_OK;
}

static adn_status run_relu_grad(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t n = adn_shape_count(op->base.desc.src);
    const float *dst = args->p[ADN_DST], *grad = args->p[ADN_GRAD_DST];
    float *out = args->p[ADN_GRAD_SRC];

#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK)
        relu_grad(out + at, grad + at, dst + at, ADN_MIN(CHUNK, n - at));
    return ADN_OK;
}

static adn_status run_add(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t n = adn_shape_count(op->base.desc.src);
    const float *a = args->p[ADN_SRC], *b = args->p[ADN_SRC2];
    float *dst = args->p[ADN_DST], least = op->base.desc.u.norm.relu ? 0.0F : -INFINITY;

#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK)
        add(dst + at, a + at, b + at, ADN_MIN(CHUNK, n - at), least);
    return ADN_OK;
}

/* The channels' pattern repeats after PERIOD elements for 1, 2, 3 and 4 channels. */
enum { PERIOD = 48 };

static void pixels(float *restrict dst, const uint8_t *restrict src, const float *restrict scale,
                   const float *restrict shift, size_t n)
{
    for (; n >= PERIOD; n -= PERIOD, src += PERIOD, dst += PERIOD) {
        ADN_SIMD
        for (size_t i = 0; i < PERIOD; i++) dst[i] = (float)src[i] * scale[i] + shift[i];
    }
    for (size_t i = 0; i < n; i++) dst[i] = (float)src[i] * scale[i] + shift[i];
}

static adn_status run_normalise(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    size_t n = adn_shape_count(d->src), c = (size_t)d->src.c;
    const uint8_t *src = args->p[ADN_SRC];
    float *dst = args->p[ADN_DST], scale[PERIOD], shift[PERIOD];
    enum { PIECE = CHUNK / PERIOD * PERIOD };

    for (size_t i = 0; i < PERIOD; i++) {
        scale[i] = (float)(1 / (255 * d->u.pixel.std[i % c]));
        shift[i] = (float)(-d->u.pixel.mean[i % c] / d->u.pixel.std[i % c]);
    }
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += PIECE)
        pixels(dst + at, src + at, scale, shift, ADN_MIN(PIECE, n - at));
    return ADN_OK;
}

typedef struct sgd_rule {
    float lr, momentum, decay;
    bool nesterov, is_first;
} sgd_rule;

/* One pass: 20 bytes a parameter. A first step does not read the momentum's memory. */
static inline void sgd_range(float *restrict w, float *restrict m, const float *restrict grad,
                             size_t n, sgd_rule s)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++) {
        float g = grad[i] + s.decay * w[i];
        float moved = s.is_first ? g : s.momentum * m[i] + g;
        m[i] = moved;
        w[i] -= s.lr * (s.nesterov ? g + s.momentum * moved : moved);
    }
}

static void sgd(float *restrict w, float *restrict m, const float *restrict grad, size_t n,
                sgd_rule s)
{
    if (s.is_first)
        sgd_range(w, m, grad, n, s);
    else if (s.nesterov)
        sgd_range(w, m, grad, n, (sgd_rule){s.lr, s.momentum, s.decay, true, false});
    else
        sgd_range(w, m, grad, n, (sgd_rule){s.lr, s.momentum, s.decay, false, false});
}

static adn_status run_sgd(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t n = adn_shape_count(op->base.desc.src);
    const float *grad = args->p[ADN_GRAD_WEIGHT];
    float *weight = args->p[ADN_WEIGHT], *momentum = args->p[ADN_MOMENTUM];
    const sgd_rule rule = {(float)args->value[0], (float)args->value[1], (float)args->value[2],
                           op->base.desc.u.sgd.nesterov, args->value[3] == 1};

    if (*(const int32_t *)args->p[ADN_HALT] != 0) return ADN_OK;
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK)
        sgd(weight + at, momentum + at, grad + at, ADN_MIN(CHUNK, n - at), rule);
    return ADN_OK;
}

adn_status adn_fast_elem_plan(adn_cpu_op *op)
{
    const adn_op_desc *d = &op->base.desc;

    if (d->type != ACT_TYPE) return ADN_END;
    switch (d->kind) {
    case ADN_OP_RELU_FWD:
        op->run = run_relu;
        return ADN_OK;
    case ADN_OP_RELU_GRAD:
        op->run = run_relu_grad;
        return ADN_OK;
    case ADN_OP_ADD:
        op->run = run_add;
        return ADN_OK;
    case ADN_OP_NORMALISE:
        op->run = run_normalise;
        return ADN_OK;
    case ADN_OP_SGD:
        op->run = run_sgd;
        return ADN_OK;
    default:
        return ADN_END;
    }
}
