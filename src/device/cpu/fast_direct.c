/* Convolutions of stride 1, all passes, as products of tiles (fast_tile.h) over blocks
 * (fast_block.h). Every sum has an order of its own: the bits do not depend on the team. */
#include <omp.h>
#include <string.h>

#include "device/cpu/fast_block.h"
#include "device/cpu/fast_moments.h"
#include "device/cpu/fast_panel.h"

/* Pixels of a block. For gradients of weights, a panel of its pixels' gradients fits the
 * first-level cache beside the lines that it meets. */
enum { PIXELS = 256, GRAD_PIXELS = 128 };

typedef struct direct {
    const adn_panels *panels;
    adn_blocks *blocks;
    size_t n_panel;
} direct;

/* A block's pixels, one panel of outputs: out[pixel][TILE_WIDTH]. */
static void panel_product(const direct *d, const adn_block *k, const float *x, const float *weight,
                          const float *bias, float *out, size_t panel)
{
    const adn_blocks *b = d->blocks;
    size_t at = panel * TILE_WIDTH;
    float shift[TILE_WIDTH] = {0};

    if (bias != NULL) memcpy(shift, bias + at, ADN_MIN(TILE_WIDTH, b->v.o - at) * sizeof(*shift));
    for (size_t t = 0; t < tile_count(k->n); t++) {
        size_t p = tile_begin(k->n, t), n_row = tile_begin(k->n, t + 1) - p;
        adn_tile_product(n_row, x, b->offset + p, b->tap, b->n_tap, b->n_in,
                         weight + at * b->n_tap * b->n_in, shift, out + p * TILE_WIDTH, TILE_WIDTH);
    }
}

/* Rows of a panel to where they belong, n floats of each. */
static void put_rows(float *dst, size_t stride, const float *from, size_t n_row, size_t n,
                     bool is_streamed)
{
    for (size_t r = 0; r < n_row; r++, dst += stride, from += TILE_WIDTH) {
        if (is_streamed)
            for (size_t i = 0; i < n; i += LANES) vec_stream(dst + i, vec_load(from + i));
        else
            memcpy(dst, from, n * sizeof(*dst));
    }
}

typedef struct product_call {
    const float *src, *weight, *bias;
    float *dst, *buffers;
    float *parts; /* [n_block][2][o]: sums of dst; NULL: not wanted */
    bool is_streamed;
} product_call;

static size_t product_floats(const direct *d)
{
    return d->blocks->buffer + d->blocks->n_pixel * TILE_WIDTH;
}

/* A block's panels from .. to. */
static void block_product(const direct *d, const product_call *c, size_t block, size_t from,
                          size_t to)
{
    const adn_block k = adn_blocks_at(d->blocks, block);
    size_t o = d->blocks->v.o;
    float *buffer = c->buffers + (size_t)omp_get_thread_num() * product_floats(d);
    float *out = buffer + d->blocks->buffer;
    const float *x = adn_blocks_fill(d->blocks, &k, buffer, c->src);

    for (size_t panel = from; panel < to; panel++) {
        size_t at = panel * TILE_WIDTH, n = ADN_MIN(TILE_WIDTH, o - at);
        panel_product(d, &k, x, c->weight, c->bias, out, panel);
        put_rows(c->dst + k.first * o + at, o, out, k.n, n, c->is_streamed);
        if (c->parts == NULL) continue;
        float *sum = c->parts + block * 2 * o + at, *square = sum + o;
        memset(sum, 0, n * sizeof(*sum));
        memset(square, 0, n * sizeof(*square));
        adn_moments_sum(sum, square, out, k.n, TILE_WIDTH, n);
    }
    if (c->is_streamed) vec_stream_end();
}

