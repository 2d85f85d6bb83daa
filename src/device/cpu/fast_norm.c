/* Batch norm and ReLU over rows of channels: the statistics in one pass, the rest in one more.
 * Rows go in chunks of a fixed size, each with sums of its own, added in order: the bits do not
 * depend on the team. Moments are taken about the first row, so that a mean far from zero costs no
 * digits. */
#include <math.h>
#include <string.h>

#include "device/cpu/fast.h"

/* A chunk is 64 KiB, which a second-level cache holds; its rows are few enough for float sums. */
enum { CHUNK_FLOATS = 16384, CHUNK_ROWS = 256 };

typedef struct rows {
    size_t n, c;           /* rows, channels */
    size_t chunk, n_chunk; /* rows a chunk */
    float *partial;        /* [n_chunk][2][c] */
    double *sum;           /* [2][c] */
    float *vector;         /* [3][c] */
} rows;

static rows rows_of(const adn_op_desc *d, void *workspace)
{
    rows r = {.n = (size_t)d->src.n * (size_t)d->src.h * (size_t)d->src.w, .c = (size_t)d->src.c};
    r.chunk = ADN_MAX(ADN_MIN(CHUNK_FLOATS / r.c, CHUNK_ROWS), 1);
    r.n_chunk = (r.n + r.chunk - 1) / r.chunk;
    r.sum = workspace;
    r.vector = workspace == NULL ? NULL : (float *)(r.sum + 2 * r.c);
    r.partial = workspace == NULL ? NULL : r.vector + 3 * r.c;
    return r;
}

static size_t workspace_bytes(const rows *r)
{
    return 2 * r->c * sizeof(*r->sum) + (3 + 2 * r->n_chunk) * r->c * sizeof(*r->vector);
}

static size_t chunk_rows(const rows *r, size_t chunk)
{
    return ADN_MIN(r->chunk, r->n - chunk * r->chunk);
}

/* sum, square: of x - about, over n rows. */
static void sum_moments(float *restrict sum, float *restrict square, const float *restrict x,
                        const float *restrict about, size_t n, size_t c)
{
    memset(sum, 0, c * sizeof(*sum));
    memset(square, 0, c * sizeof(*square));
    for (; n > 0; n--, x += c) {
        ADN_SIMD
        for (size_t i = 0; i < c; i++) {
            float off = x[i] - about[i];
            sum[i] += off;
            square[i] += off * off;
        }
    }
}

/* Sums of the chunks, in their order, as doubles. */
static void add_chunks(const rows *r)
{
    memset(r->sum, 0, 2 * r->c * sizeof(*r->sum));
    for (size_t k = 0; k < r->n_chunk; k++) {
        const float *part = r->partial + k * 2 * r->c;
        for (size_t i = 0; i < 2 * r->c; i++) r->sum[i] += (double)part[i];
    }
}

/* y, whose sign is the ReLU's mask: forward and gradient compute it alike. The mean is taken off
 * first, so that it costs no digits where the deviation is small. */
static inline float normed(float x, float mean, float scale, float bias)
{
    return (x - mean) * scale + bias;
}

static void apply(float *restrict dst, const float *restrict x, const float *restrict mean,
                  const float *restrict scale, const float *restrict bias, size_t n, size_t c,
                  float least)
{
    for (; n > 0; n--, x += c, dst += c) {
        ADN_SIMD
        for (size_t i = 0; i < c; i++) {
            float y = normed(x[i], mean[i], scale[i], bias[i]);
            dst[i] = y <= least ? least : y; /* least: 0 for ReLU, else minus infinity. NaN stays */
        }
    }
}

static void apply_all(const rows *r, const adn_op_desc *d, const adn_op_args *args,
                      const float *mean)
{
    const float *src = args->p[ADN_SRC], *bias = args->p[ADN_BIAS];
    float *dst = args->p[ADN_DST], least = d->u.norm.relu ? 0.0F : -INFINITY;

#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < r->n_chunk; k++) {
        size_t at = k * r->chunk * r->c;
        apply(dst + at, src + at, mean, r->vector, bias, chunk_rows(r, k), r->c, least);
    }
}

static adn_status run_fwd(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    const rows r = rows_of(d, args->p[ADN_WORKSPACE]);
    const float *src = args->p[ADN_SRC], *weight = args->p[ADN_WEIGHT];
    float *mean = args->p[ADN_MEAN], *inv_std = args->p[ADN_INV_STD], *scale = r.vector;
    float *run_mean = args->p[ADN_RUN_MEAN], *run_var = args->p[ADN_RUN_VAR];
    double n = (double)r.n, unbias = r.n > 1 ? n / (n - 1) : 1, moved = d->u.norm.momentum;

#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < r.n_chunk; k++) {
        float *part = r.partial + k * 2 * r.c;
        sum_moments(part, part + r.c, src + k * r.chunk * r.c, src, chunk_rows(&r, k), r.c);
    }
    add_chunks(&r);
    for (size_t i = 0; i < r.c; i++) {
        double off = r.sum[i] / n, var = r.sum[r.c + i] / n - off * off;
        var = var < 0 ? 0 : var;
        mean[i] = (float)((double)src[i] + off);
        inv_std[i] = (float)(1 / sqrt(var + d->u.norm.eps));
        scale[i] = weight[i] * inv_std[i];
        if (args->value[0] == 0) continue;
        run_mean[i] = (float)((1 - moved) * (double)run_mean[i] + moved * ((double)src[i] + off));
        run_var[i] = (float)((1 - moved) * (double)run_var[i] + moved * var * unbias);
    }
    apply_all(&r, d, args, mean);
    return ADN_OK;
}

