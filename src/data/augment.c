/* Augmentation of one image in bytes: what to do with it is drawn, then it is done. The first
 * transform reads src, the others work in dst. */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "data/data.h"

typedef struct image {
    int h, w, c;
    size_t row; /* bytes */
} image;

/* dst[y][x] = src[y + dy][x + dx], zero outside. src may be dst: rows are then taken in the order
 * in which none is overwritten before it is read. */
static void shift(const image *im, int dy, int dx, const uint8_t *src, uint8_t *dst)
{
    int x0 = ADN_MIN(ADN_MAX(-dx, 0), im->w), x1 = ADN_MAX(ADN_MIN(im->w - dx, im->w), x0);
    size_t left = (size_t)x0 * (size_t)im->c, middle = (size_t)(x1 - x0) * (size_t)im->c;

    for (int i = 0; i < im->h; i++) {
        int y = dy >= 0 ? i : im->h - 1 - i;
        uint8_t *to = dst + (size_t)y * im->row;
        if (y + dy < 0 || y + dy >= im->h || middle == 0) {
            memset(to, 0, im->row);
            continue;
        }
        const uint8_t *from = src + (size_t)(y + dy) * im->row + (size_t)(x0 + dx) * (size_t)im->c;
        memmove(to + left, from, middle);
        memset(to, 0, left);
        memset(to + left + middle, 0, im->row - left - middle);
    }
}

static void swap_pixels(uint8_t *restrict a, uint8_t *restrict b, size_t c)
{
    for (size_t k = 0; k < c; k++) {
        uint8_t v = a[k];
        a[k] = b[k];
        b[k] = v;
    }
}

static void flip(const image *im, uint8_t *dst)
{
    size_t c = (size_t)im->c;

    for (int y = 0; y < im->h; y++) {
        uint8_t *a = dst + (size_t)y * im->row, *b = a + im->row - c;
        if (c == 3)
            for (; a < b; a += 3, b -= 3) swap_pixels(a, b, 3);
        else
            for (; a < b; a += c, b -= c) swap_pixels(a, b, c);
    }
}

static void cutout(const image *im, int side, int cy, int cx, const uint8_t *fill, uint8_t *dst)
{
    int y0 = cy - side / 2, x0 = cx - side / 2;
    int y1 = ADN_MIN(y0 + side, im->h), x1 = ADN_MIN(x0 + side, im->w);

    for (int y = ADN_MAX(y0, 0); y < y1; y++)
        for (int x = ADN_MAX(x0, 0); x < x1; x++)
            memcpy(dst + (size_t)y * im->row + (size_t)x * (size_t)im->c, fill, (size_t)im->c);
}

static adn_move draw(const adn_aug_conf *a, adn_draw d, int h, int w)
{
    uint32_t n = 2 * (uint32_t)a->size + 1;

    switch (a->kind) {
    case ADN_AUG_CROP:
        return (adn_move){(int)adn_rng_below(d.u[0], n) - a->size,
                          (int)adn_rng_below(d.u[1], n) - a->size};
    case ADN_AUG_FLIP:
        return (adn_move){0, (int)adn_rng_below(d.u[0], 2)};
    case ADN_AUG_CUTOUT:
        return (adn_move){(int)adn_rng_below(d.u[0], (uint32_t)h),
                          (int)adn_rng_below(d.u[1], (uint32_t)w)};
    }
    adn_assert_failed("a transform", __FILE__, __LINE__);
}

void adn_augment_draw(const adn_aug_conf *augment, int n_augment, uint64_t seed, int epoch,
                      uint32_t sample, int h, int w, adn_move *moves)
{
    ADN_ASSERT(n_augment <= ADN_MAX_AUGMENT);
    for (int t = 0; t < n_augment; t++)
        moves[t] = draw(&augment[t],
                        adn_rng_draw(seed, ADN_RNG_AUGMENT, (uint64_t)epoch,
                                     (uint64_t)sample * ADN_MAX_AUGMENT + (uint64_t)t),
                        h, w);
}

void adn_augment_fill(const double *mean, int c, uint8_t *fill)
{
    for (int k = 0; k < c; k++)
        fill[k] = mean == NULL ? 0 : (uint8_t)lround(fmin(fmax(255 * mean[k], 0), 255));
}

static void apply(const adn_aug_conf *augment, int n_augment, const adn_move *moves,
                  const image *im, const uint8_t *fill, const uint8_t *src, uint8_t *dst)
{
    if (n_augment == 0 || augment[0].kind != ADN_AUG_CROP)
        memcpy(dst, src, (size_t)im->h * im->row);
    for (int t = 0; t < n_augment; t++) {
        const adn_move m = moves[t];
        switch (augment[t].kind) {
        case ADN_AUG_CROP:
            shift(im, m.y, m.x, t == 0 ? src : dst, dst);
            break;
        case ADN_AUG_FLIP:
            if (m.x == 1) flip(im, dst);
            break;
        case ADN_AUG_CUTOUT:
            cutout(im, augment[t].size, m.y, m.x, fill, dst);
            break;
        }
    }
}

void adn_augment(const adn_aug_conf *augment, int n_augment, uint64_t seed, int epoch,
                 uint32_t sample, int h, int w, int c, const uint8_t *fill, const uint8_t *src,
                 uint8_t *dst)
{
    image im = {h, w, c, (size_t)w * (size_t)c};
    adn_move moves[ADN_MAX_AUGMENT];

    adn_augment_draw(augment, n_augment, seed, epoch, sample, h, w, moves);
    apply(augment, n_augment, moves, &im, fill, src, dst);
}
