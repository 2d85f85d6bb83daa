/* Products of matrices (fast_matrix.h): gradients of weights. */
#include <omp.h>
#include <string.h>

#include "device/cpu/fast_matrix.h"

/* Rows of the batch in a piece: the lines that a tile reads of them fit a first-level cache. Floats
 * of a block of inputs: a quarter of a second-level cache of 512 KiB. */
enum { GRAD_DEPTH = 128, GRAD_FLOATS = 32768 };
/* Inputs up to which a piece's rows fall into different sets of a first-level cache as they lie. */
enum { NARROW = 64 };

/* A thread's share of the tiles, counted through panels, then inputs, and its memory: a block of
 * inputs, panels of gradients [panel][depth][width], their sums. */
typedef struct share {
    size_t from, to;
    float *block, *packed, *sum;
} share;

/* A share's tiles of a block of inputs, over rows k .. k + n of the batch. */
static void grad_block(const adn_matrix *m, const adn_op_args *args, const share *s, size_t block,
                       size_t k, size_t n)
{
    size_t n_tile = tile_count(m->n_row), first = s->from / n_tile;
    size_t low = fast_share_begin(n_tile, m->n_block, block);
    size_t high = fast_share_begin(n_tile, m->n_block, block + 1);
    size_t i = tile_begin(m->n_row, low), n_in = tile_begin(m->n_row, high) - i;
    const float *src = (const float *)args->p[ADN_SRC] + k * m->n_row + i, *x = NULL;

    for (size_t panel = first; panel * n_tile < s->to; panel++) {
        size_t from = ADN_MAX(panel * n_tile + low, s->from);
        size_t to = ADN_MIN(panel * n_tile + high, s->to);
        const float *grad = s->packed + (panel - first) * n * TILE_WIDTH;
        float *sum = (float *)args->p[ADN_GRAD_WEIGHT] + panel * m->n_row * TILE_WIDTH;
        if (from < to && x == NULL) x = matrix_take(m, src, m->n_row, n, n_in, s->block);
        for (size_t item = from; item < to; item++) {
            size_t r = tile_begin(m->n_row, item % n_tile);
            size_t n_row = tile_begin(m->n_row, item % n_tile + 1) - r;
            adn_tile_outer(n_row, x + (r - i), m->offset, grad, n, k == 0, sum + r * TILE_WIDTH);
        }
    }
}

/* Who has a panel's first tile gives the gradients of its biases. */
static void grad_share(const adn_matrix *m, const adn_op_args *args, const share *s)
{
    size_t n_tile = tile_count(m->n_row), first = s->from / n_tile, last = (s->to - 1) / n_tile;
    const float *grad = args->p[ADN_GRAD_DST];
    float *grad_bias = args->p[ADN_GRAD_BIAS];

    if (s->from == s->to) return;
    memset(s->sum, 0, (last + 1 - first) * TILE_WIDTH * sizeof(*s->sum));
    for (size_t piece = 0; piece < m->n_piece; piece++) {
        size_t k = fast_share_begin(m->depth, m->n_piece, piece);
        size_t n = fast_share_begin(m->depth, m->n_piece, piece + 1) - k;
        for (size_t p = 0; p <= last - first; p++) {
            size_t at = (first + p) * TILE_WIDTH;
            adn_panel_pack(grad + k * m->n_col + at, m->n_col, n,
                           ADN_MIN(TILE_WIDTH, m->n_col - at), s->packed + p * n * TILE_WIDTH,
                           s->sum + p * TILE_WIDTH);
        }
        for (size_t b = 0; b < m->n_block; b++) grad_block(m, args, s, b, k, n);
    }
    if (grad_bias == NULL) return;
    for (size_t p = fast_parts(s->from, n_tile); p * n_tile < s->to; p++)
        memcpy(grad_bias + p * TILE_WIDTH, s->sum + (p - first) * TILE_WIDTH,
               ADN_MIN(TILE_WIDTH, m->n_col - p * TILE_WIDTH) * sizeof(*grad_bias));
}

static size_t packed_floats(const adn_matrix *m)
{
    return m->n_panel * m->n_offset * TILE_WIDTH;
}

static size_t share_floats(const adn_matrix *m)
{
    return m->block + packed_floats(m) + m->n_panel * TILE_WIDTH;
}

static adn_status run_grad_param(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_matrix *m = op->impl;
    size_t n = m->n_panel * tile_count(m->n_row);

#pragma omp parallel
    {
        size_t team = (size_t)omp_get_num_threads(), me = (size_t)omp_get_thread_num();
        float *block = (float *)args->p[ADN_WORKSPACE] + me * share_floats(m);
        float *packed = block + m->block;
        const share s = {fast_share_begin(n, team, me), fast_share_begin(n, team, me + 1), block,
                         packed, packed + packed_floats(m)};
        grad_share(m, args, &s);
    }
    return ADN_OK;
}

size_t adn_matrix_plan_grad(adn_cpu_op *op, adn_matrix *m, size_t n_row)
{
    op->run = run_grad_param;
    m->n_row = m->panels->n_in;
    m->n_col = m->panels->n_out;
    m->depth = n_row;
    m->n_panel = m->panels->n_panel;
    m->n_piece = fast_parts(m->depth, GRAD_DEPTH);
    m->n_offset = fast_parts(m->depth, m->n_piece);
    size_t n_tile = tile_count(m->n_row);
    m->n_block = ADN_MIN(fast_parts(m->n_row, GRAD_FLOATS / m->n_offset), n_tile);
    m->is_packed = m->n_row > NARROW;
    m->row = m->is_packed ? fast_odd_lines(fast_parts(n_tile, m->n_block) * TILE_ROWS) : m->n_row;
    m->block = m->is_packed ? m->n_offset * m->row : 0;
    return (size_t)omp_get_max_threads() * share_floats(m);
}
