/* Convolution of NHWC by weights [o][kernel][kernel][i]: each tap is a product over neighbouring
 * channels. */
#include "device/cpu/ref.h"

/* Kernel columns (or rows) [from, to) that fall inside the source for an output at `at`. */
typedef struct span {
    int from, to;
} span;

static span taps_inside(const adn_op_desc *d, int at, int n_src)
{
    int first = at * d->u.conv.stride - d->u.conv.pad; /* where the kernel's 0 falls */
    return (span){ADN_MAX(0, -first), ADN_MIN(d->u.conv.kernel, n_src - first)};
}

/* A row of the kernel over a row of the source: [taps][i] elements lie side by side in both. */
typedef struct row {
    size_t src, weight, n; /* offsets of the first, and how many; n 0: outside */
} row;

static row row_at(const adn_op_desc *d, int n, int y, int x, int o, int ky)
{
    size_t i = (size_t)d->src.c, k = (size_t)d->u.conv.kernel;
    span rows = taps_inside(d, y, d->src.h), cols = taps_inside(d, x, d->src.w);

    if (ky < rows.from || ky >= rows.to || cols.from >= cols.to) return (row){0, 0, 0};
    int sy = y * d->u.conv.stride - d->u.conv.pad + ky;
    int sx = x * d->u.conv.stride - d->u.conv.pad + cols.from;
    return (row){ref_at(d->src, n, sy, sx),
                 (((size_t)o * k + (size_t)ky) * k + (size_t)cols.from) * i,
                 (size_t)(cols.to - cols.from) * i};
}

/* What the norm behind it needs. */
static void sum_dst(const adn_op_desc *d, const real *dst, double *sums)
{
    size_t n = adn_shape_count(d->dst), n_channel = (size_t)d->dst.c;

    for (size_t c = 0; c < n_channel; c++) {
        sums[c] = sums[n_channel + c] = 0;
        for (size_t k = c; k < n; k += n_channel) {
            sums[c] += dst[k];
            sums[n_channel + c] += (double)dst[k] * dst[k];
        }
    }
}

void REF(adn_ref_conv_fwd)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *src = args->p[ADN_SRC], *weight = args->p[ADN_WEIGHT];
    const real *bias = d->u.conv.has_bias ? args->p[ADN_BIAS] : NULL;
    real *dst = args->p[ADN_DST];

    for (int n = 0; n < d->dst.n; n++)
        for (int y = 0; y < d->dst.h; y++)
            for (int x = 0; x < d->dst.w; x++)
                for (int o = 0; o < d->dst.c; o++) {
                    real sum = bias != NULL ? bias[o] : 0;
                    for (int ky = 0; ky < d->u.conv.kernel; ky++) {
                        row r = row_at(d, n, y, x, o, ky);
                        sum += ref_dot(src + r.src, weight + r.weight, r.n);
                    }
                    dst[ref_at(d->dst, n, y, x) + (size_t)o] = sum;
                }
    if (args->p[ADN_SUMS] != NULL) sum_dst(d, dst, args->p[ADN_SUMS]);
}

void REF(adn_ref_conv_grad_src)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *grad_dst = args->p[ADN_GRAD_DST], *weight = args->p[ADN_WEIGHT];
    real *grad_src = args->p[ADN_GRAD_SRC];

    ref_zero(grad_src, adn_shape_count(d->src));
    for (int n = 0; n < d->dst.n; n++)
        for (int y = 0; y < d->dst.h; y++)
            for (int x = 0; x < d->dst.w; x++)
                for (int o = 0; o < d->dst.c; o++) {
                    real g = grad_dst[ref_at(d->dst, n, y, x) + (size_t)o];
                    for (int ky = 0; ky < d->u.conv.kernel; ky++) {
                        row r = row_at(d, n, y, x, o, ky);
                        ref_add_scaled(grad_src + r.src, weight + r.weight, g, r.n);
                    }
                }
}

/* The weights [o][ky][kx][i .. i + n): a sum over all places of the batch where that tap meets the
 * source. */
static void grad_weight_chunk(const adn_op_desc *d, const adn_op_args *args, int o, int ky, int kx,
                              size_t i, size_t n_i)
{
    const real *src = args->p[ADN_SRC], *grad_dst = args->p[ADN_GRAD_DST];
    real *grad_weight = args->p[ADN_GRAD_WEIGHT];
    size_t k = (size_t)d->u.conv.kernel;
    double sum[REF_CHUNK] = {0};

    for (int n = 0; n < d->dst.n; n++)
        for (int y = 0; y < d->dst.h; y++)
            for (int x = 0; x < d->dst.w; x++) {
                int sy = y * d->u.conv.stride - d->u.conv.pad + ky;
                int sx = x * d->u.conv.stride - d->u.conv.pad + kx;
                if (sy < 0 || sy >= d->src.h || sx < 0 || sx >= d->src.w) continue;
                const real *s = src + ref_at(d->src, n, sy, sx) + i;
                double g = grad_dst[ref_at(d->dst, n, y, x) + (size_t)o];
                for (size_t c = 0; c < n_i; c++) sum[c] += g * s[c];
            }
    real *to = grad_weight + (((size_t)o * k + (size_t)ky) * k + (size_t)kx) * (size_t)d->src.c + i;
    for (size_t c = 0; c < n_i; c++) to[c] = (real)sum[c];
}

void REF(adn_ref_conv_grad_param)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *grad_dst = args->p[ADN_GRAD_DST];
    real *grad_bias = d->u.conv.has_bias ? args->p[ADN_GRAD_BIAS] : NULL;
    size_t n_src = (size_t)d->src.c, n_dst = adn_shape_count(d->dst);

    for (int o = 0; o < d->dst.c; o++) {
        for (int ky = 0; ky < d->u.conv.kernel; ky++)
            for (int kx = 0; kx < d->u.conv.kernel; kx++)
                for (size_t i = 0; i < n_src; i += REF_CHUNK)
                    grad_weight_chunk(d, args, o, ky, kx, i, ADN_MIN(n_src - i, (size_t)REF_CHUNK));
        if (grad_bias == NULL) continue;
        double sum = 0;
        for (size_t k = (size_t)o; k < n_dst; k += (size_t)d->dst.c) sum += grad_dst[k];
        grad_bias[o] = (real)sum;
    }
}
