/* Convolutions between maps of at most 2x2 (fast_places.h): forward, gradients of inputs, planning.
 */
#include "device/cpu/fast_places.h"

#include <omp.h>

#include "device/cpu/fast_moments.h"

/* --- forward, and gradients of inputs, which are forward with turned weights */

typedef struct product_call {
    const adn_places *d;
    const float *src, *weight, *bias;
    float *dst;
    float *turned; /* of each thread: a panel's weights; NULL: weight lies as it is read */
    double *sums;  /* [2][o]: of dst; NULL: not wanted */
} product_call;

/* A panel of a tile of images: the first, how many. */
typedef struct tile {
    size_t image, n_row;
    float dst[PLACES][TILE_ROWS * TILE_WIDTH];
} tile;

/* Floats of a panel's weights. */
static size_t panel_floats(const adn_places *d)
{
    return d->panels->n_tap * d->v.c * TILE_WIDTH;
}

/* A panel's weights turned, but for taps that join no places. */
static const float *turn(const product_call *c, size_t panel)
{
    const adn_places *d = c->d;
    size_t n_tap = d->panels->n_tap, n_i = ADN_MIN(TILE_WIDTH, d->v.o - panel * TILE_WIDTH);
    float *to = c->turned + (size_t)omp_get_thread_num() * panel_floats(d);

    for (size_t o = 0; o < d->v.c; o += TILE_WIDTH) {
        for (size_t k = 0; k < d->n_pair; k++) {
            size_t tap = d->pairs[k].tap, from = o / TILE_WIDTH * n_tap + n_tap - 1 - tap;
            if (k > 0 && d->pairs[k - 1].tap == tap) continue;
            adn_panel_turn(to + (tap * d->v.c + o) * TILE_WIDTH,
                           c->weight + (from * d->v.o + panel * TILE_WIDTH) * TILE_WIDTH,
                           ADN_MIN(TILE_WIDTH, d->v.c - o), n_i);
        }
    }
    return to;
}

static void multiply(const product_call *c, const float *weight, const float *bias, tile *t)
{
    static const size_t no_tap = 0;
    const adn_places *d = c->d;

    for (size_t k = 0; k < d->n_pair; k++) {
        const adn_pair *p = &d->pairs[k];
        adn_tile_product(t->n_row, c->src + p->in * d->v.c, d->offset + t->image, &no_tap, 1,
                         d->v.c, weight + p->tap * d->v.c * TILE_WIDTH, p->is_first ? bias : NULL,
                         t->dst[p->out], TILE_WIDTH);
    }
}

/* Gives the tile's outputs, n from `at` on. */
static void give(const product_call *c, const tile *t, size_t at, size_t n)
{
    const adn_places *d = c->d;

    for (size_t r = 0; r < t->n_row; r++)
        for (size_t out = 0; out < d->n_out; out++)
            memcpy(c->dst + ((t->image + r) * d->n_out + out) * d->v.o + at,
                   t->dst[out] + r * TILE_WIDTH, n * sizeof(*c->dst));
}

/* The sums of n outputs += the tile's. */
static void add_sums(const product_call *c, const tile *t, size_t at, size_t n)
{
    const adn_places *d = c->d;
    float part[2][TILE_WIDTH] = {{0}};

    for (size_t out = 0; out < d->n_out; out++)
        adn_moments_sum(part[0], part[1], t->dst[out], t->n_row, TILE_WIDTH, TILE_WIDTH);
    for (size_t i = 0; i < n; i++) {
        c->sums[at + i] += (double)part[0][i];
        c->sums[d->v.o + at + i] += (double)part[1][i];
    }
}

static void panel_product(const product_call *c, size_t panel)
{
    const adn_places *d = c->d;
    size_t at = panel * TILE_WIDTH, n = ADN_MIN(TILE_WIDTH, d->v.o - at);
    size_t n_tile = tile_count(d->v.n);
    const float *weight = c->turned == NULL ? c->weight + panel * panel_floats(d) : turn(c, panel);
    float bias[TILE_WIDTH] = {0};

    if (c->bias != NULL) memcpy(bias, c->bias + at, n * sizeof(*bias));
    for (size_t k = 0; k < n_tile; k++) {
        tile t = {.image = tile_begin(d->v.n, k)};
        t.n_row = tile_begin(d->v.n, k + 1) - t.image;
        multiply(c, weight, bias, &t);
        give(c, &t, at, n);
        if (c->sums != NULL) add_sums(c, &t, at, n);
    }
}

