#include "product.h"
#include <algorithm>
#include <immintrin.h>

namespace lab
{
namespace
{
const int lanes = 4; // doubles in an AVX register
const int tile_rows =
    4; // 4 rows of 2 registers: 8 sums in flight, what two FMA units of latency 4 take
const int64_t panel =
    256; // depth at a time: 256 rows of b, 8 columns wide, stay in the first cache

// A register's neighbours in memory: all four, or the first few, of which the rest is neither read
// nor written.
struct All {
    __m256d load(const double *from) const
    {
        return _mm256_loadu_pd(from);
    }
    void store(double *to, __m256d value) const
    {
        _mm256_storeu_pd(to, value);
    }
};
struct Few {
    explicit Few(int64_t n)
        : mask(_mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_set_epi64x(3, 2, 1, 0)))
    {
    }
    __m256d load(const double *from) const
    {
        return _mm256_maskload_pd(from, mask);
    }
    void store(double *to, __m256d value) const
    {
        _mm256_maskstore_pd(to, mask, value);
    }
    const __m256i mask;
};

// A tile of c, n_rows x (n_vectors * lanes), in registers over the whole depth.
template <int n_rows, int n_vectors, class Access>
void add_tile(int64_t depth, Left a, const double *b, int64_t b_stride, double *c, int64_t c_stride,
              Access access)
{
    __m256d sum[n_rows][n_vectors];

    for (int i = 0; i < n_rows; i++)
        for (int v = 0; v < n_vectors; v++) sum[i][v] = access.load(c + i * c_stride + v * lanes);
    for (int64_t d = 0; d < depth; d++) {
        __m256d right[n_vectors];
        for (int v = 0; v < n_vectors; v++) right[v] = access.load(b + d * b_stride + v * lanes);
        for (int i = 0; i < n_rows; i++) {
            const __m256d left = _mm256_set1_pd(a.start[i * a.row_stride + d * a.depth_stride]);
            for (int v = 0; v < n_vectors; v++)
                sum[i][v] = _mm256_fmadd_pd(left, right[v], sum[i][v]);
        }
    }
    for (int i = 0; i < n_rows; i++)
        for (int v = 0; v < n_vectors; v++) access.store(c + i * c_stride + v * lanes, sum[i][v]);
}

// All rows of some columns.
template <int n_vectors, class Access>
void add_strip(int64_t n_rows, int64_t depth, Left a, const double *b, int64_t b_stride, double *c,
               int64_t c_stride, Access access)
{
    const auto below = [&](int64_t i) {
        return Left{a.start + i * a.row_stride, a.row_stride, a.depth_stride};
    };
    int64_t i = 0;

    for (; i + tile_rows <= n_rows; i += tile_rows)
        add_tile<tile_rows, n_vectors>(depth, below(i), b, b_stride, c + i * c_stride, c_stride,
                                       access);
    for (; i < n_rows; i++)
        add_tile<1, n_vectors>(depth, below(i), b, b_stride, c + i * c_stride, c_stride, access);
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
            add_strip<2>(n_rows, n, left, right + j, b_stride, c + j, c_stride, All());
        for (; j + lanes <= n_cols; j += lanes)
            add_strip<1>(n_rows, n, left, right + j, b_stride, c + j, c_stride, All());
        if (j < n_cols)
            add_strip<1>(n_rows, n, left, right + j, b_stride, c + j, c_stride, Few(n_cols - j));
    }
}
} // namespace lab
