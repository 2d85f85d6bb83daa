/* A pass' places, and how they are cut into blocks (amx_map.h). */
#include "device/cpu/amx_map.h"

/* Gradients of inputs read what the forward pass gives. */
static void turn(adn_amx_map *m)
{
    *m = (adn_amx_map){.n = m->n,
                       .h = m->h_out,
                       .w = m->w_out,
                       .c = m->o,
                       .h_out = m->h,
                       .w_out = m->w,
                       .o = m->c,
                       .kernel = m->kernel,
                       .stride = m->stride,
                       .pad = m->pad,
                       .is_back = true};
}

adn_amx_map adn_amx_map_of(const adn_op_desc *d)
{
    bool is_conv = d->kind <= ADN_OP_CONV_GRAD_PARAM;
    adn_amx_map m = {.n = (size_t)d->src.n,
                     .h = (size_t)d->src.h,
                     .w = (size_t)d->src.w,
                     .c = (size_t)d->src.c,
                     .h_out = (size_t)d->dst.h,
                     .w_out = (size_t)d->dst.w,
                     .o = (size_t)d->dst.c,
                     .kernel = is_conv ? (size_t)d->u.conv.kernel : 1,
                     .stride = is_conv ? (size_t)d->u.conv.stride : 1,
                     .pad = is_conv ? (size_t)d->u.conv.pad : 0};

    if (!is_conv) m.c *= m.h * m.w;
    if (!is_conv || (m.kernel == 1 && m.stride == 1 && m.pad == 0)) {
        m.n *= is_conv ? m.h * m.w : 1;
        m.h = m.w = m.h_out = m.w_out = 1;
    }
    if (d->kind == ADN_OP_CONV_GRAD_SRC || d->kind == ADN_OP_LINEAR_GRAD_SRC) turn(&m);
    m.is_narrow = !m.is_back && m.kernel > 1 && m.kernel * m.c <= SIDE;
    m.taps_x = m.is_narrow ? 1 : m.kernel;
    m.w_in = m.is_narrow ? m.w_out : m.w;
    m.n_in = m.is_narrow ? m.kernel * m.c : m.c;
    m.n_group = fast_parts(m.n, SIDE);
    return m;
}

/* Pairs of an input and an output that a tap joins, along a side. */
static size_t pairs(const adn_amx_map *m, size_t n_out, size_t n)
{
    size_t count = 0, in;

    for (size_t out = 0; out < n_out; out++)
        for (size_t k = 0; k < m->kernel; k++) count += adn_amx_source(m, out, k, n, &in);
    return count;
}

double adn_amx_map_macs(const adn_amx_map *m)
{
    return (double)(pairs(m, m->h_out, m->h) * pairs(m, m->w_out, m->w)) * (double)(m->n * m->c) *
           (double)m->o;
}

/* Input rows that so many output rows need, at most. */
static size_t rows_in(const adn_amx_map *m, size_t rows)
{
    size_t n =
        m->is_back ? (rows + m->kernel - 2) / m->stride + 1 : (rows - 1) * m->stride + m->kernel;
    return ADN_MIN(n, m->h);
}

void adn_amx_map_cut(adn_amx_map *m, size_t in_bytes, size_t out_bytes, size_t room, size_t team)
{
    size_t row_in = m->w_in * in_bytes, row_out = m->w_out * out_bytes;
    size_t whole = m->h * row_in + m->h_out * row_out, n;

    m->groups = 1;
    m->rows = m->h_out;
    if (whole <= room) {
        n = fast_round_up(fast_parts(m->n_group, room / whole), team);
        m->groups = fast_parts(m->n_group, ADN_MIN(n, m->n_group));
    } else {
        while (m->rows > 1 && rows_in(m, m->rows) * row_in + m->rows * row_out > room) m->rows--;
        m->rows = fast_parts(m->h_out, fast_parts(m->h_out, m->rows)); /* nearly alike */
    }
    m->h_in = rows_in(m, m->rows);
    m->n_row_block = fast_parts(m->h_out, m->rows);
    m->n_block = fast_parts(m->n_group, m->groups) * m->n_row_block;
}

adn_amx_block adn_amx_map_at(const adn_amx_map *m, size_t block)
{
    adn_amx_block b = {.group = block / m->n_row_block * m->groups,
                       .y = block % m->n_row_block * m->rows};
    size_t end = 0, in;

    b.n_group = ADN_MIN(m->groups, m->n_group - b.group);
    b.n_y = ADN_MIN(m->rows, m->h_out - b.y);
    b.y_in = m->h;
    for (size_t y = b.y; y < b.y + b.n_y; y++) {
        for (size_t k = 0; k < m->kernel; k++) {
            if (!adn_amx_source(m, y, k, m->h, &in)) continue;
            b.y_in = ADN_MIN(b.y_in, in);
            end = ADN_MAX(end, in + 1);
        }
    }
    b.n_y_in = end > b.y_in ? end - b.y_in : 0;
    return b;
}
