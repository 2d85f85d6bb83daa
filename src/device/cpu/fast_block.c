/* Blocks of a convolution: how they are cut and how their buffer is filled. */
#include "device/cpu/fast_block.h"

#include <string.h>

/* Floats of a buffer: with a panel of weights beside it, it stays in a second-level cache of 512
 * KiB. */
enum { BLOCK_FLOATS = 40960 };
/* Channels up to which a row of taps is one. Pixels of more lie an odd number of cache lines apart,
 * so that they fall into different sets of the cache. */
enum { NARROW = 15 };

static void cut(adn_blocks *d, size_t room)
{
    const adn_conv *v = &d->v;
    size_t border = v->kernel - 1, whole = (v->h_out + border) * d->row,
           pixels = v->h_out * v->w_out;

    d->images = 1;
    d->rows = v->h_out;
    if (whole <= BLOCK_FLOATS && pixels <= room) {
        d->images = ADN_MIN(ADN_MIN(BLOCK_FLOATS / whole, room / pixels), v->n);
    } else {
        size_t fit = ADN_MAX(BLOCK_FLOATS / d->row, v->kernel) - border,
               most = ADN_MIN(room / v->w_out, fit);
        d->rows = fast_parts(v->h_out, fast_parts(v->h_out, ADN_MAX(most, 1)));
    }
    d->h_pad = d->rows + border;
    d->n_row_block = fast_parts(v->h_out, d->rows);
    d->n_block = fast_parts(v->n, d->images) * d->n_row_block;
    d->n_pixel = d->images * d->rows * v->w_out;
    d->buffer = fast_round_up(d->images * d->h_pad * d->row, FAST_LINE);
}

adn_blocks *adn_blocks_create(const adn_conv *v, size_t room)
{
    bool is_narrow = v->c <= NARROW;
    adn_blocks s = {.v = *v};

    s.n_tap = is_narrow ? v->kernel : v->kernel * v->kernel;
    s.n_in = is_narrow ? v->kernel * v->c : v->c;
    s.pixel = is_narrow ? v->c : fast_odd_lines(v->c);
    s.row = (v->w_out + v->kernel - 1) * s.pixel;
    cut(&s, room);

    adn_blocks *d = adn_alloc(sizeof(*d) + (s.n_tap + s.n_pixel) * sizeof(*d->tap));
    if (d == NULL) return NULL;
    *d = s;
    d->tap = (size_t *)(d + 1);
    d->offset = d->tap + d->n_tap;
    for (size_t t = 0; t < d->n_tap; t++)
        d->tap[t] = is_narrow ? t * d->row : t / v->kernel * d->row + t % v->kernel * d->pixel;
    for (size_t k = 0; k < d->n_pixel; k++) {
        size_t x = k % v->w_out, y = k / v->w_out % d->rows, image = k / v->w_out / d->rows;
        d->offset[k] = (image * d->h_pad + y) * d->row + x * d->pixel;
    }
    return d;
}

adn_block adn_blocks_at(const adn_blocks *d, size_t b)
{
    const adn_conv *v = &d->v;
    adn_block k = {.image = b / d->n_row_block * d->images, .y = b % d->n_row_block * d->rows};

    k.first = (k.image * v->h_out + k.y) * v->w_out;
    k.n = ADN_MIN(d->images, v->n - k.image) * ADN_MIN(d->rows, v->h_out - k.y) * v->w_out;
    return k;
}

/* One row of the buffer: the map's pixels between zeros, or zeros alone (from NULL). */
static void fill_row(const adn_blocks *d, float *to, const float *from)
{
    const adn_conv *v = &d->v;
    size_t left = v->pad * d->pixel,
           n = from == NULL ? 0 : ADN_MIN(v->w, v->w_out + v->kernel - 1 - v->pad);

    memset(to, 0, left * sizeof(*to));
    if (d->pixel == v->c && n > 0)
        memcpy(to + left, from, n * v->c * sizeof(*to));
    else
        for (size_t x = 0; x < n; x++)
            memcpy(to + left + x * d->pixel, from + x * v->c, v->c * sizeof(*to));
    memset(to + left + n * d->pixel, 0, (d->row - left - n * d->pixel) * sizeof(*to));
}

const float *adn_blocks_fill(const adn_blocks *d, const adn_block *k, float *buffer,
                             const float *src)
{
    const adn_conv *v = &d->v;

    for (size_t m = 0; m < ADN_MIN(d->images, v->n - k->image); m++) {
        for (size_t r = 0; r < d->h_pad; r++) {
            size_t y = k->y + r - v->pad; /* above the map it wraps: not inside */
            const float *from = y < v->h ? src + ((k->image + m) * v->h + y) * v->w * v->c : NULL;
            fill_row(d, buffer + (m * d->h_pad + r) * d->row, from);
        }
    }
    return buffer;
}
