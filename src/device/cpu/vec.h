/* A vector of floats, as wide as the processor that a hot file is compiled for (cpu.cmake).
 *
 * vec_stream stores past the caches, to whole vectors' places: a line that is written whole need
 * not be read before. Other threads see it after vec_stream_end alone. */
#ifndef ADN_VEC_H
#define ADN_VEC_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 vec;
enum { LANES = 16 };
#define vec_load         _mm512_loadu_ps
#define vec_store        _mm512_storeu_ps
#define vec_stream       _mm512_stream_ps
#define vec_stream_end   _mm_sfence
#define vec_spread       _mm512_set1_ps
#define vec_fma          _mm512_fmadd_ps
#define vec_widen(half)  ((vec_bits)_mm512_cvtepu16_epi32((__m256i)(half)))
#define vec_narrow(bits) ((vec_half)_mm512_cvtepi32_epi16((__m512i)(bits)))
#define vec_zip_low(a, b)                                                                          \
    _mm512_permutex2var_ps(                                                                        \
        a, _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), b)
#define vec_zip_high(a, b)                                                                         \
    _mm512_permutex2var_ps(                                                                        \
        a, _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), b)

#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
typedef __m256 vec;
enum { LANES = 8 };
#define vec_load        _mm256_loadu_ps
#define vec_store       _mm256_storeu_ps
#define vec_stream      _mm256_stream_ps
#define vec_stream_end  _mm_sfence
#define vec_spread      _mm256_set1_ps
#define vec_fma         _mm256_fmadd_ps
#define vec_widen(half) ((vec_bits)_mm256_cvtepu16_epi32((__m128i)(half)))
#define vec_narrow(bits)                                                                           \
    ((vec_half)_mm_packus_epi32(_mm256_castsi256_si128((__m256i)(bits)),                           \
                                _mm256_extracti128_si256((__m256i)(bits), 1)))

#else /* any processor: the compiler knows what four floats are there */
typedef float vec __attribute__((vector_size(16)));
typedef float adn_vec_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
enum { LANES = 4 };
#define vec_load(p)        ((vec) * (const adn_vec_anywhere *)(p))
#define vec_store(p, v)    (*(adn_vec_anywhere *)(p) = (v))
#define vec_stream         vec_store
#define vec_stream_end()   ((void)0) /* nothing is streamed there (fast_tile.h) */
#define vec_spread(x)      ((vec){(x), (x), (x), (x)})
#define vec_fma(a, b, c)   ((a) * (b) + (c))
#define vec_widen(half)    __builtin_convertvector(half, vec_bits)
#define vec_narrow(bits)   __builtin_convertvector(bits, vec_half)
#define vec_zip_low(a, b)  ((vec){(a)[0], (b)[0], (a)[1], (b)[1]})
#define vec_zip_high(a, b) ((vec){(a)[2], (b)[2], (a)[3], (b)[3]})
#endif

#define VEC_INLINE static inline __attribute__((always_inline))

/* The lanes' bits, and halves of them: vec_widen, vec_narrow (what fits) are between them. */
typedef uint32_t vec_bits __attribute__((vector_size(sizeof(vec))));
typedef uint16_t vec_half __attribute__((vector_size(sizeof(vec) / 2)));

/* Comparing vectors gives all bits or none a lane; one of two by such a mask. */
typedef int32_t vec_mask __attribute__((vector_size(sizeof(vec))));

VEC_INLINE vec vec_pick(vec_mask mask, vec yes, vec no)
{
    return (vec)((mask & (vec_mask)yes) | (~mask & (vec_mask)no));
}

/* a + by b. Vectors add, subtract and multiply as numbers do. */
VEC_INLINE vec vec_add_scaled(vec a, float by, vec b)
{
    return vec_fma(vec_spread(by), b, a);
}

VEC_INLINE vec vec_scaled(float by, vec a)
{
    return vec_spread(by) * a;
}

/* The first n lanes, the others zero; the first n lanes alone. */
VEC_INLINE vec vec_load_some(const float *p, size_t n)
{
    float all[LANES] = {0};
    memcpy(all, p, n * sizeof(*all));
    return vec_load(all);
}

VEC_INLINE void vec_store_some(float *p, vec v, size_t n)
{
    float all[LANES];
    vec_store(all, v);
    memcpy(p, all, n * sizeof(*all));
}

/* Turns a square of LANES rows. */
VEC_INLINE void vec_turn(vec rows[LANES])
{
#ifdef vec_zip_low
    /* After each round of zipping rows k and k + LANES / 2, the bits of rows' and columns' numbers
     * have moved round by one. */
    vec zipped[LANES];

    _Pragma("GCC unroll 4") for (size_t done = 1; done < LANES; done *= 2)
    {
        _Pragma("GCC unroll 8") for (size_t k = 0; k < LANES / 2; k++)
        {
            zipped[2 * k] = vec_zip_low(rows[k], rows[k + LANES / 2]);
            zipped[2 * k + 1] = vec_zip_high(rows[k], rows[k + LANES / 2]);
        }
        _Pragma("GCC unroll 16") for (size_t k = 0; k < LANES; k++) rows[k] = zipped[k];
    }
#else
    /* Here a zip stays in halves of a vector: two rounds, then the halves change places. */
    vec half[LANES]; /* [k]: of rows k / 4 * 4 and on, column k % 4, then column k % 4 + 4 */

    _Pragma("GCC unroll 2") for (size_t k = 0; k < LANES; k += 4)
    {
        vec even_low = _mm256_unpacklo_ps(rows[k], rows[k + 2]);
        vec even_high = _mm256_unpackhi_ps(rows[k], rows[k + 2]);
        vec odd_low = _mm256_unpacklo_ps(rows[k + 1], rows[k + 3]);
        vec odd_high = _mm256_unpackhi_ps(rows[k + 1], rows[k + 3]);
        half[k] = _mm256_unpacklo_ps(even_low, odd_low);
        half[k + 1] = _mm256_unpackhi_ps(even_low, odd_low);
        half[k + 2] = _mm256_unpacklo_ps(even_high, odd_high);
        half[k + 3] = _mm256_unpackhi_ps(even_high, odd_high);
    }
    _Pragma("GCC unroll 4") for (size_t k = 0; k < 4; k++)
    {
        rows[k] = _mm256_permute2f128_ps(half[k], half[k + 4], 0x20);
        rows[k + 4] = _mm256_permute2f128_ps(half[k], half[k + 4], 0x31);
    }
#endif
}

#endif
