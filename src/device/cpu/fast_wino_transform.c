/* Winograd's transforms. Each is done along columns, then along rows, for a vector of channels at a
 * time. */
#include "device/cpu/fast_wino.h"

/* The points squared: +-A at 1/2, +-B at 2, and what G divides by. */
#define A2 0.5F
#define B2 2.0F
#define A1 0.70710678118654752440F
#define B1 1.41421356237309504880F
#define A3 (A1 * A2)
#define B3 (B1 * B2)
#define NA (2 * A2 * (A2 - B2))
#define NB (2 * B2 * (B2 - A2))

#define UNROLL(n) _Pragma("GCC unroll 6") for (size_t k = 0; k < (n); k++)

/* B': six inputs. A2 B2 is 1. */
VEC_INLINE void take_six(const vec d[6], vec o[6])
{
    vec e = vec_add_scaled(d[4], -B2, d[2]), f = vec_add_scaled(d[3], -B2, d[1]);
    vec g = vec_add_scaled(d[4], -A2, d[2]), h = vec_add_scaled(d[3], -A2, d[1]);

    o[0] = vec_add_scaled(d[0] + d[4], -(A2 + B2), d[2]);
    o[1] = vec_add_scaled(e, A1, f);
    o[2] = vec_add_scaled(e, -A1, f);
    o[3] = vec_add_scaled(g, B1, h);
    o[4] = vec_add_scaled(g, -B1, h);
    o[5] = vec_add_scaled(d[1] + d[5], -(A2 + B2), d[3]);
}

/* A': four outputs. */
VEC_INLINE void give_four(const vec m[6], vec o[4])
{
    vec even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];

    o[0] = m[0] + (even_a + even_b);
    o[1] = vec_add_scaled(vec_scaled(B1, odd_b), A1, odd_a);
    o[2] = vec_add_scaled(vec_scaled(B2, even_b), A2, even_a);
    o[3] = vec_add_scaled(vec_add_scaled(m[5], B3, odd_b), A3, odd_a);
}

/* A: of four gradients. */
VEC_INLINE void take_four(const vec y[4], vec o[6])
{
    vec e = vec_add_scaled(y[0], A2, y[2]), f = vec_add_scaled(y[1], A2, y[3]);
    vec g = vec_add_scaled(y[0], B2, y[2]), h = vec_add_scaled(y[1], B2, y[3]);

    o[0] = y[0];
    o[1] = vec_add_scaled(e, A1, f);
    o[2] = vec_add_scaled(e, -A1, f);
    o[3] = vec_add_scaled(g, B1, h);
    o[4] = vec_add_scaled(g, -B1, h);
    o[5] = y[3];
}

/* G: of three weights. */
VEC_INLINE void take_three(const vec g[3], vec o[6])
{
    vec e = vec_scaled(1 / NA, vec_add_scaled(g[0], A2, g[2]));
    vec f = vec_scaled(1 / NB, vec_add_scaled(g[0], B2, g[2]));

    o[0] = g[0];
    o[1] = vec_add_scaled(e, A1 / NA, g[1]);
    o[2] = vec_add_scaled(e, -A1 / NA, g[1]);
    o[3] = vec_add_scaled(f, B1 / NB, g[1]);
    o[4] = vec_add_scaled(f, -B1 / NB, g[1]);
    o[5] = g[2];
}

/* G': three gradients of weights. */
VEC_INLINE void give_three(const vec u[6], vec o[3])
{
    vec even_a = u[1] + u[2], odd_a = u[1] - u[2], even_b = u[3] + u[4], odd_b = u[3] - u[4];

    o[0] = vec_add_scaled(vec_add_scaled(u[0], 1 / NB, even_b), 1 / NA, even_a);
    o[1] = vec_add_scaled(vec_scaled(B1 / NB, odd_b), A1 / NA, odd_a);
    o[2] = vec_add_scaled(vec_add_scaled(u[5], B2 / NB, even_b), A2 / NA, even_a);
}

typedef struct tile {
    size_t image, y, x; /* y, x: of its first output */
} tile;

