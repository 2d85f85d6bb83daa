/* Products of matrices: linear layers and 1x1 convolutions, all passes, by the tiles of
 * fast_tile.h. A convolution's pixels are the batch's rows; weights lie in panels (fast_panel.h).
 *
 *   forward               dst      = src W          rows: the batch's   panels: W
 *   gradients of inputs   grad_src = grad_dst W'    rows: the batch's   panels: W, turned
 *   gradients of weights  grad_W   = src' grad_dst  rows: inputs        panels: grad_dst
 *
 * Rows are taken in blocks, and what is summed over, the depth, in pieces, so that a block's rows
 * of a piece and a panel of it lie in a second-level cache (Goto & van de Geijn 2008). Every sum
 * has an order of its own: the bits do not depend on the team. */
#ifndef ADN_FAST_MATRIX_H
#define ADN_FAST_MATRIX_H

#include "device/cpu/fast_panel.h"

#define adn_matrix_plan_grad HOT(adn_matrix_plan_grad)

typedef struct adn_matrix {
    const adn_panels *panels;
    size_t n_row, n_col, depth; /* of the product */
    size_t n_panel;             /* of its columns */
    size_t n_block, n_piece;    /* of its rows, of its depth; nearly alike */
    bool is_packed;             /* a block's rows are copied: whole ones are not read */
    bool is_turned;             /* panels are turned when they are needed */
    bool is_far;                /* weights are fetched ahead */
    size_t row;                 /* floats from a row to the next, packed or not */
    size_t block, turned;       /* floats of a thread's buffers: of a block, of a turned panel */
    size_t n_offset, *offset;   /* of a block's rows; for gradients of weights, of a piece's */
} adn_matrix;

/* n_row rows of n floats. */
static inline void matrix_copy(float *to, size_t to_row, const float *from, size_t from_row,
                               size_t n_row, size_t n)
{
    for (size_t r = 0; r < n_row; r++)
        memcpy(to + r * to_row, from + r * from_row, n * sizeof(*to));
}

/* Where such rows are read: where they lie, or in a copy. */
static inline const float *matrix_take(const adn_matrix *m, const float *from, size_t from_row,
                                       size_t n_row, size_t n, float *buffer)
{
    if (!m->is_packed) return from;
    matrix_copy(buffer, m->row, from, from_row, n_row, n);
    return buffer;
}

/* The gradients of weights (fast_matrix_grad.c) for n_row rows of the batch: fills op->run and m;
 * gives the floats of its workspace. */
size_t adn_matrix_plan_grad(adn_cpu_op *op, adn_matrix *m, size_t n_row);

#endif
