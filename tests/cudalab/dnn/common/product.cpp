#include "product.h"
#include <algorithm>
#include <cstring>

namespace lab
{
namespace
{
typedef double Lanes __attribute__((vector_size(32))); // an AVX register of doubles
const int lanes = 4;
const int tile_rows =
    4; // 4 rows of 2 registers: 8 sums in flight, what two FMA units of latency 4 take
const int64_t panel =
    256; // depth at a time: 256 rows of b, 8 columns wide, stay in the first cache

Lanes load_lanes(const double *from)
{
    Lanes to;
    memcpy(&to, from, sizeof to);
    return to;
}

// A tile of c, n_rows x (n_vectors * lanes), in registers over the whole depth.
template <int n_rows, int n_vectors>
void add_tile(int64_t depth, Left a, const double *b, int64_t b_stride, double *c, int64_t c_stride)
{
    Lanes sum[n_rows][n_vectors];

    for (int i = 0; i < n_rows; i++)
        for (int v = 0; v < n_vectors; v++) sum[i][v] = load_lanes(c + i * c_stride + v * lanes);
    for (int64_t d = 0; d < depth; d++) {
        Lanes right[n_vectors];
        for (int v = 0; v < n_vectors; v++) right[v] = load_lanes(b + d * b_stride + v * lanes);
        for (int i = 0; i < n_rows; i++) {
            const double left = a.start[i * a.row_stride + d * a.depth_stride];
            for (int v = 0; v < n_vectors; v++) sum[i][v] += left * right[v];
        }
    }
    for (int i = 0; i < n_rows; i++)
        for (int v = 0; v < n_vectors; v++)
            memcpy(c + i * c_stride + v * lanes, &sum[i][v], sizeof sum[i][v]);
}

// The columns that fill no register.
void add_column(int64_t n_rows, int64_t depth, Left a, const double *b, int64_t b_stride, double *c,
                int64_t c_stride)
{
    for (int64_t i = 0; i < n_rows; i++) {
        double sum = c[i * c_stride];
        for (int64_t d = 0; d < depth; d++)
            sum += a.start[i * a.row_stride + d * a.depth_stride] * b[d * b_stride];
        c[i * c_stride] = sum;
    }
}

template <int n_vectors>
void add_strip(int64_t n_rows, int64_t depth, Left a, const double *b, int64_t b_stride, double *c,
               int64_t c_stride)
{
    int64_t i = 0;

    for (; i + tile_rows <= n_rows; i += tile_rows)
        add_tile<tile_rows, n_vectors>(depth,
                                       {a.start + i * a.row_stride, a.row_stride, a.depth_stride},
                                       b, b_stride, c + i * c_stride, c_stride);
    for (; i < n_rows; i++)
        add_tile<1, n_vectors>(depth, {a.start + i * a.row_stride, a.row_stride, a.depth_stride}, b,
                               b_stride, c + i * c_stride, c_stride);
}
} // namespace

void add_product(int64_t n_rows, int64_t n_cols, int64_t depth, Left a, const double *b,
                 int64_t b_stride, double *c, int64_t c_stride)
{
    for (int64_t d = 0; d < depth; d += panel) {
        const int64_t n = std::min(panel, depth - d);
        const Left left = {a.start + d * a.depth_stride, a.row_stride, a.depth_stride};
        const double *right = b + d * b_stride;
        int64_t j = 0;

        for (; j + 2 * lanes <= n_cols; j += 2 * lanes)
            add_strip<2>(n_rows, n, left, right + j, b_stride, c + j, c_stride);
        for (; j + lanes <= n_cols; j += lanes)
            add_strip<1>(n_rows, n, left, right + j, b_stride, c + j, c_stride);
        for (; j < n_cols; j++) add_column(n_rows, n, left, right + j, b_stride, c + j, c_stride);
    }
}
} // namespace lab