static void product(const direct *d, product_call *c)
{
    /* Fewer blocks than threads: several share each and take some panels. */
    size_t n_block = d->blocks->n_block, team = (size_t)omp_get_max_threads();
    size_t n_share = ADN_MIN(fast_parts(team, n_block), d->n_panel);
    const adn_conv *v = &d->blocks->v;

    c->is_streamed = tile_streams(c->dst, v->n * v->h_out * v->w_out, v->o);

#pragma omp parallel for schedule(static)
    for (size_t task = 0; task < n_block * n_share; task++) {
        size_t share = task % n_share;
        block_product(d, c, task / n_share, fast_share_begin(d->n_panel, n_share, share),
                      fast_share_begin(d->n_panel, n_share, share + 1));
    }
}

static adn_status run_fwd(const adn_cpu_op *op, const adn_op_args *args)
{
    const direct *d = op->impl;
    product_call c = {.src = args->p[ADN_SRC],
                      .weight = args->p[ADN_WEIGHT],
                      .bias = args->p[ADN_BIAS],
                      .dst = args->p[ADN_DST],
                      .buffers = args->p[ADN_WORKSPACE]};

    if (args->p[ADN_SUMS] != NULL)
        c.parts = c.buffers + (size_t)omp_get_max_threads() * product_floats(d);
    product(d, &c);
    if (c.parts != NULL)
        adn_moments_add_up(args->p[ADN_SUMS], c.parts, d->blocks->n_block, d->blocks->v.o);
    return ADN_OK;
}

static adn_status run_grad_src(const adn_cpu_op *op, const adn_op_args *args)
{
    const direct *d = op->impl;
    float *back = args->p[ADN_WORKSPACE];

    product_call c = {.src = args->p[ADN_GRAD_DST],
                      .weight = back,
                      .dst = args->p[ADN_GRAD_SRC],
                      .buffers = back + adn_panels_back_floats(d->panels)};

    adn_panels_turn(d->panels, back, args->p[ADN_WEIGHT]);
    product(d, &c);
    return ADN_OK;
}

/* packed[panel][pixel][width] = each pixel's n gradients; sum[panel][width] += over the pixels.
 * What is missing to a whole panel is zero. */
static void pack(float *packed, float *sum, const float *from, size_t stride, size_t n_pixel,
                 size_t n, size_t width)
{
    for (size_t p = 0; p < n_pixel; p++, from += stride) {
        for (size_t at = 0; at < n; at += width) {
            size_t n_here = ADN_MIN(width, n - at);
            float *restrict to = packed + at * n_pixel + p * width, *restrict total = sum + at;
            const float *restrict grad = from + at;
            ADN_SIMD
            for (size_t i = 0; i < n_here; i++) {
                to[i] = grad[i];
                total[i] += grad[i];
            }
            for (size_t i = n_here; i < width; i++) to[i] = 0;
        }
    }
}

/* A thread's share of the panels' taps, counted through, and its memory: a block, its gradients
 * [panel][pixel][width], their sums. */
typedef struct share {
    size_t from, to;
    float *buffer, *packed, *sum;
} share;

static void grad_block(const direct *d, const adn_op_args *args, const share *s, const adn_block *k)
{
    const adn_blocks *b = d->blocks;
    size_t width = TILE_WIDTH, first = s->from / b->n_tap, last = (s->to - 1) / b->n_tap;
    size_t at = first * width, n = ADN_MIN(b->v.o, (last + 1) * width) - at;
    const float *grad = args->p[ADN_GRAD_DST];
    const float *x = adn_blocks_fill(b, k, s->buffer, args->p[ADN_SRC]);
    float *grad_weight = args->p[ADN_GRAD_WEIGHT];

    pack(s->packed, s->sum, grad + k->first * b->v.o + at, b->v.o, k->n, n, width);
    for (size_t item = s->from; item < s->to; item++) {
        const float *panel = s->packed + (item / b->n_tap - first) * k->n * width;
        const float *from = x + b->tap[item % b->n_tap];
        float *sum = grad_weight + item * b->n_in * width;
        for (size_t t = 0; t < tile_count(b->n_in); t++) {
            size_t i = tile_begin(b->n_in, t), n_row = tile_begin(b->n_in, t + 1) - i;
            adn_tile_outer(n_row, from + i, b->offset, panel, k->n, false, sum + i * width);
        }
    }
}

