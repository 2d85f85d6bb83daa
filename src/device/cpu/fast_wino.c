/* 3x3 convolutions of stride 1, all passes, by Winograd's transforms (fast_wino.h): chunks of tiles
 * are transformed, multiplied in 36 products of matrices by the tiles of fast_tile.h, transformed
 * back. Weights lie in panels, as for the direct way. */
#include <omp.h>
#include <string.h>

#include "device/cpu/fast_moments.h"
#include "device/cpu/fast_panel.h"
#include "device/cpu/fast_wino.h"

/* Tiles of a chunk: as many as let V stay in a second-level cache of 512 KiB, if that is enough to
 * make loading a panel of weights worth while; else so many that weights are loaded seldom. The
 * same for gradients of weights, whose sums are read and written for every chunk. Up to CHUNK_WHOLE
 * tiles are one chunk: then transformed weights, or sums, need no memory for all of them. */
enum {
    CHUNK_FLOATS = 131072,
    CHUNK_SMALL = 24,
    GRAD_CHUNK_SMALL = 48,
    CHUNK_LARGE = 72,
    CHUNK_WHOLE = 128
};
enum { GROUP_OUTPUTS = 64 };

typedef struct wino {
    adn_wino map;
    const adn_panels *panels;
    size_t n_panel;        /* of this pass' outputs */
    size_t chunk, n_chunk; /* tiles of a chunk */
    size_t group, n_group; /* panels of a group: a chunk's products */
    bool is_fly;           /* each thread has one chunk: it transforms a group's weights itself */
    adn_wino_map v, m;     /* shapes of one thread's */
    size_t v_floats, m_floats;
    size_t plane, u_floats;         /* of weights: a position's, a panel's */
    size_t grad_plane, grad_floats; /* of gradients: a position's, a panel's */
    size_t *offset;                 /* [chunk] of a tile in a position of V */
} wino;

/* --- forward, and gradients of inputs, which are forward with turned weights */

typedef struct product_call {
    const wino *d;
    const act *src;
    const float *weight, *bias;
    act *dst;
    float *u, *v, *m; /* weights' transforms; of each thread: V, and the products */
    float *parts;     /* [n_chunk][2][o]: sums of dst; NULL: not wanted */
    bool is_streamed;
} product_call;

static void multiply(const wino *d, const float *u, const adn_wino_map *v, const adn_wino_map *m,
                     size_t n_tile, size_t n_panel)
{
    static const float no_bias[TILE_WIDTH];
    static const size_t no_tap = 0;

    for (size_t p = 0; p < WINO_POSITIONS; p++) {
        for (size_t panel = 0; panel < n_panel; panel++) {
            for (size_t k = 0; k < tile_count(n_tile); k++) {
                size_t t = tile_begin(n_tile, k), n_row = tile_begin(n_tile, k + 1) - t;
                adn_tile_product(n_row, v->at + p * v->stride, d->offset + t, &no_tap, 1,
                                 d->map.v.c, u + panel * d->u_floats + p * d->plane, no_bias,
                                 m->at + p * m->stride + t * m->row + panel * TILE_WIDTH, m->row);
            }
        }
    }
}

static void take_panels(const wino *d, const float *weight, size_t first, size_t n, float *u)
{
    size_t panel = WEIGHTS_OF_KERNEL * d->map.v.c * TILE_WIDTH;

    for (size_t k = 0; k < n; k++)
        adn_wino_take_weight(weight + (first + k) * panel, d->map.v.c, u + k * d->u_floats,
                             d->plane);
}

