/* Batch norm, ReLU and the pools behind them over a map's rows: the moments in one pass where no
 * convolution gave them, the rest in one more.
 *
 * A map is cut into bands, each with sums of its own that are added in order: the bits do not
 * depend on the team. A band is so many rows of an image that the pools' windows tile it, or, where
 * there are no pools, a run of pixels. It is done a piece at a time: what lies between the norm and
 * its pools stays in a second-level cache (in a first-level one, rows are too short to be fetched
 * ahead). */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "device/cpu/fast_moments.h"
#include "device/cpu/fast_pool.h"

/* Inlined beside its like, a loop over rows finds too few registers. */
#define ROWS static __attribute__((noinline)) void

enum { PIECE_FLOATS = 16384 };

typedef struct map {
    size_t n_pixel, c;
    size_t n, h, w;      /* bands; each of h rows of w pixels. The last run may be shorter */
    size_t piece;        /* pixels of a row done at a time */
    size_t avg_h, avg_w; /* the averages' window; 0: none */
    bool has_max;
    float *parts;   /* [n_part][2][c]: of bands, or of runs for the moments */
    double *sums;   /* [2][c] */
    float *vector;  /* [3][c] */
    float *scratch; /* of each thread [h][piece][c]: of dst, or of its gradient */
} map;

static size_t n_part(const map *m)
{
    return ADN_MAX(m->n, moments_n_part(m->n_pixel));
}

static size_t scratch_floats(const map *m)
{
    return fast_round_up(m->h * m->piece * m->c, FAST_LINE);
}

static map map_of(const adn_op_desc *d, void *workspace)
{
    map m = {.n_pixel = (size_t)d->src.n * (size_t)d->src.h * (size_t)d->src.w,
             .c = (size_t)d->src.c,
             .h = 1,
             .w = MOMENTS_ROWS,
             .has_max = d->u.norm.has_max};
    size_t least = m.has_max ? 2 : 1;

    if (d->u.norm.avg_h > 0) {
        m.avg_h = (size_t)(d->src.h / d->u.norm.avg_h);
        m.avg_w = (size_t)(d->src.w / d->u.norm.avg_w);
    }
    if (m.has_max || m.avg_h > 0) {
        /* Windows of 2 and of an odd number meet in twice that number. */
        m.h = m.has_max && m.avg_h % 2 == 1 ? 2 * m.avg_h : ADN_MAX(m.avg_h, least);
        m.w = (size_t)d->src.w;
        least = m.has_max && m.avg_w % 2 == 1 ? 2 * m.avg_w : ADN_MAX(m.avg_w, least);
    }
    m.n = fast_parts(m.n_pixel, m.h * m.w);
    m.piece = ADN_MIN(ADN_MAX(PIECE_FLOATS / (m.h * m.c) / least, 1) * least, m.w);
    m.sums = workspace;
    if (workspace == NULL) return m;
    m.vector = (float *)(m.sums + 2 * m.c);
    m.parts = m.vector + 3 * m.c;
    m.scratch = m.parts + 2 * n_part(&m) * m.c;
    return m;
}

static size_t workspace_bytes(const map *m)
{
    size_t team = (size_t)omp_get_max_threads();
    return 2 * m->c * sizeof(*m->sums) +
           ((3 + 2 * n_part(m)) * m->c + team * scratch_floats(m)) * sizeof(float);
}

static size_t band_width(const map *m, size_t band)
{
    return m->h > 1 ? m->w : ADN_MIN(m->w, m->n_pixel - band * m->w);
}

static void *my_scratch(const map *m)
{
    return m->scratch + (size_t)omp_get_thread_num() * scratch_floats(m);
}

/* A piece of a band: its first pixel of all, its first of a row of windows, its width; how many
 * floats its rows lie apart in the map. */
typedef struct piece {
    size_t first, band, x, w, stride;
} piece;

static piece piece_at(const map *m, size_t band, size_t x)
{
    return (piece){.first = band * m->h * m->w + x,
                   .band = band,
                   .x = x,
                   .w = ADN_MIN(m->piece, band_width(m, band) - x),
                   .stride = m->w * m->c};
}

/* --- forward */

