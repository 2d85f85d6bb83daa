/* Moments of rows. */
#include "device/cpu/fast_moments.h"

#include <string.h>

void adn_moments_sum(float *restrict sum, float *restrict square, const act *restrict x, size_t n,
                     size_t stride, size_t c)
{
    for (; n > 0; n--, x += stride) {
        ADN_SIMD
        for (size_t i = 0; i < c; i++) {
            float at = act_get(x[i]);
            sum[i] += at;
            square[i] += at * at;
        }
    }
}

void adn_moments_add_up(double *sums, const float *parts, size_t n, size_t c)
{
    memset(sums, 0, 2 * c * sizeof(*sums));
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < 2 * c; i++) sums[i] += (double)parts[k * 2 * c + i];
}

static void sum_rows_about(float *restrict sum, float *restrict square, const act *restrict x,
                           const act *restrict about, size_t n, size_t c)
{
    for (; n > 0; n--, x += c) {
        ADN_SIMD
        for (size_t i = 0; i < c; i++) {
            float off = act_get(x[i]) - act_get(about[i]);
            sum[i] += off;
            square[i] += off * off;
        }
    }
}

/* Floats hold sums about the first row, so that a mean far from zero costs no digits. */
void adn_moments_of(double *sums, const act *x, size_t n, size_t c, float *parts)
{
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < moments_n_part(n); k++) {
        float *part = parts + k * 2 * c;
        size_t first = k * MOMENTS_ROWS;
        memset(part, 0, 2 * c * sizeof(*part));
        sum_rows_about(part, part + c, x + first * c, x, ADN_MIN(MOMENTS_ROWS, n - first), c);
    }
    adn_moments_add_up(sums, parts, moments_n_part(n), c);
    for (size_t i = 0; i < c; i++) {
        double about = (double)act_get(x[i]), all = (double)n * about;
        sums[c + i] += about * (2 * sums[i] + all);
        sums[i] += all;
    }
}
