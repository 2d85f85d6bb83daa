/* Products of matrices (fast_matrix.h): forward, gradients of inputs, the choice of a pass. */
#include <omp.h>
#include <string.h>

#include "device/cpu/fast_matrix.h"
#include "device/cpu/fast_moments.h"

/* Floats of a panel's piece: an eighth of a second-level cache of 512 KiB, from which tiles read it
 * as fast as they multiply; a tile's beginning and end cost as much as ten of its steps, so that
 * long pieces are good. Rows of a block: so many that a panel is worth its loading. */
enum { PIECE_FLOATS = 16384, BLOCK_ROWS = 256 };
/* Weights that such a cache holds beside a block; more are fetched ahead. */
enum { NEAR_FLOATS = 65536 };

/* Where a piece begins: turned weights come in whole panels of outputs. */
static size_t piece_begin(const adn_matrix *m, size_t piece)
{
    size_t n_panel = fast_parts(m->depth, TILE_WIDTH);
    return ADN_MIN(fast_share_begin(n_panel, m->n_piece, piece) * TILE_WIDTH, m->depth);
}

static size_t piece_most(const adn_matrix *m)
{
    return fast_parts(fast_parts(m->depth, TILE_WIDTH), m->n_piece) * TILE_WIDTH;
}

/* --- forward, and gradients of inputs, which are forward with turned weights */

typedef struct product_call {
    const adn_matrix *m;
    const float *src, *weight, *bias;
    float *dst, *buffers;
    float *sums; /* [n_block][2][n_col]: of dst; NULL: not wanted */
} product_call;

/* A block's rows of a piece of the depth, which begins at `from`. */
typedef struct part {
    const product_call *c;
    const float *x;
    size_t n_row, from, n;
    float *dst;
    float *sum, *square; /* of dst, with the last piece; may be NULL */
} part;

/* A panel's weights: one run, or, to be turned, squares of TILE_WIDTH inputs and outputs. */
static const float *weights_of(const part *p, size_t panel)
{
    const adn_matrix *m = p->c->m;

    if (!m->is_turned) return p->c->weight + (panel * m->depth + p->from) * TILE_WIDTH;
    return p->c->weight + p->from * m->n_col + panel * TILE_WIDTH * TILE_WIDTH;
}

/* From a square to that of the next outputs. */
static size_t square_stride(const adn_matrix *m)
{
    return m->n_col * TILE_WIDTH;
}

static const float *turn(const part *p, size_t panel, float *to)
{
    const adn_matrix *m = p->c->m;
    const float *weight = weights_of(p, panel);
    size_t n_in = ADN_MIN(TILE_WIDTH, m->n_col - panel * TILE_WIDTH);

    for (size_t o = 0; o < p->n; o += TILE_WIDTH, weight += square_stride(m))
        adn_panel_turn(to + o * TILE_WIDTH, weight, TILE_WIDTH, n_in);
    return to;
}

/* The share of a later panel's weights that tile t of n fetches. */
static adn_ahead ahead_of(const part *p, size_t panel, size_t t, size_t n)
{
    const adn_matrix *m = p->c->m;
    size_t n_line = fast_parts(p->n, TILE_WIDTH) * SQUARE_LINES;

    return (adn_ahead){.at = weights_of(p, panel),
                       .first = fast_share_begin(n_line, n, t),
                       .n = fast_parts(n_line, n * fast_parts(p->n, AHEAD_STEPS)),
                       .stride = m->is_turned ? square_stride(m) : TILE_WIDTH * TILE_WIDTH};
}

/* sum[w], square[w] += over a tile's rows. */
static void sum_tile(const float *x, size_t n_row, size_t stride, float *sum, float *square)
{
    for (size_t w = 0; w < TILE_WIDTH; w += LANES) {
        vec total = vec_load(sum + w), squares = vec_load(square + w);
        for (size_t r = 0; r < n_row; r++) {
            vec a = vec_load(x + r * stride + w);
            total += a;
            squares += a * a;
        }
        vec_store(sum + w, total);
        vec_store(square + w, squares);
    }
}