static void chunk_product(const product_call *c, size_t chunk)
{
    const wino *d = c->d;
    size_t me = (size_t)omp_get_thread_num(),
           first = fast_share_begin(d->map.n_tile, d->n_chunk, chunk);
    size_t n = fast_share_begin(d->map.n_tile, d->n_chunk, chunk + 1) - first;
    adn_wino_map v = d->v, m = d->m;

    float *sum = c->parts == NULL ? NULL : c->parts + chunk * 2 * d->map.v.o;
    float *square = sum == NULL ? NULL : sum + d->map.v.o;

    if (sum != NULL) memset(sum, 0, 2 * d->map.v.o * sizeof(*sum));
    v.at = c->v + me * d->v_floats;
    m.at = c->m + me * d->m_floats;
    adn_wino_take_src(&d->map, c->src, first, n, &v);
    for (size_t g = 0; g < d->n_group; g++) {
        size_t panel = g * d->group, n_panel = ADN_MIN(d->group, d->n_panel - panel);
        float *u = c->u + (d->is_fly ? me * d->group : panel) * d->u_floats;
        if (d->is_fly) take_panels(d, c->weight, panel, n_panel, u);
        multiply(d, u, &v, &m, n, n_panel);
        adn_wino_dst dst = {first,
                            n,
                            panel * TILE_WIDTH,
                            ADN_MIN(n_panel * TILE_WIDTH, d->map.v.o - panel * TILE_WIDTH),
                            c->bias,
                            c->dst,
                            sum,
                            square,
                            c->is_streamed};
        adn_wino_give_dst(&d->map, &m, &dst);
    }
}

static void run_product(product_call *c)
{
    const wino *d = c->d;
    const adn_conv *v = &d->map.v;

    c->is_streamed = act_streams(c->dst, v->n * v->h_out * v->w_out, v->o);

#pragma omp parallel
    {
        if (!d->is_fly) {
#pragma omp for schedule(static)
            for (size_t p = 0; p < d->n_panel; p++)
                take_panels(d, c->weight, p, 1, c->u + p * d->u_floats);
        }
#pragma omp for schedule(static)
        for (size_t k = 0; k < d->n_chunk; k++) chunk_product(c, k);
    }
}

static size_t u_floats(const wino *d, size_t team)
{
    return (d->is_fly ? team * d->group : d->n_panel) * d->u_floats;
}

static product_call product_of(const wino *d, const adn_op_args *args, float *workspace)
{
    size_t team = (size_t)omp_get_max_threads();
    product_call c = {.d = d, .bias = args->p[ADN_BIAS], .u = workspace};

    c.v = c.u + u_floats(d, team);
    c.m = c.v + team * d->v_floats;
    return c;
}

static adn_status run_fwd(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t team = (size_t)omp_get_max_threads();
    product_call c = product_of(op->impl, args, args->p[ADN_WORKSPACE]);

    c.src = args->p[ADN_SRC];
    c.weight = args->p[ADN_WEIGHT];
    c.dst = args->p[ADN_DST];
    if (args->p[ADN_SUMS] != NULL) c.parts = c.m + team * c.d->m_floats;
    run_product(&c);
    if (c.parts != NULL) adn_moments_add_up(args->p[ADN_SUMS], c.parts, c.d->n_chunk, c.d->map.v.o);
    return ADN_OK;
}

static size_t back_floats(const wino *d)
{
    return fast_round_up(adn_panels_back_floats(d->panels), FAST_LINE);
}

static adn_status run_grad_src(const adn_cpu_op *op, const adn_op_args *args)
{
    const wino *d = op->impl;
    float *back = args->p[ADN_WORKSPACE];
    product_call c = product_of(d, args, back + back_floats(d));

    adn_panels_turn(d->panels, back, args->p[ADN_WEIGHT]);
    c.src = args->p[ADN_GRAD_DST];
    c.weight = back;
    c.dst = args->p[ADN_GRAD_SRC];
    c.bias = NULL;
    run_product(&c);
    return ADN_OK;
}

static void plan_product(adn_cpu_op *op, wino *d)
{
    size_t team = (size_t)omp_get_max_threads(), c = d->map.v.c, width = d->group * TILE_WIDTH;

    d->m.row = fast_odd_lines(width);
    d->m.stride = fast_odd_lines(d->chunk * d->m.row);
    d->m_floats = WINO_POSITIONS * d->m.stride;
    d->plane = fast_odd_lines(c * TILE_WIDTH);
    d->u_floats = WINO_POSITIONS * d->plane;
    size_t floats =
        u_floats(d, team) + team * (d->v_floats + d->m_floats) + d->n_chunk * 2 * d->map.v.o;
    op->run = run_fwd;
    if (op->base.desc.kind == ADN_OP_CONV_GRAD_SRC) {
        op->run = run_grad_src;
        floats += back_floats(d);
    }
    op->base.workspace_bytes = floats * sizeof(float);
}

