/* Convolutions and linear layers over bf16 by tiles' products (amx_map.h): forward, gradients of
 * inputs, planning. Every sum has an order of its own: the bits depend on the team in the sums for
 * norms alone, whose parts are blocks'. */
#include <omp.h>
#include <string.h>

#include "device/cpu/act.h"
#include "device/cpu/amx.h"
#include "device/cpu/fast_moments.h"

/* Bytes of a block's inputs: half of a second-level cache, with a panel of weights beside it. */
enum { BLOCK_BYTES = 1 << 20 };

typedef struct product_call {
    const adn_amx *d;
    adn_amx_rows rows; /* of src */
    const float *weight, *bias;
    adn_bf16 *dst;
    adn_bf16 *packed;  /* all panels; or, if they are packed on the fly, one of each thread */
    adn_bf16 *inputs;  /* of each thread */
    adn_amx_run *runs; /* of each thread */
    float *parts;      /* [n_block][2][o]: sums of dst; NULL: not wanted */
} product_call;

/* A panel's outputs of a block. */
typedef struct panel_call {
    const product_call *c;
    const adn_amx_block *block;
    const adn_bf16 *inputs, *weight;
    adn_amx_run *runs;
    size_t first, n; /* outputs */
    vec bias[2], sum[2], square[2];
} panel_call;

/* The taps inside for output place y, x of the block's g-th group: gives how many. */
static size_t find_runs(const panel_call *p, size_t g, size_t y, size_t x)
{
    const adn_amx_map *m = &p->c->d->map;
    size_t place = adn_amx_steps(m->n_in) * STEP, n = 0, y_in, x_in;

    for (size_t ky = 0; ky < m->kernel; ky++) {
        if (!adn_amx_source(m, y, ky, m->h, &y_in)) continue;
        size_t row = (g * m->h_in + y_in - p->block->y_in) * m->w_in;
        for (size_t kx = 0; kx < m->taps_x; kx++)
            if (adn_amx_source_x(m, x, kx, &x_in))
                p->runs[n++] = (adn_amx_run){(row + x_in) * place, (ky * m->taps_x + kx) * place};
    }
    return n;
}

