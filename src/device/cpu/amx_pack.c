/* Weights as factors (amx_pack.h). */
#include "device/cpu/amx_pack.h"

#include <immintrin.h>

/* Two rows of a panel, of which the first is the one before the other in depth: to[2][HALF][2]. */
static void pack_rows(const float *even, const float *odd, adn_bf16 *to)
{
    const __m512i zip = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);

    for (size_t half = 0; half < 2; half++) {
        vec a = even != NULL ? vec_load(even + half * HALF) : vec_spread(0);
        vec b = odd != NULL ? vec_load(odd + half * HALF) : vec_spread(0);
        __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
        _mm512_storeu_si512(to + half * STEP / 2, _mm512_permutexvar_epi16(zip, both));
    }
}

/* A tap's inputs as they lie: n rows. */
static void pack_forward(const float *weight, size_t n, adn_bf16 *to)
{
    for (size_t i = 0; i < fast_round_up(n, SIDE); i += 2) {
        const float *row = weight + i * SIDE;
        pack_rows(i < n ? row : NULL, i + 1 < n ? row + SIDE : NULL,
                  to + i / SIDE * STEP + i % SIDE * HALF);
    }
}

/* A square of n rows, which are outputs of this pass, and SIDE inputs. */
static void pack_turned(const float *weight, size_t n, adn_bf16 *to)
{
    for (size_t half = 0; half < 2; half++) {
        vec rows[LANES];
        _Pragma("GCC unroll 16") for (size_t r = 0; r < LANES; r++)
        {
            const float *row = weight + (half * HALF + r) * SIDE;
            rows[r] = half * HALF + r < n
                          ? (vec)_mm512_cvtne2ps_pbh(vec_load(row + HALF), vec_load(row))
                          : vec_spread(0);
        }
        vec_turn(rows);
        _Pragma("GCC unroll 16") for (size_t r = 0; r < LANES; r++)
            memcpy(to + half * STEP / 2 + r * SIDE, &rows[r], sizeof(vec));
    }
}

void adn_amx_pack(const adn_amx_map *m, const adn_panels *p, const float *weight, size_t panel,
                  adn_bf16 *to)
{
    size_t n_tap = m->kernel * m->taps_x, n_step = adn_amx_steps(m->n_in);

    for (size_t tap = 0; tap < n_tap; tap++) {
        if (!m->is_back) {
            pack_forward(weight + (panel * n_tap + tap) * m->n_in * SIDE, m->n_in,
                         to + tap * n_step * STEP);
            continue;
        }
        for (size_t k = 0; k < n_step; k++)
            pack_turned(weight + ((k * n_tap + tap) * p->n_in + panel * SIDE) * SIDE,
                        ADN_MIN(SIDE, p->n_in - panel * SIDE), to + (tap * n_step + k) * STEP);
    }
}
