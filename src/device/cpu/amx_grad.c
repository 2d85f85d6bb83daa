/* Gradients of weights over bf16 by tiles' products (amx_map.h): for each tap, the outputs'
 * gradients, turned, times the inputs, summed over places and images. Inputs and outputs are taken
 * in ranges, whose sums stay in a second-level cache while all blocks of places pass by; threads
 * share the ranges, each with factors of its own. Every sum has one order, that of groups, then
 * rows, then places, whatever the ranges and blocks: the bits do not depend on the team. */
#include <omp.h>
#include <string.h>

#include "device/cpu/amx.h"

/* Bytes of a range's sums, and of a block's factors: a quarter and half of such a cache. */
enum { SUMS_BYTES = 640 << 10, FACTORS_BYTES = 1024 << 10 };

typedef struct grad_call {
    const adn_amx *d;
    adn_amx_rows src, grad; /* the range's */
    float *grad_weight, *grad_bias;
    /* A thread's: */
    adn_amx_run *runs;
    adn_bf16 *left, *right; /* of grad: [panel][groups][rows][w_out]; of src: [step][..] */
    float *sums; /* [tap][panel][step][SIDE outputs][SIDE inputs]; then biases', [panel][..] */
    size_t block;
    adn_amx_block b;
} grad_call;

/* The k-th of n nearly equal ranges of so many steps. */
static void take_range(adn_amx_rows *r, size_t n_step, size_t n, size_t k)
{
    r->first = fast_share_begin(n_step, n, k);
    r->n_step = fast_share_begin(n_step, n, k + 1) - r->first;
}

/* The block's factors. */
static void take_block(const grad_call *c)
{
    const adn_amx_map *m = &c->d->map;
    const adn_amx_block *b = &c->b;

    for (size_t g = 0; g < b->n_group; g++) {
        for (size_t y = 0; y < b->n_y_in; y++)
            adn_amx_take_right(&c->src, b->group + g, b->y_in + y,
                               c->right + (g * m->h_in + y) * m->w_in * STEP);
        for (size_t y = 0; y < b->n_y; y++) {
            adn_bf16 *to = c->left + (g * m->rows + y) * m->w_out * STEP;
            adn_amx_take_right(&c->grad, b->group + g, b->y + y, to);
            for (size_t panel = 0; panel < c->grad.n_step; panel++)
                adn_amx_turn(to + panel * c->grad.plane, m->w_out);
        }
    }
}

/* The block's places whose tap ky, kx is inside: gives how many. */
static size_t find_runs(const grad_call *c, size_t ky, size_t kx)
{
    const adn_amx_map *m = &c->d->map;
    const adn_amx_block *b = &c->b;
    size_t n = 0, y_in, x_in;

    for (size_t g = 0; g < b->n_group; g++) {
        for (size_t y = 0; y < b->n_y; y++) {
            if (!adn_amx_source(m, b->y + y, ky, m->h, &y_in)) continue;
            size_t to = (g * m->rows + y) * m->w_out;
            size_t from = (g * m->h_in + y_in - b->y_in) * m->w_in;
            for (size_t x = 0; x < m->w_out; x++)
                if (adn_amx_source_x(m, x, kx, &x_in))
                    c->runs[n++] = (adn_amx_run){(to + x) * STEP, (from + x_in) * STEP};
        }
    }
    return n;
}

/* sums[SIDE outputs][SIDE inputs] -> n inputs' rows of a panel. */
static void give(const float *sums, size_t n, float *to)
{
    for (size_t o = 0; o < SIDE; o += HALF) {
        for (size_t i = 0; i < SIDE; i += HALF) {
            vec rows[LANES];
            _Pragma("GCC unroll 16") for (size_t k = 0; k < LANES; k++) rows[k] =
                vec_load(sums + (o + k) * SIDE + i);
            vec_turn(rows);
            _Pragma("GCC unroll 16") for (size_t k = 0; k < LANES; k++) if (i + k < n)
                vec_store(to + (i + k) * SIDE + o, rows[k]);
        }
    }
}

/* A tap's gradients: kept[panel][step], if more blocks are to come. */
static void grad_tap(const grad_call *c, size_t tap, float *kept)
{
    const adn_amx_map *m = &c->d->map;
    size_t n_run = find_runs(c, tap / m->taps_x, tap % m->taps_x);
    size_t n_tap = m->kernel * m->taps_x;
    float one[STEP];

    for (size_t panel = 0; panel < c->grad.n_step; panel++) {
        float *to = c->grad_weight + ((c->grad.first + panel) * n_tap + tap) * m->n_in * SIDE;
        for (size_t k = 0; k < c->src.n_step; k++, kept += STEP) {
            size_t i = (c->src.first + k) * SIDE;
            float *sums = m->n_block > 1 ? kept : one;
            adn_amx_product(c->runs, n_run, 1, c->left + panel * c->grad.plane,
                            c->right + k * c->src.plane, c->block == 0, sums);
            if (c->block + 1 == m->n_block) give(sums, ADN_MIN(SIDE, m->n_in - i), to + i * SIDE);
        }
    }
}

/* The gradients of biases: times ones. kept[panel], if more blocks are to come. */
static void grad_bias(const grad_call *c, float *kept)
{
    const adn_amx_map *m = &c->d->map;
    size_t n = 0;
    float one[STEP];

    for (size_t g = 0; g < c->b.n_group; g++)
        for (size_t k = 0; k < c->b.n_y * m->w_out; k++)
            c->runs[n++] = (adn_amx_run){(g * m->rows * m->w_out + k) * STEP, 0};
    for (size_t panel = 0; panel < c->grad.n_step; panel++, kept += STEP) {
        size_t first = (c->grad.first + panel) * SIDE, n_out = ADN_MIN(SIDE, m->o - first);
        float *sums = m->n_block > 1 ? kept : one;
        adn_amx_product(c->runs, n, 1, c->left + panel * c->grad.plane, c->d->ones, c->block == 0,
                        sums);
        for (size_t o = 0; o < n_out; o++) c->grad_bias[first + o] = sums[o * SIDE];
    }
}

