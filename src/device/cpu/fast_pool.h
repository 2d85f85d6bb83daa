/* Rows of pools: what pools of their own and those behind a norm are made of. Rows are w pixels of
 * c channels; pooled rows half as many, or one. */
#ifndef ADN_FAST_POOL_H
#define ADN_FAST_POOL_H

#include "device/cpu/act.h"

#define adn_pool_max          ACT(adn_pool_max)
#define adn_pool_max_grad     ACT(adn_pool_max_grad)
#define adn_pool_average      ACT(adn_pool_average)
#define adn_pool_average_grad ACT(adn_pool_average_grad)

/* dst: w pooled pixels, the maxima of 2x2 of two rows; index may be NULL. */
void adn_pool_max(act *restrict dst, uint8_t *restrict index, const act *restrict top,
                  const act *restrict low, size_t w, size_t c);
/* Both rows: the gradient where the index says, else zero. */
void adn_pool_max_grad(float *restrict top, float *restrict low, const act *restrict grad,
                       const uint8_t *restrict index, size_t w, size_t c);

/* dst[c] = the mean over a window of h rows, `stride` elements apart, of w pixels each. */
void adn_pool_average(act *restrict dst, const act *restrict src, size_t stride, size_t h, size_t w,
                      size_t c);
/* Such a window: grad[c] spread evenly; added to what is there if `adds`. */
void adn_pool_average_grad(float *restrict dst, const act *restrict grad, size_t stride, size_t h,
                           size_t w, size_t c, bool adds);

#endif
