/* FNV-1a, 64 bits: names what is long, and finds what a disk or a kill did to bytes; an enemy it
 * does not stop. */
#ifndef ADN_HASH_H
#define ADN_HASH_H

#include <stddef.h>
#include <stdint.h>

#define ADN_HASH_OF_NOTHING UINT64_C(0xcbf29ce484222325)

/* Goes on from the hash of what stands before. */
static inline uint64_t adn_hash_on(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = (const unsigned char *)bytes;

    for (size_t k = 0; k < n; k++) hash = (hash ^ p[k]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
