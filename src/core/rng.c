/* Philox4x32-10. */
#include "core/rng.h"

#include <string.h>

#include "core/hash.h"

static void mulhilo(uint32_t a, uint32_t b, uint32_t *hi, uint32_t *lo)
{
    uint64_t p = (uint64_t)a * b;
    *hi = (uint32_t)(p >> 32);
    *lo = (uint32_t)p;
}

adn_draw adn_rng_draw(uint64_t seed, adn_purpose purpose, uint64_t a, uint64_t b)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    adn_draw d = {{(uint32_t)b, (uint32_t)(b >> 32), (uint32_t)a,
                   ((uint32_t)(a >> 32) & 0xffff) | (uint32_t)purpose << 16}};

    for (int round = 0; round < 10; round++) {
        uint32_t hi0, lo0, hi1, lo1;
        mulhilo(0xD2511F53u, d.u[0], &hi0, &lo0);
        mulhilo(0xCD9E8D57u, d.u[2], &hi1, &lo1);
        d = (adn_draw){{hi1 ^ d.u[1] ^ k0, lo1, hi0 ^ d.u[3] ^ k1, lo0}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return d;
}

uint64_t adn_rng_hash(const char *name)
{
    uint64_t h = adn_hash_on(ADN_HASH_OF_NOTHING, name, strlen(name));
    return (h ^ h >> 48) & 0xffffffffffffu;
}
