/* Gradients of weights over bf16 by tiles' products (amx_map.h): for each tap, the outputs'
 * gradients, turned, times the inputs, summed over places and images. Inputs and outputs are taken
 * in ranges, whose sums stay in a second-level cache while all blocks of places pass by. Every sum
 * has an order of its own: the bits do not depend on the team. */
#include <omp.h>
#include <string.h>

#include "device/cpu/amx.h"

/* Bytes of a range's sums, and of a block's factors: a quarter and half of such a cache. */
enum { SUMS_BYTES = 640 << 10, FACTORS_BYTES = 1024 << 10 };

typedef struct grad_call {
    const adn_amx *d;
    adn_amx_rows src, grad; /* the range's */
    float *grad_weight, *grad_bias;
    adn_amx_run *runs;      /* of each thread */
    adn_bf16 *left, *right; /* of grad: [panel][groups][rows][w_out]; of src: [step][..] */
    float *sums;            /* [tap][panel][step][SIDE outputs][SIDE inputs] */
    size_t block;
    adn_amx_block b;
} grad_call;

/* Rows of the block's factors, its inputs' first: row k of all. */
static void take_row(const grad_call *c, size_t k)
{
    const adn_amx_map *m = &c->d->map;
    const adn_amx_block *b = &c->b;
    size_t n_src = b->n_group * b->n_y_in;

    if (k < n_src) {
        size_t g = k / b->n_y_in, y = k % b->n_y_in;
        adn_amx_take_right(&c->src, b->group + g, b->y_in + y,
                           c->right + (g * m->h_in + y) * m->w_in * STEP);
    } else {
        size_t g = (k - n_src) / b->n_y, y = (k - n_src) % b->n_y;
        adn_bf16 *to = c->left + (g * m->rows + y) * m->w_out * STEP;
        adn_amx_take_right(&c->grad, b->group + g, b->y + y, to);
        for (size_t panel = 0; panel < c->grad.n_step; panel++)
            adn_amx_turn(to + panel * c->grad.plane, m->w_out);
    }
}

/* The block's places whose tap ky, kx is inside: gives how many. */
static size_t find_runs(const grad_call *c, size_t ky, size_t kx, adn_amx_run *runs)
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
                    runs[n++] = (adn_amx_run){(to + x) * STEP, (from + x_in) * STEP};
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

/* A tap's gradients of a panel of the range. */
static void grad_tap(const grad_call *c, size_t tap, size_t panel)
{
    const adn_amx_map *m = &c->d->map;
    adn_amx_run *runs = c->runs + (size_t)omp_get_thread_num() * c->d->n_run;
    size_t n_run = find_runs(c, tap / m->taps_x, tap % m->taps_x, runs);
    size_t n_tap = m->kernel * m->taps_x;
    float *weight = c->grad_weight + ((c->grad.first + panel) * n_tap + tap) * m->n_in * SIDE;
    float one[STEP];

    for (size_t k = 0; k < c->src.n_step; k++) {
        size_t i = (c->src.first + k) * SIDE;
        float *sums = one;
        if (m->n_block > 1)
            sums = c->sums + ((tap * c->grad.n_step + panel) * c->src.n_step + k) * STEP;
        adn_amx_product(runs, n_run, 1, c->left + panel * c->grad.plane,
                        c->right + k * c->src.plane, c->block == 0, sums);
        if (c->block + 1 == m->n_block) give(sums, ADN_MIN(SIDE, m->n_in - i), weight + i * SIDE);
    }
}

/* The gradients of a panel's biases: times ones. */
static void grad_bias(const grad_call *c, size_t panel)
{
    const adn_amx_map *m = &c->d->map;
    adn_amx_run *runs = c->runs + (size_t)omp_get_thread_num() * c->d->n_run;
    size_t first = (c->grad.first + panel) * SIDE, n = 0;
    float sums[STEP];

    for (size_t g = 0; g < c->b.n_group; g++)
        for (size_t k = 0; k < c->b.n_y * m->w_out; k++)
            runs[n++].left = (g * m->rows * m->w_out + k) * STEP;
    for (size_t k = 0; k < n; k++) runs[k].right = 0;
    adn_amx_product(runs, n, 1, c->left + panel * c->grad.plane, c->d->ones, true, sums);
    for (size_t o = 0; o < ADN_MIN(SIDE, m->o - first); o++)
        c->grad_bias[first + o] = (c->block == 0 ? 0 : c->grad_bias[first + o]) + sums[o * SIDE];
}

