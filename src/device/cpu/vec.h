/* A vector of floats, as wide as the processor that a hot file is compiled for (cpu.cmake). */
#ifndef ADN_VEC_H
#define ADN_VEC_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 vec;
enum { LANES = 16 };
#define vec_load   _mm512_loadu_ps
#define vec_store  _mm512_storeu_ps
#define vec_spread _mm512_set1_ps
#define vec_fma    _mm512_fmadd_ps

#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
typedef __m256 vec;
enum { LANES = 8 };
#define vec_load   _mm256_loadu_ps
#define vec_store  _mm256_storeu_ps
#define vec_spread _mm256_set1_ps
#define vec_fma    _mm256_fmadd_ps

#else /* any processor: the compiler knows what four floats are there */
typedef float vec __attribute__((vector_size(16)));
typedef float adn_vec_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
enum { LANES = 4 };
#define vec_load(p)      ((vec) * (const adn_vec_anywhere *)(p))
#define vec_store(p, v)  (*(adn_vec_anywhere *)(p) = (v))
#define vec_spread(x)    ((vec){(x), (x), (x), (x)})
#define vec_fma(a, b, c) ((a) * (b) + (c))
#endif

#define VEC_INLINE static inline __attribute__((always_inline))

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

#endif
