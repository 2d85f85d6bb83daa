/* Sums over rows of channels and over their squares: the moments that a norm needs. */
#ifndef ADN_FAST_MOMENTS_H
#define ADN_FAST_MOMENTS_H

#include "device/cpu/act.h"

#define adn_moments_sum    ACT(adn_moments_sum)
#define adn_moments_add_up ACT(adn_moments_add_up)
#define adn_moments_of     ACT(adn_moments_of)

/* Rows whose sums a float still holds well: as many as are summed before they become doubles. */
enum { MOMENTS_ROWS = 512 };

static inline size_t moments_n_part(size_t n)
{
    return fast_parts(n, MOMENTS_ROWS);
}

/* sum[c], square[c] += of n rows, `stride` floats apart. */
void adn_moments_sum(float *restrict sum, float *restrict square, const act *restrict x, size_t n,
                     size_t stride, size_t c);
/* sums[2][c] = n parts [2][c] added up in their order. */
void adn_moments_add_up(double *sums, const float *parts, size_t n, size_t c);
/* sums[2][c] of n rows of c, by the calling thread's team. parts: [moments_n_part(n)][2][c]. */
void adn_moments_of(double *sums, const act *x, size_t n, size_t c, float *parts);

#endif
