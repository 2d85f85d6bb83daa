/* Sums over rows of channels and over their squares: the moments that a norm needs. */
#ifndef ADN_FAST_NORM_H
#define ADN_FAST_NORM_H

#include "device/cpu/fast.h"

#define adn_norm_sum_rows HOT(adn_norm_sum_rows)
#define adn_norm_add_up   HOT(adn_norm_add_up)
#define adn_norm_moments  HOT(adn_norm_moments)

/* Rows whose sums a float still holds well: as many as are summed before they become doubles. */
enum { NORM_SUM_ROWS = 512 };

static inline size_t norm_n_part(size_t n)
{
    return (n + NORM_SUM_ROWS - 1) / NORM_SUM_ROWS;
}

/* sum[c], square[c] += of n rows, `stride` floats apart. */
void adn_norm_sum_rows(float *restrict sum, float *restrict square, const float *restrict x,
                       size_t n, size_t stride, size_t c);
/* sums[2][c] = n parts [2][c] added up in their order. */
void adn_norm_add_up(double *sums, const float *parts, size_t n, size_t c);
/* sums[2][c] of n rows of c, by the calling thread's team. parts: [norm_n_part(n)][2][c]. */
void adn_norm_moments(double *sums, const float *x, size_t n, size_t c, float *parts);

#endif