/* sums[SIDE images][SIDE outputs] -> dst, for `n` images that begin at dst. */
static void give(panel_call *p, const float *sums, size_t n, adn_bf16 *dst)
{
    const adn_amx_map *m = &p->c->d->map;
    size_t stride = m->h_out * m->w_out * m->o;
    __mmask32 mask = p->n < SIDE ? ((__mmask32)1 << p->n) - 1 : ~(__mmask32)0;

    for (; n > 0; n--, sums += SIDE, dst += stride) {
        vec low = vec_load(sums) + p->bias[0], high = vec_load(sums + HALF) + p->bias[1];
        _mm512_mask_storeu_epi16(dst, mask, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        p->sum[0] += low;
        p->sum[1] += high;
        p->square[0] = vec_fma(low, low, p->square[0]);
        p->square[1] = vec_fma(high, high, p->square[1]);
    }
}

static void give_moments(const panel_call *p, float *part)
{
    float sum[2][SIDE];

    for (size_t half = 0; half < 2; half++) {
        vec_store(sum[0] + half * HALF, p->sum[half]);
        vec_store(sum[1] + half * HALF, p->square[half]);
    }
    memcpy(part + p->first, sum[0], p->n * sizeof(*part));
    memcpy(part + p->c->d->map.o + p->first, sum[1], p->n * sizeof(*part));
}

static void panel_product(panel_call *p)
{
    const adn_amx_map *m = &p->c->d->map;
    const adn_amx_block *b = p->block;
    float sums[STEP], bias[SIDE] = {0};

    if (p->c->bias != NULL) memcpy(bias, p->c->bias + p->first, p->n * sizeof(*bias));
    for (size_t half = 0; half < 2; half++) {
        p->bias[half] = vec_load(bias + half * HALF);
        p->sum[half] = p->square[half] = vec_spread(0);
    }
    for (size_t g = 0; g < b->n_group; g++) {
        size_t image = (b->group + g) * SIDE, n = ADN_MIN(SIDE, m->n - image);
        for (size_t y = b->y; y < b->y + b->n_y; y++) {
            for (size_t x = 0; x < m->w_out; x++) {
                size_t n_run = find_runs(p, g, y, x);
                adn_amx_product(p->runs, n_run, adn_amx_steps(m->n_in), p->inputs, p->weight, true,
                                sums);
                give(p, sums, n,
                     p->c->dst + ((image * m->h_out + y) * m->w_out + x) * m->o + p->first);
            }
        }
    }
}

/* A block's panels from .. to. */
static void block_product(const product_call *c, size_t block, size_t from, size_t to)
{
    const adn_amx *d = c->d;
    const adn_amx_map *m = &d->map;
    const adn_amx_block b = adn_amx_map_at(m, block);
    size_t me = (size_t)omp_get_thread_num(), row = m->w_in * adn_amx_steps(m->n_in) * STEP;
    adn_bf16 *inputs = c->inputs + me * d->inputs;
    panel_call p = {.c = c, .block = &b, .inputs = inputs, .runs = c->runs + me * d->n_run};

    for (size_t g = 0; g < b.n_group; g++)
        for (size_t y = 0; y < b.n_y_in; y++)
            adn_amx_take_left(&c->rows, b.group + g, b.y_in + y, inputs + (g * m->h_in + y) * row);
    for (size_t panel = from; panel < to; panel++) {
        adn_bf16 *weight = c->packed + (d->is_fly ? me : panel) * d->panel;
        if (d->is_fly) adn_amx_pack(m, d->panels, c->weight, panel, weight);
        p.weight = weight;
        p.first = panel * SIDE;
        p.n = ADN_MIN(SIDE, m->o - p.first);
        panel_product(&p);
        if (c->parts != NULL) give_moments(&p, c->parts + block * 2 * m->o);
    }
}

static void product(const product_call *c)
{
    const adn_amx *d = c->d;
    /* Fewer blocks than threads: several share each and take some panels. */
    size_t n_block = d->map.n_block, team = (size_t)omp_get_max_threads();
    size_t n_share = ADN_MIN(fast_parts(team, n_block), d->n_panel);

#pragma omp parallel
    {
        if (!d->is_fly) {
#pragma omp for schedule(static)
            for (size_t panel = 0; panel < d->n_panel; panel++)
                adn_amx_pack(&d->map, d->panels, c->weight, panel, c->packed + panel * d->panel);
        }
        adn_amx_begin();
#pragma omp for schedule(static)
        for (size_t task = 0; task < n_block * n_share; task++) {
            size_t share = task % n_share;
            block_product(c, task / n_share, fast_share_begin(d->n_panel, n_share, share),
                          fast_share_begin(d->n_panel, n_share, share + 1));
        }
        adn_amx_end();
    }
}

static adn_status run_product(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_amx *d = op->impl;
    size_t team = (size_t)omp_get_max_threads();
    bool is_back = d->map.is_back;
    product_call c = {.d = d,
                      .rows = adn_amx_rows_of(&d->map, args->p[is_back ? ADN_GRAD_DST : ADN_SRC]),
                      .weight = args->p[ADN_WEIGHT],
                      .bias = is_back ? NULL : args->p[ADN_BIAS],
                      .dst = args->p[is_back ? ADN_GRAD_SRC : ADN_DST],
                      .runs = args->p[ADN_WORKSPACE]};

    c.packed = (adn_bf16 *)(c.runs + team * d->n_run);
    c.inputs = c.packed + (d->is_fly ? team : d->n_panel) * d->panel;
    if (args->p[ADN_SUMS] != NULL) c.parts = (float *)(c.inputs + team * d->inputs);
    product(&c);
    if (c.parts != NULL) adn_moments_add_up(args->p[ADN_SUMS], c.parts, d->map.n_block, d->map.o);
    return ADN_OK;
}

static void plan_product(adn_cpu_op *op, adn_amx *d)
{
    size_t team = (size_t)omp_get_max_threads();
    adn_amx_map *m = &d->map;
    size_t place = adn_amx_steps(m->n_in) * STEP;

    adn_amx_map_cut(m, place * sizeof(adn_bf16), 0, BLOCK_BYTES, 1);
    /* A single block is shared by its panels, so that each is read once, if there are enough. */
    if (m->n_block > 1 || d->n_panel < 2 * team)
        adn_amx_map_cut(m, place * sizeof(adn_bf16), 0, BLOCK_BYTES, team);
    d->inputs = m->groups * m->h_in * m->w_in * place;
    d->panel = adn_amx_panel(m);
    d->is_fly = m->n_block == 1;
    d->n_run = fast_round_up(m->kernel * m->taps_x, FAST_LINE);
    op->base.workspace_bytes =
        team * d->n_run * sizeof(adn_amx_run) +
        ((d->is_fly ? team : d->n_panel) * d->panel + team * d->inputs) * sizeof(adn_bf16) +
        m->n_block * 2 * m->o * sizeof(float);
    op->run = run_product;
}

/* --- planning */

/* An empty batch: sums over nothing. */
static adn_status run_empty(const adn_cpu_op *op, const adn_op_args *args)
{
    fast_zero_sums(&op->base.desc, args);
    return ADN_OK;
}

static bool wants_winograd(const adn_op_desc *d)
{
    return d->kind <= ADN_OP_CONV_GRAD_PARAM && d->u.conv.algo == ADN_CONV_WINOGRAD &&
           d->u.conv.kernel == 3 && d->u.conv.stride == 1;
}

adn_status adn_amx_plan(adn_cpu_op *op)
{
    const adn_op_desc *desc = &op->base.desc;
    const adn_panels *panels = adn_panels_of(desc->layout);

    if (panels == NULL || wants_winograd(desc)) return ADN_END;
    if (adn_shape_count(desc->src) == 0) {
        op->run = run_empty;
        return ADN_OK;
    }
    adn_amx *d = adn_alloc(sizeof(*d));
    if (d == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a plan");
    op->impl = d;
    op->impl_free = adn_free;
    d->map = adn_amx_map_of(desc);
    d->panels = panels;
    d->n_panel = fast_parts(d->map.o, SIDE);
    op->base.macs = adn_amx_map_macs(&d->map);
    op->base.factor = ADN_BF16;
    if (desc->kind == ADN_OP_CONV_GRAD_PARAM || desc->kind == ADN_OP_LINEAR_GRAD_PARAM)
        adn_amx_plan_grad(op, d);
    else
        plan_product(op, d);
    return ADN_OK;
}