static inline tile tile_next(const adn_wino *w, tile t)
{
    t.x += WINO_TILE;
    if (t.x < w->tiles_x * WINO_TILE) return t;
    t.x = 0;
    t.y += WINO_TILE;
    if (t.y < w->tiles_y * WINO_TILE) return t;
    t.y = 0;
    t.image++;
    return t;
}

static tile tile_at(const adn_wino *w, size_t t)
{
    return (tile){t / w->tiles_x / w->tiles_y, t / w->tiles_x % w->tiles_y * WINO_TILE,
                  t % w->tiles_x * WINO_TILE};
}

/* --- inputs */

/* One vector of channels, n_lane of them, that begins i floats behind the 36 pointers; on the way
 * to positions `stride` floats apart. */
VEC_INLINE void take_tile(const act *const from[WINO_POSITIONS], size_t i, size_t n_lane, float *to,
                          size_t stride)
{
    vec half[WINO_POINTS][WINO_POINTS]; /* [column][point of rows] */

    for (size_t column = 0; column < WINO_POINTS; column++) {
        vec d[WINO_POINTS];
        UNROLL(6)
        {
            const act *at = from[k * WINO_POINTS + column] + i;
            d[k] = n_lane == LANES ? act_load(at) : act_load_some(at, n_lane);
        }
        take_six(d, half[column]);
    }
    for (size_t row = 0; row < WINO_POINTS; row++) {
        vec d[WINO_POINTS], o[WINO_POINTS];
        UNROLL(6) d[k] = half[k][row];
        take_six(d, o);
        UNROLL(6) vec_store(to + (row * WINO_POINTS + k) * stride, o[k]);
    }
}

/* Where the channels of a tile's 36 inputs lie: in the map, or the zeros around it. */
static void find_inputs(const adn_wino *w, const act *src, tile t, const act *from[WINO_POSITIONS])
{
    const adn_conv *v = &w->v;

    for (size_t k = 0; k < WINO_POSITIONS; k++) {
        size_t y = t.y + k / WINO_POINTS - v->pad, x = t.x + k % WINO_POINTS - v->pad;
        bool is_inside = y < v->h && x < v->w; /* above and left of the map they wrap */
        from[k] = is_inside ? src + ((t.image * v->h + y) * v->w + x) * v->c : w->zeros;
    }
}

void adn_wino_take_src(const adn_wino *w, const act *src, size_t first, size_t n,
                       const adn_wino_map *to)
{
    size_t c = w->v.c, whole = c / LANES * LANES;
    tile in = tile_at(w, first);

    for (size_t t = 0; t < n; t++, in = tile_next(w, in)) {
        const act *from[WINO_POSITIONS];
        float *at = to->at + t * to->row;
        find_inputs(w, src, in, from);
        for (size_t i = 0; i < whole; i += LANES) take_tile(from, i, LANES, at + i, to->stride);
        if (whole < c) take_tile(from, whole, c - whole, at + whole, to->stride);
    }
}

/* --- outputs */

VEC_INLINE void give_tile(const float *from, size_t stride, vec bias, vec y[WINO_TILE][WINO_TILE])
{
    vec half[WINO_POINTS][WINO_TILE]; /* [column][row of outputs] */

    for (size_t column = 0; column < WINO_POINTS; column++) {
        vec m[WINO_POINTS];
        UNROLL(6) m[k] = vec_load(from + (k * WINO_POINTS + column) * stride);
        give_four(m, half[column]);
    }
    for (size_t row = 0; row < WINO_TILE; row++) {
        vec m[WINO_POINTS];
        UNROLL(6) m[k] = half[k][row];
        give_four(m, y[row]);
        UNROLL(4) y[row][k] = y[row][k] + bias;
    }
}

typedef struct moments {
    vec sum, square;
} moments;

/* Vectors of a cache line. */
enum { LINE_VECS = FAST_LINE / LANES };
typedef vec output_tile[WINO_TILE][WINO_TILE];

/* Stores h rows of w outputs, n_vec vectors of n_lane channels of each; or streams them: then the
 * vectors are those of a line, which are stored together. */
