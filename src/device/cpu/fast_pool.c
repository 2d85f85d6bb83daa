/* Pooling over rows of channels: maxima of 2x2, and averages, where the windows tile the map.
 * Others are left to the loops. */
#include "device/cpu/fast_pool.h"

#include <string.h>

/* Bytes of a vector's lanes. */
typedef uint8_t vec_bytes __attribute__((vector_size(LANES)));

/* The first of the largest wins; anything that is not a number does. */
VEC_INLINE vec_mask wins(vec x, vec best)
{
    return (x > best) | (x != x);
}

/* n_lane channels of one pooled pixel. */
VEC_INLINE void max_vector(act *dst, uint8_t *index, const act *top, const act *low, size_t c,
                           size_t n_lane)
{
    bool is_whole = n_lane == LANES;
    vec p = is_whole ? act_load(top) : act_load_some(top, n_lane);
    vec q = is_whole ? act_load(top + c) : act_load_some(top + c, n_lane);
    vec r = is_whole ? act_load(low) : act_load_some(low, n_lane);
    vec s = is_whole ? act_load(low + c) : act_load_some(low + c, n_lane);
    vec_mask in_top = wins(q, p), in_low = wins(s, r);
    vec a = vec_pick(in_top, q, p), b = vec_pick(in_low, s, r);
    vec_mask is_low = wins(b, a);
    vec best = vec_pick(is_low, b, a);

    if (is_whole)
        act_store(dst, best);
    else
        act_store_some(dst, best, n_lane);
    if (index == NULL) return;
    vec_mask which = (is_low & (2 - in_low)) | (~is_low & -in_top);
    vec_bytes bytes = __builtin_convertvector(which, vec_bytes);
    memcpy(index, &bytes, n_lane);
}

void adn_pool_max(act *restrict dst, uint8_t *restrict index, const act *restrict top,
                  const act *restrict low, size_t w, size_t c)
{
    for (; w > 0; w--, top += 2 * c, low += 2 * c, dst += c) {
        size_t i = 0;
        for (; i + LANES <= c; i += LANES)
            max_vector(dst + i, index == NULL ? NULL : index + i, top + i, low + i, c, LANES);
        if (i < c)
            max_vector(dst + i, index == NULL ? NULL : index + i, top + i, low + i, c, c - i);
        if (index != NULL) index += c;
    }
}

/* Element i of activations, or of floats that become some: is_act is known where this is inlined.
 */
VEC_INLINE void put(void *to, size_t i, float x, bool is_act)
{
    if (is_act)
        ((act *)to)[i] = act_of(x);
    else
        ((float *)to)[i] = x;
}

VEC_INLINE void max_grad(void *restrict top, void *restrict low, const act *restrict grad,
                         const uint8_t *restrict index, size_t w, size_t c, bool is_act)
{
    for (size_t at = 0; w > 0; w--, at += 2 * c, grad += c, index += c) {
        for (int tap = 0; tap < 4; tap++) { /* one after another: writes that follow each other */
            void *restrict to = tap < 2 ? top : low;
            size_t first = at + (tap % 2 == 1 ? c : 0);
            ADN_SIMD
            for (size_t i = 0; i < c; i++)
                put(to, first + i, index[i] == tap ? act_get(grad[i]) : 0.0F, is_act);
        }
    }
}

void adn_pool_max_grad(float *restrict top, float *restrict low, const act *restrict grad,
                       const uint8_t *restrict index, size_t w, size_t c)
{
    max_grad(top, low, grad, index, w, c, false);
}

/* Channels whose sums lie in a first-level cache. */
enum { AVERAGE_BLOCK = 512 };

static void average_block(act *restrict dst, const act *restrict src, size_t stride, size_t h,
                          size_t w, size_t c, size_t n)
{
    float scale = 1.0F / (float)(h * w), sum[AVERAGE_BLOCK];

    memset(sum, 0, n * sizeof(*sum));
    for (size_t y = 0; y < h; y++) {
        for (size_t x = 0; x < w; x++) {
            const act *restrict from = src + y * stride + x * c;
            ADN_SIMD
            for (size_t i = 0; i < n; i++) sum[i] += act_get(from[i]);
        }
    }
    ADN_SIMD
    for (size_t i = 0; i < n; i++) dst[i] = act_of(sum[i] * scale);
}

void adn_pool_average(act *restrict dst, const act *restrict src, size_t stride, size_t h, size_t w,
                      size_t c)
{
    for (size_t i = 0; i < c; i += AVERAGE_BLOCK)
        average_block(dst + i, src + i, stride, h, w, c, ADN_MIN(AVERAGE_BLOCK, c - i));
}

