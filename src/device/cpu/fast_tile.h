/* The two products that convolutions and linear layers are made of, for a tile of at most TILE_ROWS
 * rows and a panel of TILE_WIDTH outputs: two vectors. The sums of a tile stay in registers, with
 * two vectors of the panel and one of x beside them. */
#ifndef ADN_FAST_TILE_H
#define ADN_FAST_TILE_H

#include <stddef.h>

#include "device/cpu/fast.h"
#include "device/cpu/vec.h"

#define adn_tile_product       HOT(adn_tile_product)
#define adn_tile_product_ahead HOT(adn_tile_product_ahead)
#define adn_tile_outer         HOT(adn_tile_outer)

#if defined(__AVX512F__)
enum { TILE_ROWS = 14 }; /* of 32 registers */
#else
enum { TILE_ROWS = 6 }; /* of 16 */
#endif
enum { TILE_WIDTH = 2 * LANES };

/* For r < n_row, rows of dst `stride` floats apart: dst[r][w] = bias[w] + sum over t < n_tap, i <
 * n_in of x[offset[r] + tap[t] + i] panel[t][i][w], for w < TILE_WIDTH. bias NULL: dst += the
 * sums. */
void adn_tile_product(size_t n_row, const float *x, const size_t *offset, const size_t *tap,
                      size_t n_tap, size_t n_in, const float *panel, const float *bias, float *dst,
                      size_t stride);

/* Memory that is read soon: for each AHEAD_STEPS of its sums a product fetches n cache lines more,
 * from line `first` on. Lines lie in squares of TILE_WIDTH x TILE_WIDTH floats, `stride` floats
 * apart. A hint: it may run past what is there. */
typedef struct adn_ahead {
    const float *at;
    size_t first, n, stride;
} adn_ahead;
enum { AHEAD_STEPS = 64, SQUARE_LINES = TILE_WIDTH * TILE_WIDTH / FAST_LINE };

/* The same with one tap of 0, and fetches. */
void adn_tile_product_ahead(size_t n_row, const float *x, const size_t *offset, size_t n_in,
                            const float *panel, const float *bias, float *dst, size_t stride,
                            const adn_ahead *ahead);

/* For r < n_row: sum[r][w] += sum over k < n of x[offset[k] + r] grad[k][w], or =, if it is the
 * first. */
void adn_tile_outer(size_t n_row, const float *x, const size_t *offset, const float *grad, size_t n,
                    bool is_first, float *sum);

/* Whether a result of n rows is streamed past the caches: if it is more than they hold until it is
 * read, and all of its panels' rows are whole cache lines. */
enum { STREAM_BYTES = 2 << 20 };
static inline bool tile_streams(const float *dst, size_t n, size_t row)
{
    return TILE_WIDTH % FAST_LINE == 0 && row % FAST_LINE == 0 &&
           (uintptr_t)dst % (FAST_LINE * sizeof(*dst)) == 0 &&
           n * row * sizeof(*dst) >= STREAM_BYTES;
}

/* `count` rows cut into tiles, all nearly alike: how many; where tile t begins. */
static inline size_t tile_count(size_t count)
{
    return fast_parts(count, TILE_ROWS);
}

static inline size_t tile_begin(size_t count, size_t t)
{
    return t * count / tile_count(count);
}

#endif
