/* Between floats and bf16. */
#include "device/cpu/act.h"

enum { CHUNK = 16384 }; /* elements a thread takes at a time: whole vectors */

static void widen(float *dst, const adn_bf16 *src, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) vec_store(dst + i, vec_load_bf16(src + i));
    for (; i < n; i++) dst[i] = adn_bf16_float(src[i]);
}

static void narrow(adn_bf16 *dst, const float *src, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) vec_store_bf16(dst + i, vec_load(src + i));
    for (; i < n; i++) dst[i] = adn_bf16_of(src[i]);
}

void adn_widen(float *dst, const adn_bf16 *src, size_t n)
{
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK) widen(dst + at, src + at, ADN_MIN(CHUNK, n - at));
}

void adn_narrow(adn_bf16 *dst, const float *src, size_t n)
{
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK) narrow(dst + at, src + at, ADN_MIN(CHUNK, n - at));
}