/* adds: to floats alone. */
VEC_INLINE void average_grad(void *restrict dst, const act *restrict grad, size_t stride, size_t h,
                             size_t w, size_t c, bool adds, bool is_act)
{
    float scale = 1.0F / (float)(h * w);

    for (size_t y = 0; y < h; y++) {
        for (size_t x = 0; x < w; x++) {
            size_t at = y * stride + x * c;
            if (adds) {
                float *restrict to = (float *)dst + at;
                ADN_SIMD
                for (size_t i = 0; i < c; i++) to[i] += act_get(grad[i]) * scale;
            } else {
                ADN_SIMD
                for (size_t i = 0; i < c; i++) put(dst, at + i, act_get(grad[i]) * scale, is_act);
            }
        }
    }
}

void adn_pool_average_grad(float *restrict dst, const act *restrict grad, size_t stride, size_t h,
                           size_t w, size_t c, bool adds)
{
    average_grad(dst, grad, stride, h, w, c, adds, false);
}

/* Rows of pooled elements are shared out; each has `h` rows of the map above it. */
typedef struct window {
    size_t n_row, w_out, h, w, c;
    size_t dst_row, src_row; /* elements of a pooled row, of a row of the map */
} window;

static window window_of(const adn_op_desc *d)
{
    size_t h_out = (size_t)d->dst.h, w_out = (size_t)d->dst.w;
    size_t w_in = (size_t)d->src.w, c = (size_t)d->dst.c;
    return (window){.n_row = (size_t)d->dst.n * h_out,
                    .w_out = w_out,
                    .h = (size_t)d->src.h / h_out,
                    .w = w_in / w_out,
                    .c = c,
                    .dst_row = w_out * c,
                    .src_row = w_in * c};
}

static adn_status run_max(const adn_cpu_op *op, const adn_op_args *args)
{
    const window v = window_of(&op->base.desc);
    const act *src = args->p[ADN_SRC];
    act *dst = args->p[ADN_DST];
    uint8_t *index = args->p[ADN_INDEX];

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < v.n_row; r++) {
        const act *top = src + 2 * r * v.src_row;
        adn_pool_max(dst + r * v.dst_row, index == NULL ? NULL : index + r * v.dst_row, top,
                     top + v.src_row, v.w_out, v.c);
    }
    return ADN_OK;
}

static adn_status run_max_grad(const adn_cpu_op *op, const adn_op_args *args)
{
    const window v = window_of(&op->base.desc);
    const act *grad = args->p[ADN_GRAD_DST];
    const uint8_t *index = args->p[ADN_INDEX];
    act *grad_src = args->p[ADN_GRAD_SRC];

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < v.n_row; r++) {
        act *top = grad_src + 2 * r * v.src_row;
        max_grad(top, top + v.src_row, grad + r * v.dst_row, index + r * v.dst_row, v.w_out, v.c,
                 true);
    }
    return ADN_OK;
}

static adn_status run_average(const adn_cpu_op *op, const adn_op_args *args)
{
    const window v = window_of(&op->base.desc);
    const act *src = args->p[ADN_SRC];
    act *dst = args->p[ADN_DST];

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < v.n_row; r++) {
        for (size_t x = 0; x < v.w_out; x++)
            adn_pool_average(dst + r * v.dst_row + x * v.c,
                             src + r * v.h * v.src_row + x * v.w * v.c, v.src_row, v.h, v.w, v.c);
    }
    return ADN_OK;
}

static adn_status run_average_grad(const adn_cpu_op *op, const adn_op_args *args)
{
    const window v = window_of(&op->base.desc);
    const act *grad = args->p[ADN_GRAD_DST];
    act *grad_src = args->p[ADN_GRAD_SRC];

#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < v.n_row; r++) {
        for (size_t x = 0; x < v.w_out; x++)
            average_grad(grad_src + r * v.h * v.src_row + x * v.w * v.c,
                         grad + r * v.dst_row + x * v.c, v.src_row, v.h, v.w, v.c, false, true);
    }
    return ADN_OK;
}

adn_status adn_fast_pool_plan(adn_cpu_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    bool is_fwd = d->kind == ADN_OP_POOL_FWD, is_max = d->u.pool.kind == ADN_POOL_MAX;
    int kernel = d->u.pool.kernel;

    if (d->type != ACT_TYPE || adn_shape_count(d->src) == 0 || adn_shape_count(d->dst) == 0)
        return ADN_END;
    if (d->u.pool.kind == ADN_POOL_ADAPTIVE_AVG) {
        if (d->src.h % d->dst.h != 0 || d->src.w % d->dst.w != 0) return ADN_END;
    } else if (d->u.pool.stride != kernel || d->src.h != d->dst.h * kernel ||
               d->src.w != d->dst.w * kernel || (is_max && kernel != 2)) {
        return ADN_END;
    }
    op->run = is_fwd ? run_average : run_average_grad;
    if (is_max) op->run = is_fwd ? run_max : run_max_grad;
    return ADN_OK;
}