/* A range, by the calling thread of a team. */
static void grad_range(grad_call *c)
{
    const adn_amx_map *m = &c->d->map;
    size_t n_item = m->kernel * m->taps_x * c->grad.n_step;

    for (c->block = 0; c->block < m->n_block; c->block++) {
        c->b = adn_amx_map_at(m, c->block);
#pragma omp for schedule(static)
        for (size_t k = 0; k < c->b.n_group * (c->b.n_y_in + c->b.n_y); k++) take_row(c, k);
#pragma omp for schedule(static)
        for (size_t k = 0; k < n_item; k++) grad_tap(c, k / c->grad.n_step, k % c->grad.n_step);
        if (c->grad_bias == NULL || c->src.first > 0) continue;
#pragma omp for schedule(static)
        for (size_t k = 0; k < c->grad.n_step; k++) grad_bias(c, k);
    }
}

static adn_status run_grad(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_amx *d = op->impl;
    const adn_amx_map *m = &d->map;
    size_t team = (size_t)omp_get_max_threads(), n_step = adn_amx_steps(m->n_in);
    grad_call all = {.d = d,
                     .src = adn_amx_rows_of(m, args->p[ADN_SRC]),
                     .grad = {.map = args->p[ADN_GRAD_DST],
                              .n = m->n,
                              .h = m->h_out,
                              .row = m->w_out * m->o,
                              .places = m->w_out,
                              .step = m->o,
                              .n_in = m->o,
                              .place = STEP,
                              .plane = d->left / d->outs},
                     .grad_weight = args->p[ADN_GRAD_WEIGHT],
                     .grad_bias = args->p[ADN_GRAD_BIAS],
                     .runs = args->p[ADN_WORKSPACE]};

    all.src.place = STEP;
    all.src.plane = d->right / d->steps;
    all.left = (adn_bf16 *)(all.runs + team * d->n_run);
    all.right = all.left + d->left;
    all.sums = (float *)(all.right + d->right);
#pragma omp parallel
    {
        grad_call c = all;
        adn_amx_begin();
        for (c.grad.first = 0; c.grad.first < d->n_panel; c.grad.first += d->outs) {
            c.grad.n_step = ADN_MIN(d->outs, d->n_panel - c.grad.first);
            for (c.src.first = 0; c.src.first < n_step; c.src.first += d->steps) {
                c.src.n_step = ADN_MIN(d->steps, n_step - c.src.first);
                grad_range(&c);
            }
        }
        adn_amx_end();
    }
    return ADN_OK;
}

/* Of n, nearly equal parts of at most `most`. */
static size_t share_of(size_t n, size_t most)
{
    return fast_parts(n, fast_parts(n, most));
}

void adn_amx_plan_grad(adn_cpu_op *op, adn_amx *d)
{
    adn_amx_map *m = &d->map;
    size_t team = (size_t)omp_get_max_threads(), n_tap = m->kernel * m->taps_x, side = 1;
    size_t n_square = SUMS_BYTES / (n_tap * STEP * sizeof(float));

    while ((side + 1) * (side + 1) <= n_square) side++;
    d->steps = share_of(adn_amx_steps(m->n_in), side);
    d->outs = share_of(d->n_panel, ADN_MAX(n_square / d->steps, 1));
    adn_amx_map_cut(m, d->steps * STEP * sizeof(adn_bf16), d->outs * STEP * sizeof(adn_bf16),
                    FACTORS_BYTES, 1);
    d->left = m->groups * m->rows * m->w_out * d->outs * STEP;
    d->right = m->groups * m->h_in * m->w_in * d->steps * STEP;
    d->n_run = fast_round_up(m->groups * m->rows * m->w_out, FAST_LINE);
    for (size_t k = 0; k < STEP; k++) d->ones[k] = adn_bf16_of(1);
    size_t n_sum = m->n_block > 1 ? n_tap * d->outs * d->steps * STEP : 0;
    op->base.workspace_bytes = team * d->n_run * sizeof(adn_amx_run) +
                               (d->left + d->right) * sizeof(adn_bf16) + n_sum * sizeof(float);
    op->run = run_grad;
}