/* What the rows need of each channel. */
typedef struct norm {
    const float *mean, *scale, *bias;
    const float *slope, *level; /* grad_src = scale g + slope (x - mean) + level */
    float least;                /* 0 for ReLU, else minus infinity */
} norm;

/* y, whose sign is the ReLU's mask: forward and gradient compute it alike. The mean is taken off
 * first, so that it costs no digits where the deviation is small. */
static inline float normed(float x, float mean, float scale, float bias)
{
    return (x - mean) * scale + bias;
}

static void apply(act *restrict dst, const act *restrict x, const norm *v, size_t n, size_t c)
{
    const float *restrict mean = v->mean, *restrict scale = v->scale, *restrict bias = v->bias;
    const float least = v->least;

    for (; n > 0; n--, x += c, dst += c) {
        ADN_SIMD
        for (size_t i = 0; i < c; i++) {
            float y = normed(act_get(x[i]), mean[i], scale[i], bias[i]);
            dst[i] = act_of(y <= least ? least : y); /* NaN stays */
        }
    }
}

static void max_piece(const map *m, const adn_op_args *args, const piece *k, const act *z,
                      size_t stride)
{
    act *dst = args->p[ADN_DST_MAX];
    uint8_t *index = args->p[ADN_INDEX];

    for (size_t r = 0; r < m->h; r += 2) {
        size_t at = ((k->band * m->h + r) / 2 * (m->w / 2) + k->x / 2) * m->c;
        adn_pool_max(dst + at, index == NULL ? NULL : index + at, z + r * stride,
                     z + (r + 1) * stride, k->w / 2, m->c);
    }
}

static void average_piece(const map *m, const adn_op_args *args, const piece *k, const act *z,
                          size_t stride)
{
    act *dst = args->p[ADN_DST_AVG];

    for (size_t r = 0; r < m->h; r += m->avg_h) {
        for (size_t x = 0; x < k->w; x += m->avg_w) {
            size_t at = (k->band * m->h + r) / m->avg_h * (m->w / m->avg_w);
            adn_pool_average(dst + (at + (k->x + x) / m->avg_w) * m->c, z + r * stride + x * m->c,
                             stride, m->avg_h, m->avg_w, m->c);
        }
    }
}

static void apply_piece(const map *m, const adn_op_args *args, const norm *v, const piece *k,
                        act *scratch)
{
    const act *src = (const act *)args->p[ADN_SRC] + k->first * m->c;
    act *dst = args->p[ADN_DST], *z = dst != NULL ? dst + k->first * m->c : scratch;
    size_t stride = dst != NULL ? k->stride : k->w * m->c;

    for (size_t r = 0; r < m->h; r++) apply(z + r * stride, src + r * k->stride, v, k->w, m->c);
    if (args->p[ADN_DST_MAX] != NULL) max_piece(m, args, k, z, stride);
    if (args->p[ADN_DST_AVG] != NULL) average_piece(m, args, k, z, stride);
}

static void apply_all(const map *m, const adn_op_desc *d, const adn_op_args *args,
                      const float *mean)
{
    const norm v = {.mean = mean,
                    .scale = m->vector,
                    .bias = args->p[ADN_BIAS],
                    .least = d->u.norm.relu ? 0.0F : -INFINITY};

#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < m->n; b++) {
        for (size_t x = 0; x < band_width(m, b); x += m->piece) {
            const piece k = piece_at(m, b, x);
            apply_piece(m, args, &v, &k, my_scratch(m));
        }
    }
}

static adn_status run_fwd(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    const map m = map_of(d, args->p[ADN_WORKSPACE]);
    const float *weight = args->p[ADN_WEIGHT];
    const double *sums = args->p[ADN_SUMS];
    float *mean = args->p[ADN_MEAN], *inv_std = args->p[ADN_INV_STD], *scale = m.vector;
    float *run_mean = args->p[ADN_RUN_MEAN], *run_var = args->p[ADN_RUN_VAR];
    double n = (double)m.n_pixel, unbias = m.n_pixel > 1 ? n / (n - 1) : 1;
    double moved = d->u.norm.momentum;

    if (sums == NULL) {
        adn_moments_of(m.sums, args->p[ADN_SRC], m.n_pixel, m.c, m.parts);
        sums = m.sums;
    }
    for (size_t i = 0; i < m.c; i++) {
        double middle = sums[i] / n, var = sums[m.c + i] / n - middle * middle;
        var = var < 0 ? 0 : var;
        mean[i] = (float)middle;
        inv_std[i] = (float)(1 / sqrt(var + d->u.norm.eps));
        scale[i] = weight[i] * inv_std[i];
        if (args->value[0] == 0) continue;
        run_mean[i] = (float)((1 - moved) * (double)run_mean[i] + moved * middle);
        run_var[i] = (float)((1 - moved) * (double)run_var[i] + moved * var * unbias);
    }
    apply_all(&m, d, args, mean);
    return ADN_OK;
}

