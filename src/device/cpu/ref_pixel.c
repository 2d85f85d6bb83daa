/* Pixels to numbers, in PyTorch's order: (p / 255 - mean) / std. */
#include "device/cpu/ref.h"

void REF(adn_ref_normalise)(const adn_op_desc *d, const adn_op_args *args)
{
    const uint8_t *src = args->p[ADN_SRC];
    real *dst = args->p[ADN_DST];
    size_t n = adn_shape_count(d->src), n_channel = (size_t)d->src.c;

    for (size_t k = 0; k < n; k += n_channel)
        for (size_t c = 0; c < n_channel; c++)
            dst[k + c] =
                ((real)src[k + c] / 255 - (real)d->u.pixel.mean[c]) / (real)d->u.pixel.std[c];
}