/* Who has a panel's first tap gives the gradients of its biases. */
static void grad_share(const direct *d, const adn_op_args *args, const share *s)
{
    const adn_blocks *b = d->blocks;
    size_t width = TILE_WIDTH, tap = b->n_in * width, first = s->from / b->n_tap;
    float *grad_weight = args->p[ADN_GRAD_WEIGHT], *grad_bias = args->p[ADN_GRAD_BIAS];

    if (s->from == s->to) return;
    memset(grad_weight + s->from * tap, 0, (s->to - s->from) * tap * sizeof(*grad_weight));
    memset(s->sum, 0, d->n_panel * width * sizeof(*s->sum));
    for (size_t i = 0; i < b->n_block; i++) {
        const adn_block k = adn_blocks_at(b, i);
        grad_block(d, args, s, &k);
    }
    if (grad_bias == NULL) return;
    for (size_t p = fast_parts(s->from, b->n_tap); p * b->n_tap < s->to; p++)
        memcpy(grad_bias + p * width, s->sum + (p - first) * width,
               ADN_MIN(width, b->v.o - p * width) * sizeof(*grad_bias));
}

static size_t packed_floats(const direct *d)
{
    return d->blocks->n_pixel * d->n_panel * TILE_WIDTH;
}

static size_t share_floats(const direct *d)
{
    return d->blocks->buffer + packed_floats(d) + d->n_panel * TILE_WIDTH;
}

static adn_status run_grad_param(const adn_cpu_op *op, const adn_op_args *args)
{
    const direct *d = op->impl;
    size_t n = d->n_panel * d->blocks->n_tap;

#pragma omp parallel
    {
        size_t team = (size_t)omp_get_num_threads(), me = (size_t)omp_get_thread_num();
        float *buffer = (float *)args->p[ADN_WORKSPACE] + me * share_floats(d);
        float *packed = buffer + d->blocks->buffer;
        const share s = {fast_share_begin(n, team, me), fast_share_begin(n, team, me + 1), buffer,
                         packed, packed + packed_floats(d)};
        grad_share(d, args, &s);
    }
    return ADN_OK;
}

/* An empty batch: sums over nothing. */
static adn_status run_empty(const adn_cpu_op *op, const adn_op_args *args)
{
    fast_zero_sums(&op->base.desc, args);
    return ADN_OK;
}

static void direct_free(void *impl)
{
    direct *d = impl;
    adn_free(d->blocks);
    adn_free(d);
}

adn_status adn_direct_plan(adn_cpu_op *op)
{
    const adn_op_desc *desc = &op->base.desc;
    const adn_panels *panels = adn_panels_of(desc->layout);
    size_t team = (size_t)omp_get_max_threads(), floats;

    if (panels == NULL) return ADN_END;
    if (adn_shape_count(desc->src) == 0) {
        op->run = run_empty;
        return ADN_OK;
    }
    direct *d = adn_alloc(sizeof(*d));
    if (d == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a plan");
    op->impl = d;
    op->impl_free = direct_free;
    const adn_conv v = adn_conv_of(desc);
    *d = (direct){panels, NULL, fast_parts(v.o, TILE_WIDTH)};
    d->blocks = adn_blocks_create(&v, desc->kind == ADN_OP_CONV_GRAD_PARAM ? GRAD_PIXELS : PIXELS);
    if (d->blocks == NULL)
        return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a plan"); /* the caller frees op */
    floats = team * product_floats(d);
    if (desc->kind == ADN_OP_CONV_FWD) floats += d->blocks->n_block * 2 * v.o;
    if (desc->kind == ADN_OP_CONV_GRAD_PARAM) floats = team * share_floats(d);
    if (desc->kind == ADN_OP_CONV_GRAD_SRC) floats += adn_panels_back_floats(panels);
    op->base.workspace_bytes = floats * sizeof(float);
    op->run = run_fwd;
    if (desc->kind == ADN_OP_CONV_GRAD_SRC) op->run = run_grad_src;
    if (desc->kind == ADN_OP_CONV_GRAD_PARAM) op->run = run_grad_param;
    return ADN_OK;
}