/* --- gradients of weights */

typedef struct grad_call {
    const wino *d;
    const act *src, *grad;
    float *grad_weight;
    double *bias; /* [n_panel][width]: sums of grad */
    float *v;     /* of all threads together */
    float *w;     /* of each thread: a group's gradients, transformed */
    float
        *sums; /* [panel][position][input][width]; with a single chunk, of each thread a group's */
} grad_call;

/* sums of a position += V' W over a chunk's tiles; of the first chunk, =. */
static void outer(const wino *d, const float *v, const float *w, size_t n_tile, bool is_first,
                  float *sums)
{
    size_t c = d->map.v.c;

    for (size_t k = 0; k < tile_count(c); k++) {
        size_t i = tile_begin(c, k), n_row = tile_begin(c, k + 1) - i;
        adn_tile_outer(n_row, v + i, d->offset, w, n_tile, is_first, sums + i * TILE_WIDTH);
    }
}

static void grad_group(const grad_call *c, size_t chunk, size_t first, size_t n_tile, size_t group)
{
    const wino *d = c->d;
    size_t me = (size_t)omp_get_thread_num(), panel = group * d->group;
    size_t n_panel = ADN_MIN(d->group, d->n_panel - panel), weights = d->map.v.c * TILE_WIDTH;
    float *w = c->w + me * d->group * d->grad_floats;
    float *sums = c->sums + (d->n_chunk == 1 ? me * d->group : panel) * d->u_floats;

    for (size_t k = 0; k < n_panel; k++) {
        float total[TILE_WIDTH] = {0};
        double *bias = c->bias + (panel + k) * TILE_WIDTH;
        adn_wino_take_grad(&d->map, c->grad, first, n_tile, (panel + k) * TILE_WIDTH,
                           w + k * d->grad_floats, d->grad_plane, total);
        for (size_t i = 0; i < TILE_WIDTH; i++)
            bias[i] = (chunk == 0 ? 0 : bias[i]) + (double)total[i];
    }
    for (size_t p = 0; p < WINO_POSITIONS; p++) {
        for (size_t k = 0; k < n_panel; k++) {
            outer(d, c->v + p * d->v.stride, w + k * d->grad_floats + p * d->grad_plane, n_tile,
                  chunk == 0, sums + k * d->u_floats + p * d->plane);
        }
    }
    for (size_t k = 0; k < n_panel && chunk + 1 == d->n_chunk; k++)
        adn_wino_give_weight(sums + k * d->u_floats, d->plane, d->map.v.c,
                             c->grad_weight + (panel + k) * WEIGHTS_OF_KERNEL * weights);
}

static void run_grad(const grad_call *c)
{
    const wino *d = c->d;

#pragma omp parallel
    for (size_t chunk = 0; chunk < d->n_chunk; chunk++) {
        size_t first = fast_share_begin(d->map.n_tile, d->n_chunk, chunk);
        size_t n = fast_share_begin(d->map.n_tile, d->n_chunk, chunk + 1) - first;
#pragma omp for schedule(static)
        for (size_t t = 0; t < n; t++) {
            const adn_wino_map v = {c->v + t * d->v.row, d->v.stride, d->v.row};
            adn_wino_take_src(&d->map, c->src, first + t, 1, &v);
        }
#pragma omp for schedule(static)
        for (size_t g = 0; g < d->n_group; g++) grad_group(c, chunk, first, n, g);
    }
}

static adn_status run_grad_param(const adn_cpu_op *op, const adn_op_args *args)
{
    const wino *d = op->impl;
    size_t team = (size_t)omp_get_max_threads();
    grad_call c = {.d = d,
                   .src = args->p[ADN_SRC],
                   .grad = args->p[ADN_GRAD_DST],
                   .grad_weight = args->p[ADN_GRAD_WEIGHT],
                   .bias = args->p[ADN_WORKSPACE]};
    float *grad_bias = args->p[ADN_GRAD_BIAS];

    c.v = (float *)(c.bias + d->n_panel * TILE_WIDTH);
    c.w = c.v + d->v_floats;
    c.sums = c.w + team * d->group * d->grad_floats;
    run_grad(&c);
    for (size_t o = 0; grad_bias != NULL && o < d->map.v.o; o++) grad_bias[o] = (float)c.bias[o];
    return ADN_OK;
}

