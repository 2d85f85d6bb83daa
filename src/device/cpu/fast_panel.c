/* The panels' layout: made, filled from PyTorch's order and read back, turned for gradients. */
#include "device/cpu/fast_panel.h"

#include <string.h>

/* Where PyTorch's element k, [o][i][y][x], lies. A linear layer's kernel is its whole input. */
static size_t place_of(const adn_cpu_layout *l, size_t k)
{
    const adn_panels *p = l->impl;
    size_t width = TILE_WIDTH, n_row = p->n_tap * p->n_in;
    size_t n_i = (size_t)l->base.i, n_place = n_row / n_i;
    size_t o = k / n_row, row = k % n_place * n_i + k / n_place % n_i;
    return (o / width * n_row + row) * width + o % width;
}

static adn_status import_panels(const adn_cpu_layout *l, void *dst, const double *src)
{
    const adn_panels *p = l->impl;
    float *weight = dst;

    memset(weight, 0, l->base.bytes);
    for (size_t k = 0; k < p->n_out * p->n_in * p->n_tap; k++)
        weight[place_of(l, k)] = (float)src[k];
    return ADN_OK;
}

static adn_status export_panels(const adn_cpu_layout *l, double *dst, const void *src)
{
    const adn_panels *p = l->impl;
    const float *weight = src;

    for (size_t k = 0; k < p->n_out * p->n_in * p->n_tap; k++)
        dst[k] = (double)weight[place_of(l, k)];
    return ADN_OK;
}

const adn_panels *adn_panels_of(const adn_layout *layout)
{
    const adn_cpu_layout *l = (const adn_cpu_layout *)layout;
    return l->import_ == import_panels ? l->impl : NULL;
}

adn_status adn_direct_layout(adn_cpu_layout *l, const adn_op_desc *fwd)
{
    bool is_conv = fwd->kind == ADN_OP_CONV_FWD;

    /* Gradients of inputs are convolutions again for stride 1 alone. */
    if (is_conv && (fwd->u.conv.stride != 1 || fwd->u.conv.pad >= fwd->u.conv.kernel))
        return ADN_END;
    return adn_panels_layout(l, fwd);
}

adn_status adn_panels_layout(adn_cpu_layout *l, const adn_op_desc *fwd)
{
    bool is_conv = fwd->kind == ADN_OP_CONV_FWD;
    size_t kernel = is_conv ? (size_t)fwd->u.conv.kernel : 0;

    if (fwd->type != ADN_F32) return ADN_END;
    adn_panels *p = adn_alloc(sizeof(*p));
    if (p == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a layout");
    p->n_tap = is_conv ? kernel * kernel : 1;
    p->n_in = (size_t)fwd->src.c * (is_conv ? 1 : (size_t)fwd->src.h * (size_t)fwd->src.w);
    p->n_out = (size_t)fwd->dst.c;
    p->n_panel = fast_parts(p->n_out, TILE_WIDTH);
    l->base.bytes = p->n_panel * p->n_tap * p->n_in * TILE_WIDTH * sizeof(float);
    l->base.algo = "panels";
    l->impl = p;
    l->impl_free = adn_free;
    l->import_ = import_panels;
    l->export_ = export_panels;
    return ADN_OK;
}

static size_t back_panels(const adn_panels *p)
{
    return fast_parts(p->n_in, TILE_WIDTH);
}

size_t adn_panels_back_floats(const adn_panels *p)
{
    return back_panels(p) * p->n_tap * p->n_out * TILE_WIDTH;
}

/* A square of LANES inputs and outputs. */
VEC_INLINE void turn_lanes(float *to, const float *from)
{
    vec rows[LANES];

    _Pragma("GCC unroll 16") for (size_t r = 0; r < LANES; r++) rows[r] =
        vec_load(from + r * TILE_WIDTH);
    vec_turn(rows);
    _Pragma("GCC unroll 16") for (size_t r = 0; r < LANES; r++)
        vec_store(to + r * TILE_WIDTH, rows[r]);
}

void adn_panel_turn(float *restrict back, const float *restrict weight, size_t n_o, size_t n_i)
{
    size_t width = TILE_WIDTH;

    if (n_o == width && n_i == width) {
        for (size_t o = 0; o < width; o += LANES)
            for (size_t i = 0; i < width; i += LANES)
                turn_lanes(back + o * width + i, weight + i * width + o);
        return;
    }
    for (size_t o = 0; o < n_o; o++) {
        for (size_t i = 0; i < n_i; i++) back[o * width + i] = weight[i * width + o];
        for (size_t i = n_i; i < width; i++) back[o * width + i] = 0;
    }
}

void adn_panels_turn(const adn_panels *p, float *back, const float *weight)
{
    size_t width = TILE_WIDTH;

#pragma omp parallel for collapse(2) schedule(static)
    for (size_t q = 0; q < back_panels(p); q++) {
        for (size_t t = 0; t < p->n_tap; t++) {
            size_t i = q * width, n_i = ADN_MIN(width, p->n_in - i);
            float *to = back + (q * p->n_tap + p->n_tap - 1 - t) * p->n_out * width;
            for (size_t o = 0; o < p->n_out; o += width)
                adn_panel_turn(to + o * width,
                               weight + ((o / width * p->n_tap + t) * p->n_in + i) * width,
                               ADN_MIN(width, p->n_out - o), n_i);
        }
    }
}

void adn_panel_pack(const float *rows, size_t stride, size_t n, size_t n_col, float *to, float *sum)
{
    vec low = vec_load(sum), high = vec_load(sum + LANES);
    float row[TILE_WIDTH] = {0};

    for (; n > 0; n--, rows += stride, to += TILE_WIDTH) {
        const float *whole = n_col == TILE_WIDTH ? rows : memcpy(row, rows, n_col * sizeof(*row));
        vec a = vec_load(whole), b = vec_load(whole + LANES);
        low += a;
        high += b;
        vec_store(to, a);
        vec_store(to + LANES, b);
    }
    vec_store(sum, low);
    vec_store(sum + LANES, high);
}
