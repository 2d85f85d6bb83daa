/* Pools: the largest (PyTorch's rules for ties and for what is not a number), averages, adaptive
 * averages. */
#include <math.h>

#include "device/cpu/ref.h"

/* The source's rows [from, to) under output row `at`; columns likewise. */
typedef struct span {
    int from, to;
} span;

static span window(const adn_op_desc *d, int at, int n_src, int n_dst)
{
    int stride = d->u.pool.stride;
    if (d->u.pool.kind != ADN_POOL_ADAPTIVE_AVG)
        return (span){at * stride, at * stride + d->u.pool.kernel};
    return (span){at * n_src / n_dst, ((at + 1) * n_src + n_dst - 1) / n_dst};
}

/* One output place [n][y][x]. */
typedef struct place {
    int n;
    span rows, cols;
    size_t dst; /* its channel 0 */
} place;

typedef void (*place_fn)(const adn_op_desc *d, const adn_op_args *args, place p);

static void each_place(const adn_op_desc *d, const adn_op_args *args, place_fn fn)
{
    for (int n = 0; n < d->dst.n; n++)
        for (int y = 0; y < d->dst.h; y++)
            for (int x = 0; x < d->dst.w; x++)
                fn(d, args,
                   (place){n, window(d, y, d->src.h, d->dst.h), window(d, x, d->src.w, d->dst.w),
                           ref_at(d->dst, n, y, x)});
}

/* The first of the largest; anything that is not a number wins. */
static void max_fwd(const adn_op_desc *d, const adn_op_args *args, place p)
{
    const real *src = args->p[ADN_SRC];
    real *dst = (real *)args->p[ADN_DST] + p.dst;
    uint8_t *index = args->p[ADN_INDEX] != NULL ? (uint8_t *)args->p[ADN_INDEX] + p.dst : NULL;

    for (int c = 0; c < d->dst.c; c++) {
        dst[c] = (real)-INFINITY;
        if (index != NULL) index[c] = 0;
    }
    for (int y = p.rows.from; y < p.rows.to; y++)
        for (int x = p.cols.from; x < p.cols.to; x++) {
            const real *s = src + ref_at(d->src, p.n, y, x);
            int which = (y - p.rows.from) * d->u.pool.kernel + x - p.cols.from;
            for (int c = 0; c < d->dst.c; c++) {
                if (!(s[c] > dst[c] || isnan(s[c]))) continue;
                dst[c] = s[c];
                if (index != NULL) index[c] = (uint8_t)which;
            }
        }
}

static void max_grad(const adn_op_desc *d, const adn_op_args *args, place p)
{
    const real *grad_dst = (real *)args->p[ADN_GRAD_DST] + p.dst;
    const uint8_t *index = (uint8_t *)args->p[ADN_INDEX] + p.dst;
    real *grad_src = args->p[ADN_GRAD_SRC];

    for (int c = 0; c < d->dst.c; c++) {
        int y = p.rows.from + index[c] / d->u.pool.kernel,
            x = p.cols.from + index[c] % d->u.pool.kernel;
        grad_src[ref_at(d->src, p.n, y, x) + (size_t)c] += grad_dst[c];
    }
}

static real window_size(place p)
{
    return (real)((p.rows.to - p.rows.from) * (p.cols.to - p.cols.from));
}

static void avg_fwd(const adn_op_desc *d, const adn_op_args *args, place p)
{
    const real *src = args->p[ADN_SRC];
    real *dst = (real *)args->p[ADN_DST] + p.dst;

    ref_zero(dst, (size_t)d->dst.c);
    for (int y = p.rows.from; y < p.rows.to; y++)
        for (int x = p.cols.from; x < p.cols.to; x++)
            ref_add_scaled(dst, src + ref_at(d->src, p.n, y, x), 1, (size_t)d->dst.c);
    for (int c = 0; c < d->dst.c; c++) dst[c] /= window_size(p);
}

static void avg_grad(const adn_op_desc *d, const adn_op_args *args, place p)
{
    const real *grad_dst = (real *)args->p[ADN_GRAD_DST] + p.dst;
    real *grad_src = args->p[ADN_GRAD_SRC];

    for (int y = p.rows.from; y < p.rows.to; y++)
        for (int x = p.cols.from; x < p.cols.to; x++) {
            real *g = grad_src + ref_at(d->src, p.n, y, x);
            for (int c = 0; c < d->dst.c; c++) g[c] += grad_dst[c] / window_size(p);
        }
}

void REF(adn_ref_pool_fwd)(const adn_op_desc *d, const adn_op_args *args)
{
    each_place(d, args, d->u.pool.kind == ADN_POOL_MAX ? max_fwd : avg_fwd);
}

void REF(adn_ref_pool_grad)(const adn_op_desc *d, const adn_op_args *args)
{
    ref_zero(args->p[ADN_GRAD_SRC], adn_shape_count(d->src));
    each_place(d, args, d->u.pool.kind == ADN_POOL_MAX ? max_grad : avg_grad);
}
