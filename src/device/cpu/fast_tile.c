/* Products of tiles. */
#include "device/cpu/fast_tile.h"

/* Registers hold arrays only where every index is known: loops over rows are unrolled, and the
 * number of rows is a constant where these two are inlined. */
#define ROWS _Pragma("GCC unroll 14") for (size_t r = 0; r < n_row; r++)

/* Steps by which a panel is fetched to the first level: it mostly comes from the second. */
enum { NEAR_STEPS = 8 };

/* One step of a tile's sums. */
VEC_INLINE void product_step(size_t n_row, const float **from, size_t i, const float *panel,
                             vec *low, vec *high)
{
    vec b_low = vec_load(panel), b_high = vec_load(panel + LANES);
    for (size_t w = 0; w < TILE_WIDTH; w += FAST_LINE)
        __builtin_prefetch(panel + NEAR_STEPS * TILE_WIDTH + w, 0, 3);
    ROWS
    {
        vec a = vec_spread(from[r][i]);
        low[r] = vec_fma(a, b_low, low[r]);
        high[r] = vec_fma(a, b_high, high[r]);
    }
}

VEC_INLINE void product_rows(size_t n_row, const float *x, const size_t *offset, const size_t *tap,
                             size_t n_tap, size_t n_in, const float *panel, const float *bias,
                             float *dst, size_t stride, const adn_ahead *ahead)
{
    vec low[TILE_ROWS], high[TILE_ROWS];
    ROWS
    {
        const float *start = bias != NULL ? bias : dst + r * stride;
        low[r] = vec_load(start);
        high[r] = vec_load(start + LANES);
    }
    for (size_t t = 0; t < n_tap; t++) {
        const float *from[TILE_ROWS];
        size_t i = 0;
        ROWS from[r] = x + offset[r] + tap[t];
        for (; ahead != NULL && i + AHEAD_STEPS <= n_in; i += AHEAD_STEPS) {
            size_t line = ahead->first + i / AHEAD_STEPS * ahead->n, end = line + ahead->n;
            for (; line < end; line++) /* to the second level: the first has no room */
                __builtin_prefetch(ahead->at + line / SQUARE_LINES * ahead->stride +
                                       line % SQUARE_LINES * FAST_LINE,
                                   0, 2);
            for (size_t k = 0; k < AHEAD_STEPS; k++, panel += TILE_WIDTH)
                product_step(n_row, from, i + k, panel, low, high);
        }
        for (; i < n_in; i++, panel += TILE_WIDTH) product_step(n_row, from, i, panel, low, high);
    }
    ROWS
    {
        vec_store(dst + r * stride, low[r]);
        vec_store(dst + r * stride + LANES, high[r]);
    }
}

VEC_INLINE void outer_rows(size_t n_row, const float *x, const size_t *offset, const float *grad,
                           size_t n, bool is_first, float *sum)
{
    vec low[TILE_ROWS], high[TILE_ROWS];
    ROWS
    {
        low[r] = is_first ? vec_spread(0) : vec_load(sum + TILE_WIDTH * r);
        high[r] = is_first ? vec_spread(0) : vec_load(sum + TILE_WIDTH * r + LANES);
    }
    for (size_t k = 0; k < n; k++, grad += TILE_WIDTH) {
        const float *from = x + offset[k];
        vec b_low = vec_load(grad), b_high = vec_load(grad + LANES);
        ROWS
        {
            vec a = vec_spread(from[r]);
            low[r] = vec_fma(a, b_low, low[r]);
            high[r] = vec_fma(a, b_high, high[r]);
        }
    }
    ROWS
    {
        vec_store(sum + TILE_WIDTH * r, low[r]);
        vec_store(sum + TILE_WIDTH * r + LANES, high[r]);
    }
}

#if defined(__AVX512F__)
#define EACH_COUNT                                                                                 \
    ONE(1)                                                                                         \
    ONE(2) ONE(3) ONE(4) ONE(5) ONE(6) ONE(7) ONE(8) ONE(9) ONE(10) ONE(11) ONE(12) ONE(13) ONE(14)
#else
#define EACH_COUNT ONE(1) ONE(2) ONE(3) ONE(4) ONE(5) ONE(6)
#endif

void adn_tile_product(size_t n_row, const float *x, const size_t *offset, const size_t *tap,
                      size_t n_tap, size_t n_in, const float *panel, const float *bias, float *dst,
                      size_t stride)
{
#define ONE(n)                                                                                     \
    case n:                                                                                        \
        product_rows(n, x, offset, tap, n_tap, n_in, panel, bias, dst, stride, NULL);              \
        break;
    switch (n_row) {
        EACH_COUNT
    }
#undef ONE
}

void adn_tile_product_ahead(size_t n_row, const float *x, const size_t *offset, size_t n_in,
                            const float *panel, const float *bias, float *dst, size_t stride,
                            const adn_ahead *ahead)
{
    static const size_t no_tap = 0;
#define ONE(n)                                                                                     \
    case n:                                                                                        \
        product_rows(n, x, offset, &no_tap, 1, n_in, panel, bias, dst, stride, ahead);             \
        break;
    switch (n_row) {
        EACH_COUNT
    }
#undef ONE
}

void adn_tile_outer(size_t n_row, const float *x, const size_t *offset, const float *grad, size_t n,
                    bool is_first, float *sum)
{
#define ONE(n_known)                                                                               \
    case n_known:                                                                                  \
        outer_rows(n_known, x, offset, grad, n, is_first, sum);                                    \
        break;
    switch (n_row) {
        EACH_COUNT
    }
#undef ONE
}
