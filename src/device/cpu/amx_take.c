/* Activations as factors (amx_take.h). */
#include "device/cpu/amx_take.h"

#include <immintrin.h>

#include "device/cpu/vec.h"

adn_amx_rows adn_amx_rows_of(const adn_amx_map *m, const adn_bf16 *map)
{
    return (adn_amx_rows){.map = map,
                          .n = m->n,
                          .h = m->h,
                          .row = m->w * m->c,
                          .places = m->w_in,
                          .step = m->is_narrow ? m->stride * m->c : m->c,
                          .back = m->is_narrow ? m->pad * m->c : 0,
                          .n_in = m->n_in,
                          .n_step = adn_amx_steps(m->n_in),
                          .place = adn_amx_steps(m->n_in) * STEP,
                          .plane = STEP};
}

/* The first n of a step's elements. */
VEC_INLINE __mmask32 first_of(ptrdiff_t n)
{
    if (n <= 0) return 0;
    return n >= SIDE ? ~(__mmask32)0 : ((__mmask32)1 << n) - 1;
}

/* Step k of the place that begins at element `at` of a row. */
VEC_INLINE __m512i take(const adn_amx_rows *r, const adn_bf16 *row, ptrdiff_t at, size_t k)
{
    ptrdiff_t from = at + (ptrdiff_t)(k * SIDE);
    __mmask32 mask = first_of((ptrdiff_t)(r->n_in - k * SIDE));

    if (r->back > 0) mask &= first_of((ptrdiff_t)r->row - from) & ~first_of(-from);
    return _mm512_maskz_loadu_epi16(mask, row + from);
}

/* Of an image of the group; NULL: there is none. */
static const adn_bf16 *row_of(const adn_amx_rows *r, size_t image, size_t y)
{
    return image < r->n ? r->map + (image * r->h + y) * r->row : NULL;
}

void adn_amx_take_left(const adn_amx_rows *r, size_t group, size_t y, adn_bf16 *to)
{
    for (size_t m = 0; m < SIDE; m++) {
        const adn_bf16 *row = row_of(r, group * SIDE + m, y);
        adn_bf16 *at = to + m * SIDE;
        ptrdiff_t from = -(ptrdiff_t)r->back;
        if (row == NULL) return;
        for (size_t x = 0; x < r->places; x++, from += (ptrdiff_t)r->step, at += r->place)
            for (size_t k = 0; k < r->n_step; k++)
                _mm512_storeu_si512(at + k * r->plane, take(r, row, from, r->first + k));
    }
}

void adn_amx_take_right(const adn_amx_rows *r, size_t group, size_t y, adn_bf16 *to)
{
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                         8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(HALF));

    for (size_t m = 0; m < SIDE; m += 2) {
        const adn_bf16 *even = row_of(r, group * SIDE + m, y);
        const adn_bf16 *odd = row_of(r, group * SIDE + m + 1, y);
        adn_bf16 *at = to + m / 2 * SIDE;
        ptrdiff_t from = -(ptrdiff_t)r->back;
        for (size_t x = 0; x < r->places; x++, from += (ptrdiff_t)r->step, at += r->place) {
            for (size_t k = 0; k < r->n_step; k++) {
                adn_bf16 *step = at + k * r->plane;
                __m512i a = _mm512_setzero_si512(), b = a;
                if (even != NULL) a = take(r, even, from, r->first + k);
                if (odd != NULL) b = take(r, odd, from, r->first + k);
                _mm512_storeu_si512(step, _mm512_permutex2var_epi16(a, low, b));
                _mm512_storeu_si512(step + STEP / 2, _mm512_permutex2var_epi16(a, high, b));
            }
        }
    }
}

void adn_amx_turn(adn_bf16 *factors, size_t n)
{
    for (size_t t = 0; t < 2 * n; t++, factors += STEP / 2) {
        vec rows[LANES];
        _Pragma("GCC unroll 16") for (size_t k = 0; k < LANES; k++)
            memcpy(&rows[k], factors + k * SIDE, sizeof(vec));
        vec_turn(rows);
        _Pragma("GCC unroll 16") for (size_t k = 0; k < LANES; k++)
            memcpy(factors + k * SIDE, &rows[k], sizeof(vec));
    }
}