static adn_status run_infer(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    const map m = map_of(d, args->p[ADN_WORKSPACE]);
    const float *run_var = args->p[ADN_RUN_VAR], *weight = args->p[ADN_WEIGHT];

    for (size_t i = 0; i < m.c; i++)
        m.vector[i] = weight[i] * (float)(1 / sqrt((double)run_var[i] + d->u.norm.eps));
    apply_all(&m, d, args, args->p[ADN_RUN_MEAN]);
    return ADN_OK;
}

/* --- gradients */

static void add(float *restrict to, const act *restrict from, size_t n)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++) to[i] += act_get(from[i]);
}

/* The gradient of a piece of dst: in the map if nothing was pooled, else in a scratch. */
typedef struct grad {
    const act *acts; /* or NULL */
    const float *floats;
    size_t stride; /* from row to row */
} grad;

static grad grad_piece(const map *m, const adn_op_args *args, const piece *k, float *scratch)
{
    const act *grad_dst = args->p[ADN_GRAD_DST], *grad_max = args->p[ADN_GRAD_MAX];
    const act *grad_avg = args->p[ADN_GRAD_AVG];
    const uint8_t *index = args->p[ADN_INDEX];
    size_t stride = k->w * m->c;

    if (grad_max == NULL && grad_avg == NULL)
        return (grad){grad_dst + k->first * m->c, NULL, k->stride};
    for (size_t r = 0; grad_max != NULL && r < m->h; r += 2) {
        size_t at = ((k->band * m->h + r) / 2 * (m->w / 2) + k->x / 2) * m->c;
        adn_pool_max_grad(scratch + r * stride, scratch + (r + 1) * stride, grad_max + at,
                          index + at, k->w / 2, m->c);
    }
    for (size_t r = 0; grad_avg != NULL && r < m->h; r += m->avg_h) {
        const act *from = grad_avg + (k->band * m->h + r) / m->avg_h * (m->w / m->avg_w) * m->c;
        for (size_t x = 0; x < k->w; x += m->avg_w)
            adn_pool_average_grad(scratch + r * stride + x * m->c,
                                  from + (k->x + x) / m->avg_w * m->c, stride, m->avg_h, m->avg_w,
                                  m->c, grad_max != NULL);
    }
    for (size_t r = 0; grad_dst != NULL && r < m->h; r++)
        add(scratch + r * stride, grad_dst + k->first * m->c + r * k->stride, k->w * m->c);
    return (grad){NULL, scratch, stride};
}

/* The gradient's element i behind the ReLU; which of the two it lies in is a constant here. */
VEC_INLINE float passed(const act *acts, const float *floats, size_t i, float y, float least)
{
    float g = acts != NULL ? act_get(acts[i]) : floats[i];
    return y <= least ? 0.0F : g;
}

VEC_INLINE void sum_row(float *restrict sum, float *restrict moment, const act *restrict x,
                        const act *restrict acts, const float *restrict floats, const norm *v,
                        size_t n, size_t c)
{
    const float *restrict mean = v->mean, *restrict scale = v->scale, *restrict bias = v->bias;
    const float least = v->least;

    for (size_t at = 0; n > 0; n--, at += c) {
        ADN_SIMD
        for (size_t i = 0; i < c; i++) {
            float in = act_get(x[at + i]), y = normed(in, mean[i], scale[i], bias[i]);
            float g = passed(acts, floats, at + i, y, least);
            sum[i] += g;
            moment[i] += g * (in - mean[i]);
        }
    }
}