VEC_INLINE void store_tile(output_tile *y, size_t n_vec, size_t n_lane, bool is_streamed, act *dst,
                           size_t row, size_t pixel, size_t h, size_t w, moments *m)
{
    for (size_t i = 0; i < h; i++) {
        for (size_t j = 0; j < w; j++) {
            for (size_t k = 0; k < n_vec; k++) {
                act *at = dst + i * row + j * pixel + k * LANES;
                if (is_streamed)
                    act_stream(at, y[k][i][j]);
                else if (n_lane == LANES)
                    act_store(at, y[k][i][j]);
                else
                    act_store_some(at, y[k][i][j], n_lane);
                m[k].sum = m[k].sum + y[k][i][j];
                m[k].square = vec_fma(y[k][i][j], y[k][i][j], m[k].square);
            }
        }
    }
}

/* Vectors of outputs, all tiles. */
VEC_INLINE void give_vectors(const adn_wino *w, const adn_wino_map *from, const adn_wino_dst *d,
                             size_t output, size_t n_vec, size_t n_lane, bool is_streamed)
{
    const adn_conv *v = &w->v;
    moments m[LINE_VECS];
    vec bias[LINE_VECS];
    tile at = tile_at(w, d->first);

    for (size_t k = 0; k < n_vec; k++) {
        m[k] = (moments){vec_spread(0), vec_spread(0)};
        bias[k] =
            d->bias == NULL ? vec_spread(0) : vec_load_some(d->bias + output + k * LANES, n_lane);
    }
    for (size_t t = 0; t < d->n; t++, at = tile_next(w, at)) {
        const float *sums = from->at + t * from->row + output - d->output;
        size_t h = v->h_out - at.y, wide = v->w_out - at.x;
        act *to = d->dst + ((at.image * v->h_out + at.y) * v->w_out + at.x) * v->o + output;
        output_tile y[LINE_VECS];
        for (size_t k = 0; k < n_vec; k++) give_tile(sums + k * LANES, from->stride, bias[k], y[k]);
        if (h >= WINO_TILE && wide >= WINO_TILE)
            store_tile(y, n_vec, n_lane, is_streamed, to, v->w_out * v->o, v->o, WINO_TILE,
                       WINO_TILE, m);
        else
            store_tile(y, n_vec, n_lane, is_streamed, to, v->w_out * v->o, v->o,
                       ADN_MIN(h, WINO_TILE), ADN_MIN(wide, WINO_TILE), m);
    }
    for (size_t k = 0; k < n_vec && d->sum != NULL; k++) {
        float *sum = d->sum + output + k * LANES, *square = d->square + output + k * LANES;
        vec_store_some(sum, vec_load_some(sum, n_lane) + m[k].sum, n_lane);
        vec_store_some(square, vec_load_some(square, n_lane) + m[k].square, n_lane);
    }
}

void adn_wino_give_dst(const adn_wino *w, const adn_wino_map *from, const adn_wino_dst *d)
{
    size_t end = d->output + d->n_output, k = d->output;

    if (d->is_streamed) {
        for (; k < end; k += FAST_LINE) give_vectors(w, from, d, k, LINE_VECS, LANES, true);
        vec_stream_end();
    }
    for (; k + LANES <= end; k += LANES) give_vectors(w, from, d, k, 1, LANES, false);
    if (k < end) give_vectors(w, from, d, k, 1, end - k, false);
}

/* --- gradients of outputs */

VEC_INLINE void take_grad_tile(vec y[WINO_TILE][WINO_TILE], float *to, size_t plane)
{
    vec half[WINO_TILE][WINO_POINTS]; /* [column][point of rows] */

    for (size_t column = 0; column < WINO_TILE; column++) {
        vec d[WINO_TILE];
        UNROLL(4) d[k] = y[k][column];
        take_four(d, half[column]);
    }
    for (size_t row = 0; row < WINO_POINTS; row++) {
        vec d[WINO_TILE], o[WINO_POINTS];
        UNROLL(4) d[k] = half[k][row];
        take_four(d, o);
        UNROLL(6) vec_store(to + (row * WINO_POINTS + k) * plane, o[k]);
    }
}