/* A panel of the block's rows. */
static void panel_product(const part *p, size_t panel, const float *weight)
{
    static const size_t no_tap = 0;
    const adn_matrix *m = p->c->m;
    size_t at = panel * TILE_WIDTH, n = ADN_MIN(TILE_WIDTH, m->n_col - at);
    size_t n_tile = tile_count(p->n_row), next = ADN_MIN(panel + 1, m->n_panel - 1);
    float edge[TILE_ROWS * TILE_WIDTH] = {0}, bias[TILE_WIDTH] = {0}, sum[2][TILE_WIDTH] = {{0}};
    bool is_whole = n == TILE_WIDTH, is_first = p->from == 0;

    if (p->c->bias != NULL) memcpy(bias, p->c->bias + at, n * sizeof(*bias));
    for (size_t t = 0; t < n_tile; t++) {
        size_t r = tile_begin(p->n_row, t), n_row = tile_begin(p->n_row, t + 1) - r;
        float *dst = p->dst + r * m->n_col + at, *to = is_whole ? dst : edge;
        size_t row = is_whole ? m->n_col : TILE_WIDTH;
        const float *start = is_first ? bias : NULL;
        if (!is_whole && !is_first) matrix_copy(edge, row, dst, m->n_col, n_row, n);
        if (m->is_far) {
            const adn_ahead ahead = ahead_of(p, next, t, n_tile);
            adn_tile_product_ahead(n_row, p->x, m->offset + r, p->n, weight, start, to, row,
                                   &ahead);
        } else {
            adn_tile_product(n_row, p->x, m->offset + r, &no_tap, 1, p->n, weight, start, to, row);
        }
        if (!is_whole) matrix_copy(dst, m->n_col, edge, row, n_row, n);
        if (p->sum != NULL) sum_tile(to, n_row, row, sum[0], sum[1]);
    }
    if (p->sum == NULL) return;
    memcpy(p->sum + at, sum[0], n * sizeof(*p->sum));
    memcpy(p->square + at, sum[1], n * sizeof(*p->square));
}

/* A block's panels from .. to. */
static void block_product(const product_call *c, size_t block, size_t from, size_t to)
{
    const adn_matrix *m = c->m;
    size_t first = fast_share_begin(m->n_row, m->n_block, block);
    float *buffer = c->buffers + (size_t)omp_get_thread_num() * (m->block + m->turned);
    part p = {.c = c, .dst = c->dst + first * m->n_col};

    p.n_row = fast_share_begin(m->n_row, m->n_block, block + 1) - first;
    for (size_t piece = 0; piece < m->n_piece; piece++) {
        p.from = piece_begin(m, piece);
        p.n = piece_begin(m, piece + 1) - p.from;
        p.x = matrix_take(m, c->src + first * m->depth + p.from, m->depth, p.n_row, p.n, buffer);
        if (c->sums != NULL && piece + 1 == m->n_piece) {
            p.sum = c->sums + block * 2 * m->n_col;
            p.square = p.sum + m->n_col;
        }
        for (size_t panel = from; panel < to; panel++) {
            const float *weight = weights_of(&p, panel);
            if (m->is_turned) weight = turn(&p, panel, buffer + m->block);
            panel_product(&p, panel, weight);
        }
    }
}

static void product(const product_call *c)
{
    /* Fewer blocks than threads: several share each and take some panels. */
    size_t n_panel = c->m->n_panel, n_block = c->m->n_block;
    size_t n_share = ADN_MIN(fast_parts((size_t)omp_get_max_threads(), n_block), n_panel);

#pragma omp parallel for schedule(static)
    for (size_t task = 0; task < n_block * n_share; task++) {
        size_t share = task % n_share;
        block_product(c, task / n_share, fast_share_begin(n_panel, n_share, share),
                      fast_share_begin(n_panel, n_share, share + 1));
    }
}

static adn_status run_fwd(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_matrix *m = op->impl;
    product_call c = {.m = m,
                      .src = args->p[ADN_SRC],
                      .weight = args->p[ADN_WEIGHT],
                      .bias = args->p[ADN_BIAS],
                      .dst = args->p[ADN_DST],
                      .buffers = args->p[ADN_WORKSPACE]};

    if (args->p[ADN_SUMS] != NULL) c.sums = c.buffers + (size_t)omp_get_max_threads() * m->block;
    product(&c);
    if (c.sums != NULL) adn_moments_add_up(args->p[ADN_SUMS], c.sums, m->n_block, m->n_col);
    return ADN_OK;
}

