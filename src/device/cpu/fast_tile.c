/* The tiles for each vector width, and the choice among them. */
#include "device/cpu/fast_tile.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define VEC        __m256
#define LOAD       _mm256_loadu_ps
#define STORE      _mm256_storeu_ps
#define SPREAD     _mm256_set1_ps
#define FMA        _mm256_fmadd_ps
#define LANES      8
#define TARGET     __attribute__((target("avx2,fma")))
#define NAME(name) name##_avx2
#define NAME_TEXT  "avx2"
#include "device/cpu/fast_tile_body.h"

#define VEC        __m512
#define LOAD       _mm512_loadu_ps
#define STORE      _mm512_storeu_ps
#define SPREAD     _mm512_set1_ps
#define FMA        _mm512_fmadd_ps
#define LANES      16
#define TARGET     __attribute__((target("avx512f")))
#define NAME(name) name##_avx512
#define NAME_TEXT  "avx512"
#include "device/cpu/fast_tile_body.h"
#endif

/* Any processor: the compiler knows what four floats are there. */
typedef float four __attribute__((vector_size(16)));
typedef float four_anywhere __attribute__((vector_size(16), aligned(4), may_alias));

#define VEC          four
#define LOAD(p)      ((four) * (const four_anywhere *)(p))
#define STORE(p, v)  (*(four_anywhere *)(p) = (v))
#define SPREAD(x)    ((four){(x), (x), (x), (x)})
#define FMA(a, b, c) ((a) * (b) + (c))
#define LANES        4
#define TARGET
#define NAME(name) name##_plain
#define NAME_TEXT  "plain"
#include "device/cpu/fast_tile_body.h"

const adn_tiles *adn_tiles_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return &tiles_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &tiles_avx2;
#endif
    return &tiles_plain;
}