/* Row r of a piece. part: sums of g behind the ReLU, then of g (x - mean). */
ROWS sum_grads(float *part, const act *x, const grad *g, size_t r, const norm *v, size_t n,
               size_t c)
{
    if (g->acts != NULL)
        sum_row(part, part + c, x, g->acts + r * g->stride, NULL, v, n, c);
    else
        sum_row(part, part + c, x, NULL, g->floats + r * g->stride, v, n, c);
}

VEC_INLINE void grad_row(act *out, const act *x, const act *acts, const float *floats,
                         const norm *v, size_t n, size_t c)
{
    const float *restrict mean = v->mean, *restrict scale = v->scale, *restrict bias = v->bias;
    const float least = v->least;
    const float *restrict slope = v->slope, *restrict level = v->level;

    for (size_t at = 0; n > 0; n--, at += c) {
        ADN_SIMD
        for (size_t i = 0; i < c; i++) {
            float in = act_get(x[at + i]), y = normed(in, mean[i], scale[i], bias[i]);
            float g = passed(acts, floats, at + i, y, least);
            out[at + i] = act_of(g * scale[i] + ((in - mean[i]) * slope[i] + level[i]));
        }
    }
}

/* Likewise; out may be the map's gradient, or x. */
ROWS take_grads(act *out, const act *x, const grad *g, size_t r, const norm *v, size_t n, size_t c)
{
    if (g->acts != NULL)
        grad_row(out, x, g->acts + r * g->stride, NULL, v, n, c);
    else
        grad_row(out, x, NULL, g->floats + r * g->stride, v, n, c);
}

/* One band's sums, or its gradients. */
static void grad_band(const map *m, const adn_op_args *args, const norm *v, size_t band,
                      float *part, act *grad_src)
{
    const act *src = args->p[ADN_SRC];

    for (size_t x = 0; x < band_width(m, band); x += m->piece) {
        const piece k = piece_at(m, band, x);
        const grad g = grad_piece(m, args, &k, my_scratch(m));
        for (size_t r = 0; r < m->h; r++) {
            size_t at = k.first * m->c + r * k.stride;
            if (part != NULL)
                sum_grads(part, src + at, &g, r, v, k.w, m->c);
            else
                take_grads(grad_src + at, src + at, &g, r, v, k.w, m->c);
        }
    }
}

static adn_status run_grad(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    const map m = map_of(d, args->p[ADN_WORKSPACE]);
    const float *weight = args->p[ADN_WEIGHT], *inv_std = args->p[ADN_INV_STD];
    float *grad_weight = args->p[ADN_GRAD_WEIGHT], *grad_bias = args->p[ADN_GRAD_BIAS];
    float *scale = m.vector, *slope = scale + m.c, *level = slope + m.c;
    const norm v = {.mean = args->p[ADN_MEAN],
                    .scale = scale,
                    .bias = args->p[ADN_BIAS],
                    .slope = slope,
                    .level = level,
                    .least = d->u.norm.relu ? 0.0F : -INFINITY};

    for (size_t i = 0; i < m.c; i++) scale[i] = weight[i] * inv_std[i];
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < m.n; b++) {
        float *part = m.parts + b * 2 * m.c;
        memset(part, 0, 2 * m.c * sizeof(*part));
        grad_band(&m, args, &v, b, part, NULL);
    }
    adn_moments_add_up(m.sums, m.parts, m.n, m.c);
    for (size_t i = 0; i < m.c; i++) {
        double share = (double)scale[i] / (double)m.n_pixel;
        double moment = m.sums[m.c + i] * (double)inv_std[i];
        grad_bias[i] = (float)m.sums[i];
        grad_weight[i] = (float)moment;
        slope[i] = (float)(-share * moment * (double)inv_std[i]);
        level[i] = (float)(-share * m.sums[i]);
    }
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < m.n; b++) grad_band(&m, args, &v, b, NULL, args->p[ADN_GRAD_SRC]);
    return ADN_OK;
}

adn_status adn_fast_norm_plan(adn_cpu_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    if (d->type != ACT_TYPE || adn_shape_count(d->src) == 0) return ADN_END;
    const map m = map_of(d, NULL);

    op->base.workspace_bytes = workspace_bytes(&m);
    op->run = d->kind == ADN_OP_NORM_FWD     ? run_fwd
              : d->kind == ADN_OP_NORM_INFER ? run_infer
                                             : run_grad;
    return ADN_OK;
}
