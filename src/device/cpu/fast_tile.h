/* The two products that convolutions and linear layers are made of, for a tile of TILE_ROWS rows
 * and a panel of outputs two vectors wide; written once, compiled for each vector width. */
#ifndef ADN_FAST_TILE_H
#define ADN_FAST_TILE_H

#include <stddef.h>

enum { TILE_ROWS = 6, TILE_WIDTH_MAX = 32 };

typedef struct adn_tiles {
    const char *name;
    size_t width; /* outputs of a panel */

    /* For r < n_row <= TILE_ROWS, rows of dst `stride` floats apart: dst[r][width] = bias[width] +
     * sum over t < n_tap, i < n_in of x[offset[r] + tap[t] + i] panel[t][i][width]. */
    void (*product)(size_t n_row, const float *x, const size_t *offset, const size_t *tap,
                    size_t n_tap, size_t n_in, const float *panel, const float *bias, float *dst,
                    size_t stride);

    /* For r < n_row: sum[r][width] += sum over k < n of x[offset[k] + r] grad[k][width]. */
    void (*outer)(size_t n_row, const float *x, const size_t *offset, const float *grad, size_t n,
                  float *sum);
} adn_tiles;

const adn_tiles *adn_tiles_best(void); /* for this processor */

#endif