/* A task: a range of inputs, one of outputs, one of taps. */
static void grad_task(const grad_call *all, size_t task)
{
    const adn_amx *d = all->d;
    const adn_amx_map *m = &d->map;
    size_t n_tap = m->kernel * m->taps_x, me = (size_t)omp_get_thread_num();
    size_t tap = task % d->n_taps, step = task / d->n_taps % d->n_steps;
    size_t out = task / d->n_taps / d->n_steps, first = fast_share_begin(n_tap, d->n_taps, tap);
    size_t last = fast_share_begin(n_tap, d->n_taps, tap + 1);
    size_t squares = fast_parts(n_tap, d->n_taps) * d->outs * d->steps; /* at most */
    grad_call c = *all;

    c.runs += me * d->n_run;
    c.left += me * (d->left + d->right);
    c.right += me * (d->left + d->right);
    c.sums += me * d->sums;
    take_range(&c.src, adn_amx_steps(m->n_in), d->n_steps, step);
    take_range(&c.grad, d->n_panel, d->n_outs, out);
    for (c.block = 0; c.block < m->n_block; c.block++) {
        c.b = adn_amx_map_at(m, c.block);
        take_block(&c);
        for (size_t t = first; t < last; t++)
            grad_tap(&c, t, c.sums + (t - first) * c.grad.n_step * c.src.n_step * STEP);
        if (c.grad_bias != NULL && step == 0 && tap == 0) grad_bias(&c, c.sums + squares * STEP);
    }
}

static adn_status run_grad(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_amx *d = op->impl;
    const adn_amx_map *m = &d->map;
    size_t team = (size_t)omp_get_max_threads();
    grad_call c = {.d = d,
                   .src = adn_amx_rows_of(m, args->p[ADN_SRC]),
                   .grad = {.map = args->p[ADN_GRAD_DST],
                            .n = m->n,
                            .h = m->h_out,
                            .row = m->w_out * m->o,
                            .places = m->w_out,
                            .step = m->o,
                            .n_in = m->o,
                            .place = STEP,
                            .plane = m->groups * m->rows * m->w_out * STEP},
                   .grad_weight = args->p[ADN_GRAD_WEIGHT],
                   .grad_bias = args->p[ADN_GRAD_BIAS],
                   .runs = args->p[ADN_WORKSPACE]};

    c.src.place = STEP;
    c.src.plane = m->groups * m->h_in * m->w_in * STEP;
    c.left = (adn_bf16 *)(c.runs + team * d->n_run);
    c.right = c.left + d->left;
    c.sums = (float *)(c.left + team * (d->left + d->right));
#pragma omp parallel
    {
        adn_amx_begin();
#pragma omp for schedule(static)
        for (size_t task = 0; task < d->n_outs * d->n_steps * d->n_taps; task++)
            grad_task(&c, task);
        adn_amx_end();
    }
    return ADN_OK;
}

/* How many ranges: as few as let a range's sums stay in a cache, but a multiple of the team, if
 * there are outputs enough; else also of taps, enough for the team. */
static void plan_ranges(adn_amx *d, size_t n_step, size_t n_tap)
{
    size_t team = (size_t)omp_get_max_threads(), side = 1;
    size_t n_square = ADN_MAX(SUMS_BYTES / (n_tap * STEP * sizeof(float)), 1);

    while ((side + 1) * (side + 1) <= n_square) side++;
    d->n_steps = fast_parts(n_step, side);
    d->steps = fast_parts(n_step, d->n_steps);
    d->n_outs = fast_parts(d->n_panel, ADN_MAX(n_square / d->steps, 1));
    while (d->n_outs * d->n_steps % team != 0 && d->n_outs < d->n_panel) d->n_outs++;
    d->outs = fast_parts(d->n_panel, d->n_outs);
    d->n_taps = ADN_MIN(fast_parts(team, d->n_outs * d->n_steps), n_tap);
}

void adn_amx_plan_grad(adn_cpu_op *op, adn_amx *d)
{
    adn_amx_map *m = &d->map;
    size_t team = (size_t)omp_get_max_threads(), n_tap = m->kernel * m->taps_x;

    plan_ranges(d, adn_amx_steps(m->n_in), n_tap);
    adn_amx_map_cut(m, d->steps * STEP * sizeof(adn_bf16), d->outs * STEP * sizeof(adn_bf16),
                    FACTORS_BYTES, 1);
    d->left = m->groups * m->rows * m->w_out * d->outs * STEP;
    d->right = m->groups * m->h_in * m->w_in * d->steps * STEP;
    if (m->n_block > 1) d->sums = (fast_parts(n_tap, d->n_taps) * d->steps + 1) * d->outs * STEP;
    d->n_run = fast_round_up(m->groups * m->rows * m->w_out, FAST_LINE);
    for (size_t k = 0; k < STEP; k++) d->ones[k] = adn_bf16_of(1);
    op->base.workspace_bytes =
        team * (d->n_run * sizeof(adn_amx_run) + (d->left + d->right) * sizeof(adn_bf16) +
                d->sums * sizeof(float));
    op->run = run_grad;
}