static adn_status run_grad_src(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_matrix *m = op->impl;
    float *back = args->p[ADN_WORKSPACE];
    product_call c = {.m = m,
                      .src = args->p[ADN_GRAD_DST],
                      .weight = args->p[ADN_WEIGHT],
                      .dst = args->p[ADN_GRAD_SRC],
                      .buffers = back};

    if (!m->is_turned) {
        adn_panels_turn(m->panels, back, c.weight);
        c.weight = back;
        c.buffers = back + adn_panels_back_floats(m->panels);
    }
    product(&c);
    return ADN_OK;
}

static void plan_product(adn_matrix *m, size_t n_row, size_t depth, size_t n_col)
{
    size_t most = ADN_MIN(PIECE_FLOATS / TILE_WIDTH, depth);

    m->n_row = n_row;
    m->n_col = n_col;
    m->depth = depth;
    m->n_panel = fast_parts(n_col, TILE_WIDTH);
    m->n_piece = fast_parts(depth, most);
    m->n_block = fast_parts(n_row, BLOCK_ROWS);
    m->n_offset = fast_parts(n_row, m->n_block);
    m->is_far = depth * n_col > NEAR_FLOATS;
    /* Whole rows lie in one run; and a copy costs as much as some products of what is copied. */
    m->is_packed = m->n_piece > 1 && m->n_panel > 2;
    m->row = m->is_packed ? fast_odd_lines(piece_most(m)) : depth;
    m->block = m->is_packed ? m->n_offset * m->row : 0;
}

static size_t plan_fwd(adn_matrix *m, size_t n_row)
{
    plan_product(m, n_row, m->panels->n_in, m->panels->n_out);
    return (size_t)omp_get_max_threads() * m->block + m->n_block * 2 * m->n_col;
}

/* Several blocks read weights that were turned once and written; a single one has each panel turned
 * when it comes to it, so that the panel is still in the cache. */
static size_t plan_grad_src(adn_matrix *m, size_t n_row)
{
    size_t back = adn_panels_back_floats(m->panels);

    plan_product(m, n_row, m->panels->n_out, m->panels->n_in);
    m->is_turned = m->n_block == 1;
    if (m->is_turned) m->turned = piece_most(m) * TILE_WIDTH;
    return (size_t)omp_get_max_threads() * (m->block + m->turned) + (m->is_turned ? 0 : back);
}

/* --- planning */

/* An empty batch: sums over nothing. */
static adn_status run_empty(const adn_cpu_op *op, const adn_op_args *args)
{
    fast_zero_sums(&op->base.desc, args);
    return ADN_OK;
}

/* Gives the floats of a workspace. */
static size_t plan_pass(adn_cpu_op *op, adn_matrix *m, size_t n_row)
{
    switch (op->base.desc.kind) {
    case ADN_OP_CONV_GRAD_SRC:
    case ADN_OP_LINEAR_GRAD_SRC:
        op->run = run_grad_src;
        return plan_grad_src(m, n_row);
    case ADN_OP_CONV_GRAD_PARAM:
    case ADN_OP_LINEAR_GRAD_PARAM:
        return adn_matrix_plan_grad(op, m, n_row);
    default:
        op->run = run_fwd;
        return plan_fwd(m, n_row);
    }
}

adn_status adn_matrix_plan(adn_cpu_op *op)
{
    const adn_panels *panels = adn_panels_of(op->base.desc.layout);
    size_t count = adn_shape_count(op->base.desc.src);
    adn_matrix s = {.panels = panels};

    if (panels == NULL || panels->n_tap > 1) return ADN_END;
    if (count == 0) {
        op->run = run_empty;
        return ADN_OK;
    }
    op->base.workspace_bytes = plan_pass(op, &s, count / panels->n_in) * sizeof(float);
    adn_matrix *m = adn_alloc(sizeof(*m) + s.n_offset * sizeof(*m->offset));
    if (m == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a plan");
    *m = s;
    m->offset = (size_t *)(m + 1);
    for (size_t k = 0; k < m->n_offset; k++) m->offset[k] = k * m->row;
    op->impl = m;
    op->impl_free = adn_free;
    return ADN_OK;
}