static void product(const product_call *c)
{
    if (c->sums != NULL) memset(c->sums, 0, 2 * c->d->v.o * sizeof(*c->sums));
#pragma omp parallel for schedule(static)
    for (size_t panel = 0; panel < c->d->n_panel; panel++) panel_product(c, panel);
}

static adn_status run_fwd(const adn_cpu_op *op, const adn_op_args *args)
{
    product(&(product_call){.d = op->impl,
                            .src = args->p[ADN_SRC],
                            .weight = args->p[ADN_WEIGHT],
                            .bias = args->p[ADN_BIAS],
                            .dst = args->p[ADN_DST],
                            .sums = args->p[ADN_SUMS]});
    return ADN_OK;
}

static adn_status run_grad_src(const adn_cpu_op *op, const adn_op_args *args)
{
    product(&(product_call){.d = op->impl,
                            .src = args->p[ADN_GRAD_DST],
                            .weight = args->p[ADN_WEIGHT],
                            .dst = args->p[ADN_GRAD_SRC],
                            .turned = args->p[ADN_WORKSPACE]});
    return ADN_OK;
}

/* --- planning */

/* Fills op->run; gives the floats of a workspace. */
static size_t plan_pass(adn_cpu_op *op, const adn_places *d)
{
    switch (op->base.desc.kind) {
    case ADN_OP_CONV_GRAD_SRC:
        op->run = run_grad_src;
        return (size_t)omp_get_max_threads() * panel_floats(d);
    case ADN_OP_CONV_GRAD_PARAM:
        return adn_places_plan_grad(op, d);
    default:
        op->run = run_fwd;
        return 0;
    }
}

static void add_pairs(adn_places *d, size_t tap)
{
    const adn_conv *v = &d->v;

    for (size_t out = 0; out < d->n_out; out++) {
        size_t y = out / v->w_out + tap / v->kernel - v->pad; /* above the map it wraps */
        size_t x = out % v->w_out + tap % v->kernel - v->pad;
        adn_pair p = {y * v->w + x, out, tap, true};
        if (y >= v->h || x >= v->w) continue;
        for (size_t k = 0; k < d->n_pair; k++)
            if (d->pairs[k].out == out) p.is_first = false;
        d->pairs[d->n_pair++] = p;
    }
}

adn_status adn_places_plan(adn_cpu_op *op)
{
    const adn_op_desc *desc = &op->base.desc;
    const adn_panels *panels = adn_panels_of(desc->layout);
    const adn_conv v = adn_conv_of(desc);
    bool is_packed = desc->kind == ADN_OP_CONV_GRAD_PARAM;

    if (panels == NULL || adn_shape_count(desc->src) == 0) return ADN_END;
    if (ADN_MAX(v.h, v.w) > PLACES_SIDE || ADN_MAX(v.h_out, v.w_out) > PLACES_SIDE) return ADN_END;
    adn_places *d = adn_alloc(sizeof(*d) + v.n * sizeof(*d->offset));
    if (d == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a plan");
    *d = (adn_places){.v = v,
                      .panels = panels,
                      .n_in = v.h * v.w,
                      .n_out = v.h_out * v.w_out,
                      .n_panel = fast_parts(v.o, TILE_WIDTH),
                      .offset = (size_t *)(d + 1)};
    for (size_t tap = 0; tap < panels->n_tap; tap++) add_pairs(d, tap);
    for (size_t k = 0; k < v.n; k++) d->offset[k] = k * (is_packed ? TILE_ROWS : d->n_in * v.c);
    op->base.macs = (double)(d->n_pair * v.n) * (double)(v.c * v.o);
    op->base.workspace_bytes = plan_pass(op, d) * sizeof(float);
    op->impl = d;
    op->impl_free = adn_free;
    return ADN_OK;
}