static adn_status run_infer(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    const rows r = rows_of(d, args->p[ADN_WORKSPACE]);
    const float *run_var = args->p[ADN_RUN_VAR], *weight = args->p[ADN_WEIGHT];

    for (size_t i = 0; i < r.c; i++)
        r.vector[i] = weight[i] * (float)(1 / sqrt((double)run_var[i] + d->u.norm.eps));
    apply_all(&r, d, args, args->p[ADN_RUN_MEAN]);
    return ADN_OK;
}

/* What the rows of a gradient need of each channel. */
typedef struct norm {
    const float *mean, *scale, *bias;
    const float *slope, *level; /* grad_src = scale g + slope (x - mean) + level */
    float least;                /* 0 for ReLU, else minus infinity */
} norm;

/* sum: of g behind the ReLU; moment: of g (x - mean). */
static void sum_grads(float *restrict sum, float *restrict moment, const float *restrict x,
                      const float *restrict grad, const norm *v, size_t n, size_t c)
{
    const float *restrict mean = v->mean, *restrict scale = v->scale, *restrict bias = v->bias;
    const float least = v->least;

    memset(sum, 0, c * sizeof(*sum));
    memset(moment, 0, c * sizeof(*moment));
    for (; n > 0; n--, x += c, grad += c) {
        ADN_SIMD
        for (size_t i = 0; i < c; i++) {
            float g = normed(x[i], mean[i], scale[i], bias[i]) <= least ? 0.0F : grad[i];
            sum[i] += g;
            moment[i] += g * (x[i] - mean[i]);
        }
    }
}

/* out may be grad. */
static void grad_rows(float *out, const float *grad, const float *restrict x, const norm *v,
                      size_t n, size_t c)
{
    const float *restrict mean = v->mean, *restrict scale = v->scale, *restrict bias = v->bias;
    const float least = v->least;
    const float *restrict slope = v->slope, *restrict level = v->level;

    for (; n > 0; n--, x += c, grad += c, out += c) {
        ADN_SIMD
        for (size_t i = 0; i < c; i++) {
            float g = normed(x[i], mean[i], scale[i], bias[i]) <= least ? 0.0F : grad[i];
            out[i] = g * scale[i] + ((x[i] - mean[i]) * slope[i] + level[i]);
        }
    }
}

static adn_status run_grad(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    const rows r = rows_of(d, args->p[ADN_WORKSPACE]);
    const float *src = args->p[ADN_SRC], *grad = args->p[ADN_GRAD_DST];
    const float *weight = args->p[ADN_WEIGHT], *inv_std = args->p[ADN_INV_STD];
    float *grad_src = args->p[ADN_GRAD_SRC], *grad_weight = args->p[ADN_GRAD_WEIGHT];
    float *grad_bias = args->p[ADN_GRAD_BIAS];
    float *scale = r.vector, *slope = scale + r.c, *level = slope + r.c;
    const norm v = {.mean = args->p[ADN_MEAN],
                    .scale = scale,
                    .bias = args->p[ADN_BIAS],
                    .slope = slope,
                    .level = level,
                    .least = d->u.norm.relu ? 0.0F : -INFINITY};

    for (size_t i = 0; i < r.c; i++) scale[i] = weight[i] * inv_std[i];
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < r.n_chunk; k++) {
        float *part = r.partial + k * 2 * r.c;
        size_t at = k * r.chunk * r.c;
        sum_grads(part, part + r.c, src + at, grad + at, &v, chunk_rows(&r, k), r.c);
    }
    add_chunks(&r);
    for (size_t i = 0; i < r.c; i++) {
        double share = (double)scale[i] / (double)r.n, moment = r.sum[r.c + i] * (double)inv_std[i];
        grad_bias[i] = (float)r.sum[i];
        grad_weight[i] = (float)moment;
        slope[i] = (float)(-share * moment * (double)inv_std[i]);
        level[i] = (float)(-share * r.sum[i]);
    }
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < r.n_chunk; k++) {
        size_t at = k * r.chunk * r.c;
        grad_rows(grad_src + at, grad + at, src + at, &v, chunk_rows(&r, k), r.c);
    }
    return ADN_OK;
}

adn_status adn_fast_norm_plan(adn_cpu_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    if (d->type != ADN_F32 || adn_shape_count(d->src) == 0) return ADN_END;
    const rows r = rows_of(d, NULL);

    op->base.workspace_bytes = workspace_bytes(&r);
    op->run = d->kind == ADN_OP_NORM_FWD     ? run_fwd
              : d->kind == ADN_OP_NORM_INFER ? run_infer
                                             : run_grad;
    return ADN_OK;
}