/* The gradients of h rows of w outputs, zero elsewhere. */
VEC_INLINE void load_grads(const act *from, size_t row, size_t pixel, size_t h, size_t w,
                           size_t n_lane, vec y[WINO_TILE][WINO_TILE])
{
    for (size_t i = 0; i < WINO_TILE; i++) {
        for (size_t j = 0; j < WINO_TILE; j++) {
            const act *at = from + i * row + j * pixel;
            y[i][j] = vec_spread(0);
            if (i < h && j < w)
                y[i][j] = n_lane == LANES ? act_load(at) : act_load_some(at, n_lane);
        }
    }
}

VEC_INLINE vec sum_of(vec y[WINO_TILE][WINO_TILE])
{
    vec row[WINO_TILE];

    UNROLL(4) row[k] = (y[k][0] + y[k][1]) + (y[k][2] + y[k][3]);
    return (row[0] + row[1]) + (row[2] + row[3]);
}

/* A vector of outputs, all tiles. */
VEC_INLINE void take_grad_vector(const adn_wino *w, const act *grad, size_t first, size_t n,
                                 size_t output, size_t n_lane, float *to, size_t plane,
                                 float *total)
{
    const adn_conv *v = &w->v;
    vec sum = vec_load(total);
    tile at = tile_at(w, first);

    for (size_t t = 0; t < n; t++, at = tile_next(w, at)) {
        size_t h = v->h_out - at.y, wide = v->w_out - at.x, row = v->w_out * v->o;
        const act *from = grad + ((at.image * v->h_out + at.y) * v->w_out + at.x) * v->o + output;
        vec y[WINO_TILE][WINO_TILE];
        if (h >= WINO_TILE && wide >= WINO_TILE)
            load_grads(from, row, v->o, WINO_TILE, WINO_TILE, n_lane, y);
        else
            load_grads(from, row, v->o, h, wide, n_lane, y);
        sum = sum + sum_of(y);
        take_grad_tile(y, to + t * TILE_WIDTH, plane);
    }
    vec_store(total, sum);
}

void adn_wino_take_grad(const adn_wino *w, const act *grad, size_t first, size_t n, size_t output,
                        float *to, size_t plane, float *total)
{
    for (size_t k = 0; k < TILE_WIDTH; k += LANES) {
        size_t at = output + k, n_lane = at < w->v.o ? ADN_MIN(LANES, w->v.o - at) : 0;
        if (n_lane == LANES)
            take_grad_vector(w, grad, first, n, at, LANES, to + k, plane, total + k);
        else
            take_grad_vector(w, grad, first, n, at, n_lane, to + k, plane, total + k);
    }
}

/* --- weights */

void adn_wino_take_weight(const float *panel, size_t n_in, float *to, size_t plane)
{
    for (size_t i = 0; i < n_in * TILE_WIDTH; i += LANES) {
        vec half[3][WINO_POINTS]; /* [column][point of rows] */
        for (size_t column = 0; column < 3; column++) {
            vec g[3];
            UNROLL(3) g[k] = vec_load(panel + (k * 3 + column) * n_in * TILE_WIDTH + i);
            take_three(g, half[column]);
        }
        for (size_t row = 0; row < WINO_POINTS; row++) {
            vec g[3], o[WINO_POINTS];
            UNROLL(3) g[k] = half[k][row];
            take_three(g, o);
            UNROLL(6) vec_store(to + (row * WINO_POINTS + k) * plane + i, o[k]);
        }
    }
}

void adn_wino_give_weight(const float *sums, size_t plane, size_t n_in, float *panel)
{
    for (size_t i = 0; i < n_in * TILE_WIDTH; i += LANES) {
        vec half[WINO_POINTS][3]; /* [column][row of weights] */
        for (size_t column = 0; column < WINO_POINTS; column++) {
            vec u[WINO_POINTS];
            UNROLL(6) u[k] = vec_load(sums + (k * WINO_POINTS + column) * plane + i);
            give_three(u, half[column]);
        }
        for (size_t row = 0; row < 3; row++) {
            vec u[WINO_POINTS], o[3];
            UNROLL(6) u[k] = half[k][row];
            give_three(u, o);
            UNROLL(3) vec_store(panel + (row * 3 + k) * n_in * TILE_WIDTH + i, o[k]);
        }
    }
}
