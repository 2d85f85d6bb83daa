/* Winograd's minimal filtering F(4x4, 3x3) (Lavin & Gray 2016) over NHWC, for 3x3 convolutions of
 * stride 1: a tile of 4x4 outputs needs 36 products a pair of channels instead of 144.
 *
 * With the matrices A, B, G of the points 0, +-sqrt(1/2), +-sqrt(2), infinity (half the error of 0,
 * +-1, +-2), for a tile of inputs x [6][6], of outputs y [4][4], a kernel g [3][3]:
 *
 *   forward             V = B' x B     U = G g G'      y = A' (U V) A      (products element by
 *   gradient of weights V = B' x B     W = A dy A'     dg = G' (W V) G      element, summed over
 *                                                                          channels, or tiles)
 *
 * The gradient of the input is a forward convolution with turned kernels. The 36 elements are
 * called positions: for each of them the sums are a product of matrices. */
#ifndef ADN_FAST_WINO_H
#define ADN_FAST_WINO_H

#include "device/cpu/act.h"
#include "device/cpu/fast_block.h"
#include "device/cpu/fast_tile.h"

#define adn_wino_take_src    ACT(adn_wino_take_src)
#define adn_wino_give_dst    ACT(adn_wino_give_dst)
#define adn_wino_take_grad   ACT(adn_wino_take_grad)
#define adn_wino_take_weight ACT(adn_wino_take_weight)
#define adn_wino_give_weight ACT(adn_wino_give_weight)

enum { WINO_POINTS = 6, WINO_POSITIONS = 36, WINO_TILE = 4, WEIGHTS_OF_KERNEL = 9 };

/* A convolution's tiles, counted through n, rows, columns. */
typedef struct adn_wino {
    adn_conv v;
    size_t tiles_y, tiles_x, n_tile;
    const act *zeros; /* [c]: what lies outside the map */
} adn_wino;

/* Transformed maps: position p of tile t (of some) is [p stride + t row .. + c]. Both are odd
 * numbers of cache lines, so that positions and tiles fall into different sets of a cache. */
typedef struct adn_wino_map {
    float *at;
    size_t stride, row;
} adn_wino_map;

/* V of tiles first .. first + n. to->row holds whole vectors. */
void adn_wino_take_src(const adn_wino *w, const act *src, size_t first, size_t n,
                       const adn_wino_map *to);

/* dst of tiles first .. first + n, outputs `output` .. + n_output (whole vectors but for the last
 * ones of all), from sums that begin at output. bias [o] may be NULL. sum, square [o]: of dst, are
 * added to; may be NULL. is_streamed: tile_streams says so of dst. */
typedef struct adn_wino_dst {
    size_t first, n, output, n_output;
    const float *bias;
    act *dst;
    float *sum, *square;
    bool is_streamed;
} adn_wino_dst;
void adn_wino_give_dst(const adn_wino *w, const adn_wino_map *from, const adn_wino_dst *d);

/* W of the same tiles for the panel that begins at `output`: to[p plane + t WIDTH + k]. Zero beyond
 * the last output. total[WIDTH] += the gradients themselves. */
void adn_wino_take_grad(const adn_wino *w, const act *grad, size_t first, size_t n, size_t output,
                        float *to, size_t plane, float *total);

/* U of one panel: panel [9][n_in][WIDTH] -> to[p plane + i WIDTH + k]; and dg from sums that lie
 * likewise. */
void adn_wino_take_weight(const float *panel, size_t n_in, float *to, size_t plane);
void adn_wino_give_weight(const float *sums, size_t plane, size_t n_in, float *panel);

#endif
