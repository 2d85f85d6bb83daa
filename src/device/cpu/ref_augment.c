/* Images of a set, transformed: each pixel is traced back through the transforms to where it came
 * from. */
#include "device/cpu/ref.h"

/* The C channels that pixel (y, x) of the image becomes; all transforms of the list lie behind it.
 */
static const uint8_t *trace(const adn_op_desc *d, const adn_move *moves, const uint8_t *image,
                            int y, int x)
{
    static const uint8_t black[ADN_PIXEL_CHANNELS];
    const int h = d->src.h, w = d->src.w;

    for (int t = d->u.augment.n_transform - 1; t >= 0; t--) {
        const int size = d->u.augment.list[t].size;
        const adn_move m = moves[t];
        switch (d->u.augment.list[t].kind) {
        case ADN_AUG_CROP:
            y += m.y;
            x += m.x;
            if (y < 0 || y >= h || x < 0 || x >= w) return black;
            break;
        case ADN_AUG_FLIP:
            if (m.x == 1) x = w - 1 - x;
            break;
        case ADN_AUG_CUTOUT: {
            int first_y = m.y - size / 2, first_x = m.x - size / 2;
            if (y >= first_y && y < first_y + size && x >= first_x && x < first_x + size)
                return d->u.augment.fill;
            break;
        }
        }
    }
    return image + ((size_t)y * (size_t)w + (size_t)x) * (size_t)d->src.c;
}

void REF(adn_ref_augment)(const adn_op_desc *d, const adn_op_args *args)
{
    const uint8_t *src = args->p[ADN_SRC];
    const uint32_t *picks = args->p[ADN_PICKS];
    const adn_move *moves = args->p[ADN_MOVES];
    uint8_t *dst = args->p[ADN_DST];
    const size_t n_c = (size_t)d->src.c;

    for (int i = 0; i < d->dst.n; i++) {
        const adn_move *mine = moves + (size_t)i * (size_t)d->u.augment.n_transform;
        const uint8_t *image = src + ref_at(d->src, (int)picks[i], 0, 0);
        for (int y = 0; y < d->dst.h; y++)
            for (int x = 0; x < d->dst.w; x++) {
                const uint8_t *from = trace(d, mine, image, y, x);
                uint8_t *to = dst + ref_at(d->dst, i, y, x);
                for (size_t k = 0; k < n_c; k++) to[k] = from[k];
            }
    }
}
