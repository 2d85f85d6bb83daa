/* The tiles for one vector width. Included by fast_tile.c, which says what VEC, LOAD, STORE, SPREAD
 * (a scalar in every lane), FMA (a b + c), LANES, TARGET and NAME are. The sums of a tile stay in
 * registers: 6 rows of 2 vectors leave room in 16 for two of the panel and one of x. */

#define ROWS _Pragma("GCC unroll 6") for (size_t r = 0; r < n_row; r++)

/* n_row is a constant wherever these two are inlined. */
TARGET static inline __attribute__((always_inline)) void
NAME(product_rows)(size_t n_row, const float *x, const size_t *offset, const size_t *tap,
                   size_t n_tap, size_t n_in, const float *panel, const float *bias, float *dst,
                   size_t stride)
{
    VEC low[TILE_ROWS], high[TILE_ROWS];
    ROWS
    {
        low[r] = LOAD(bias);
        high[r] = LOAD(bias + LANES);
    }
    for (size_t t = 0; t < n_tap; t++) {
        const float *from[TILE_ROWS];
        ROWS from[r] = x + offset[r] + tap[t];
        for (size_t i = 0; i < n_in; i++, panel += 2 * LANES) {
            VEC b_low = LOAD(panel), b_high = LOAD(panel + LANES);
            ROWS
            {
                VEC a = SPREAD(from[r][i]);
                low[r] = FMA(a, b_low, low[r]);
                high[r] = FMA(a, b_high, high[r]);
            }
        }
    }
    ROWS
    {
        STORE(dst + r * stride, low[r]);
        STORE(dst + r * stride + LANES, high[r]);
    }
}

TARGET static inline __attribute__((always_inline)) void
NAME(outer_rows)(size_t n_row, const float *x, const size_t *offset, const float *grad, size_t n,
                 float *sum)
{
    VEC low[TILE_ROWS], high[TILE_ROWS];
    ROWS
    {
        low[r] = LOAD(sum + 2 * LANES * r);
        high[r] = LOAD(sum + 2 * LANES * r + LANES);
    }
    for (size_t k = 0; k < n; k++, grad += 2 * LANES) {
        const float *from = x + offset[k];
        VEC b_low = LOAD(grad), b_high = LOAD(grad + LANES);
        ROWS
        {
            VEC a = SPREAD(from[r]);
            low[r] = FMA(a, b_low, low[r]);
            high[r] = FMA(a, b_high, high[r]);
        }
    }
    ROWS
    {
        STORE(sum + 2 * LANES * r, low[r]);
        STORE(sum + 2 * LANES * r + LANES, high[r]);
    }
}

#define ONE(n)                                                                                     \
    case n:                                                                                        \
        NAME(product_rows)(n, x, offset, tap, n_tap, n_in, panel, bias, dst, stride);              \
        break;
TARGET static void NAME(product)(size_t n_row, const float *x, const size_t *offset,
                                 const size_t *tap, size_t n_tap, size_t n_in, const float *panel,
                                 const float *bias, float *dst, size_t stride)
{
    switch (n_row) {
        ONE(1) ONE(2) ONE(3) ONE(4) ONE(5) ONE(6)
    }
}
#undef ONE

#define ONE(n)                                                                                     \
    case n:                                                                                        \
        NAME(outer_rows)(n, x, offset, grad, n_pixel, sum);                                        \
        break;
TARGET static void NAME(outer)(size_t n_row, const float *x, const size_t *offset,
                               const float *grad, size_t n_pixel, float *sum)
{
    switch (n_row) {
        ONE(1) ONE(2) ONE(3) ONE(4) ONE(5) ONE(6)
    }
}
#undef ONE

static const adn_tiles NAME(tiles) = {NAME_TEXT, 2 * LANES, NAME(product), NAME(outer)};

#undef ROWS
#undef VEC
#undef LOAD
#undef STORE
#undef SPREAD
#undef FMA
#undef LANES
#undef TARGET
#undef NAME
#undef NAME_TEXT
