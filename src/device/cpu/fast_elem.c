/* Element by element over maps: ReLU, sums, pixels. */
#include <math.h>

#include "device/cpu/act.h"

enum { CHUNK = 16384 }; /* elements a thread takes at a time */

static void relu(act *restrict dst, const act *restrict src, size_t n)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++) {
        float x = act_get(src[i]);
        dst[i] = act_of(x <= 0.0F ? 0.0F : x); /* NaN stays */
    }
}

/* out may be grad. */
static void relu_grad(act *out, const act *grad, const act *restrict dst, size_t n)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++)
        out[i] = act_of(act_get(dst[i]) <= 0.0F ? 0.0F : act_get(grad[i]));
}

/* dst may be a. least: 0 for ReLU, else minus infinity. */
static void add(act *dst, const act *a, const act *b, size_t n, float least)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++) {
        float sum = act_get(a[i]) + act_get(b[i]);
        dst[i] = act_of(sum <= least ? least : sum);
    }
}

static adn_status run_relu(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t n = adn_shape_count(op->base.desc.src);
    const act *src = args->p[ADN_SRC];
    act *dst = args->p[ADN_DST];

#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK) relu(dst + at, src + at, ADN_MIN(CHUNK, n - at));
    return ADN_OK;
}

static adn_status run_relu_grad(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t n = adn_shape_count(op->base.desc.src);
    const act *dst = args->p[ADN_DST], *grad = args->p[ADN_GRAD_DST];
    act *out = args->p[ADN_GRAD_SRC];

#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK)
        relu_grad(out + at, grad + at, dst + at, ADN_MIN(CHUNK, n - at));
    return ADN_OK;
}

static adn_status run_add(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t n = adn_shape_count(op->base.desc.src);
    const act *a = args->p[ADN_SRC], *b = args->p[ADN_SRC2];
    act *dst = args->p[ADN_DST];
    float least = op->base.desc.u.norm.relu ? 0.0F : -INFINITY;

#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK)
        add(dst + at, a + at, b + at, ADN_MIN(CHUNK, n - at), least);
    return ADN_OK;
}

/* The channels' pattern repeats after PERIOD elements for 1, 2, 3 and 4 channels. */
enum { PERIOD = 48 };

static void pixels(act *restrict dst, const uint8_t *restrict src, const float *restrict scale,
                   const float *restrict shift, size_t n)
{
    for (; n >= PERIOD; n -= PERIOD, src += PERIOD, dst += PERIOD) {
        ADN_SIMD
        for (size_t i = 0; i < PERIOD; i++) dst[i] = act_of((float)src[i] * scale[i] + shift[i]);
    }
    for (size_t i = 0; i < n; i++) dst[i] = act_of((float)src[i] * scale[i] + shift[i]);
}

static adn_status run_normalise(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    size_t n = adn_shape_count(d->src), c = (size_t)d->src.c;
    const uint8_t *src = args->p[ADN_SRC];
    act *dst = args->p[ADN_DST];
    float scale[PERIOD], shift[PERIOD];
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
    default:
        return ADN_END;
    }
}