static void plan_grad(adn_cpu_op *op, wino *d)
{
    size_t team = (size_t)omp_get_max_threads();

    d->plane = fast_odd_lines(d->map.v.c * TILE_WIDTH);
    d->u_floats = WINO_POSITIONS * d->plane;
    d->grad_plane = fast_odd_lines(d->chunk * TILE_WIDTH);
    d->grad_floats = WINO_POSITIONS * d->grad_plane;
    size_t n_sum = d->n_chunk == 1 ? team * d->group : d->n_panel;
    op->base.workspace_bytes =
        d->n_panel * TILE_WIDTH * sizeof(double) +
        (d->v_floats + team * d->group * d->grad_floats + n_sum * d->u_floats) * sizeof(float);
    op->run = run_grad_param;
}

/* --- planning */

/* What `conv: auto` takes: where a tile's four rows and columns are used, and there are products
 * enough to pay for the transforms. */
static bool pays(const adn_conv *v)
{
    return v->h_out >= 3 && v->w_out >= 3 && v->c >= 16 && v->o >= 16;
}

static void cut(wino *d, bool is_grad)
{
    size_t team = (size_t)omp_get_max_threads(), n = d->map.n_tile, outputs = GROUP_OUTPUTS;
    size_t small = is_grad ? GRAD_CHUNK_SMALL : CHUNK_SMALL;
    size_t fit = CHUNK_FLOATS / (WINO_POSITIONS * d->v.row);
    size_t large = n <= CHUNK_WHOLE ? CHUNK_WHOLE : CHUNK_LARGE;

    d->n_chunk = fast_parts(n, fit >= CHUNK_SMALL ? ADN_MAX(fit, small) : large);
    if (!is_grad) d->n_chunk = ADN_MIN(n, fast_round_up(d->n_chunk, team));
    d->chunk = fast_parts(n, d->n_chunk);
    d->is_fly = d->n_chunk <= team;
    d->group = ADN_MAX(1, ADN_MIN(outputs / TILE_WIDTH, d->n_panel / team));
    d->n_group = fast_parts(d->n_panel, d->group);
}

adn_status adn_wino_plan(adn_cpu_op *op)
{
    const adn_op_desc *desc = &op->base.desc;
    const adn_panels *panels = adn_panels_of(desc->layout);
    bool is_grad = desc->kind == ADN_OP_CONV_GRAD_PARAM;
    const adn_conv v = adn_conv_of(desc);

    if (panels == NULL || desc->u.conv.kernel != 3 || adn_shape_count(desc->src) == 0)
        return ADN_END;
    if (desc->u.conv.algo == ADN_CONV_DIRECT || (desc->u.conv.algo == ADN_CONV_AUTO && !pays(&v)))
        return ADN_END;
    wino s = {.map = {.v = v,
                      .tiles_y = fast_parts(v.h_out, WINO_TILE),
                      .tiles_x = fast_parts(v.w_out, WINO_TILE)},
              .panels = panels,
              .n_panel = fast_parts(v.o, TILE_WIDTH)};
    s.map.n_tile = v.n * s.map.tiles_y * s.map.tiles_x;
    op->base.macs = (double)(WINO_POSITIONS * s.map.n_tile) * (double)(v.c * v.o);
    s.v.row = fast_odd_lines(v.c);
    cut(&s, is_grad);
    s.v.stride = fast_odd_lines(s.chunk * s.v.row);
    s.v_floats = WINO_POSITIONS * s.v.stride;

    size_t zeros = fast_round_up(v.c, FAST_LINE);
    wino *d = adn_alloc(sizeof(*d) + s.chunk * sizeof(*d->offset) + zeros * sizeof(act));
    if (d == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a plan");
    *d = s;
    d->offset = (size_t *)(d + 1);
    d->map.zeros = (const act *)(d->offset + d->chunk);
    for (size_t t = 0; t < d->chunk; t++) d->offset[t] = t * d->v.row;
    op->impl = d;
    op->impl_free = adn_free;
    if (is_grad)
        plan_grad(op, d);
    else
        plan_product(op, d);
    return ADN_OK;
}
