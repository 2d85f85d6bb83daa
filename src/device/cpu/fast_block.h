/* A convolution of stride 1 over NHWC cut into blocks: a few images, or some rows of one. A block
 * is copied into a buffer with its border of zeros: every tap of every pixel is one offset. */
#ifndef ADN_FAST_BLOCK_H
#define ADN_FAST_BLOCK_H

#include "device/cpu/fast.h"

#define adn_blocks_create HOT(adn_blocks_create)
#define adn_blocks_at     HOT(adn_blocks_at)
#define adn_blocks_fill   HOT(adn_blocks_fill)

typedef struct adn_conv {
    size_t n, h, w, c, h_out, w_out, o, kernel, pad;
} adn_conv;

/* What a pass runs: a convolution's own sizes, or for gradients of inputs those of the one that
 * carries gradients back. */
static inline adn_conv adn_conv_of(const adn_op_desc *d)
{
    adn_conv v = {(size_t)d->src.n, (size_t)d->src.h,         (size_t)d->src.w,
                  (size_t)d->src.c, (size_t)d->dst.h,         (size_t)d->dst.w,
                  (size_t)d->dst.c, (size_t)d->u.conv.kernel, (size_t)d->u.conv.pad};

    if (d->kind != ADN_OP_CONV_GRAD_SRC) return v;
    return (adn_conv){v.n, v.h_out, v.w_out, v.o, v.h, v.w, v.c, v.kernel, v.kernel - 1 - v.pad};
}

typedef struct adn_blocks {
    adn_conv v;
    size_t n_tap, n_in;          /* taps, inputs of each; a narrow map's row of taps is one */
    size_t n_block, n_row_block; /* of all; of an image */
    size_t images, rows;         /* of a block: images, output rows of each */
    size_t h_pad;                /* rows of each in the buffer */
    size_t pixel, row, buffer;   /* floats of a pixel, of a row, of all of the buffer */
    size_t n_pixel;              /* output pixels of a whole block */
    size_t *tap, *offset;        /* [n_tap], [n_pixel], in floats; behind the struct */
} adn_blocks;

/* A block: its first output pixel of all, how many it has, its first image and row. */
typedef struct adn_block {
    size_t first, n, image, y;
} adn_block;

/* Blocks of at most `room` pixels (but at least a row); adn_free. NULL: no memory. */
adn_blocks *adn_blocks_create(const adn_conv *v, size_t room);
adn_block adn_blocks_at(const adn_blocks *d, size_t b);
/* Fills the buffer; gives what offsets and taps count from. */
const float *adn_blocks_fill(const adn_blocks *d, const adn_block *k, float *buffer,
                             const float *src);

#endif
