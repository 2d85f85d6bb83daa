/* Convolutions between maps of at most 2x2 (fast_places.h): gradients of weights. */
#include <omp.h>

#include "device/cpu/fast_places.h"

typedef struct grad_call {
    const adn_places *d;
    const float *src, *grad;
    float *grad_weight, *grad_bias;
    float *x;      /* [tile of inputs][in][image][TILE_ROWS] */
    float *packed; /* of each thread: [out][image][TILE_WIDTH] */
} grad_call;

static size_t x_floats(const adn_places *d)
{
    return d->n_in * d->v.n * TILE_ROWS;
}

static size_t packed_floats(const adn_places *d)
{
    return d->n_out * d->v.n * TILE_WIDTH;
}

static void take_tile(const grad_call *c, size_t tile)
{
    const adn_places *d = c->d;
    size_t i = tile_begin(d->v.c, tile), n = tile_begin(d->v.c, tile + 1) - i;
    float *to = c->x + tile * x_floats(d);

    for (size_t in = 0; in < d->n_in; in++)
        for (size_t image = 0; image < d->v.n; image++, to += TILE_ROWS)
            memcpy(to, c->src + (image * d->n_in + in) * d->v.c + i, n * sizeof(*to));
}

/* A panel of the gradients [n_out][n], and their sums. */
static void pack(const grad_call *c, size_t panel, float *to, float *sum)
{
    const adn_places *d = c->d;
    size_t at = panel * TILE_WIDTH, n = ADN_MIN(TILE_WIDTH, d->v.o - at);

    memset(sum, 0, TILE_WIDTH * sizeof(*sum));
    for (size_t out = 0; out < d->n_out; out++)
        adn_panel_pack(c->grad + out * d->v.o + at, d->n_out * d->v.o, d->v.n, n,
                       to + out * d->v.n * TILE_WIDTH, sum);
}

/* All taps of a tile of inputs and a panel of outputs. */
static void grad_tile(const grad_call *c, const float *packed, size_t panel, size_t tile)
{
    const adn_places *d = c->d;
    size_t i = tile_begin(d->v.c, tile), n_row = tile_begin(d->v.c, tile + 1) - i, k = 0;
    const float *x = c->x + tile * x_floats(d);

    for (size_t tap = 0; tap < d->panels->n_tap; tap++) {
        float *sum = c->grad_weight + ((panel * d->panels->n_tap + tap) * d->v.c + i) * TILE_WIDTH;
        bool is_first = true;
        for (; k < d->n_pair && d->pairs[k].tap == tap; k++, is_first = false)
            adn_tile_outer(n_row, x + d->pairs[k].in * d->v.n * TILE_ROWS, d->offset,
                           packed + d->pairs[k].out * d->v.n * TILE_WIDTH, d->v.n, is_first, sum);
        if (is_first) memset(sum, 0, n_row * TILE_WIDTH * sizeof(*sum));
    }
}

/* A thread's share of the tiles, counted through panels, then inputs. Who has a panel's first tile
 * gives the gradients of its biases. */
static void grad_share(const grad_call *c, size_t from, size_t to, float *packed)
{
    const adn_places *d = c->d;
    size_t n_tile = tile_count(d->v.c);

    for (size_t item = from; item < to; item++) {
        size_t panel = item / n_tile, tile = item % n_tile, at = panel * TILE_WIDTH;
        float sum[TILE_WIDTH];
        if (item == from || tile == 0) pack(c, panel, packed, sum);
        if (tile == 0 && c->grad_bias != NULL)
            memcpy(c->grad_bias + at, sum, ADN_MIN(TILE_WIDTH, d->v.o - at) * sizeof(*sum));
        grad_tile(c, packed, panel, tile);
    }
}

static adn_status run_grad_param(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_places *d = op->impl;
    size_t n_tile = tile_count(d->v.c), n = d->n_panel * n_tile;
    grad_call c = {.d = d,
                   .src = args->p[ADN_SRC],
                   .grad = args->p[ADN_GRAD_DST],
                   .grad_weight = args->p[ADN_GRAD_WEIGHT],
                   .grad_bias = args->p[ADN_GRAD_BIAS],
                   .x = args->p[ADN_WORKSPACE]};
    c.packed = c.x + fast_round_up(n_tile * x_floats(d), FAST_LINE);

#pragma omp parallel
    {
        size_t team = (size_t)omp_get_num_threads(), me = (size_t)omp_get_thread_num();
#pragma omp for schedule(static)
        for (size_t tile = 0; tile < n_tile; tile++) take_tile(&c, tile);
        grad_share(&c, fast_share_begin(n, team, me), fast_share_begin(n, team, me + 1),
                   c.packed + me * packed_floats(d));
    }
    return ADN_OK;
}

size_t adn_places_plan_grad(adn_cpu_op *op, const adn_places *d)
{
    op->run = run_grad_param;
    return fast_round_up(tile_count(d->v.c) * x_floats(d), FAST_LINE) +
           (size_t)omp_get_max_threads() * packed_floats(d);
}
