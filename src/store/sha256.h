/* SHA-256 (FIPS 180-4), for the manifest's hashes. */
#ifndef ADN_SHA256_H
#define ADN_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct adn_sha256 {
    uint32_t state[8];
    uint64_t n_bytes;
    uint8_t block[64]; /* its first n_bytes % 64 bytes wait for the rest */
} adn_sha256;

enum { ADN_SHA256_TEXT = 65 }; /* 64 hexadecimal digits and a 0 */

void adn_sha256_init(adn_sha256 *h);
void adn_sha256_add(adn_sha256 *h, const void *bytes, size_t n);
void adn_sha256_text(adn_sha256 *h, char out[ADN_SHA256_TEXT]); /* ends h */

void adn_sha256_of(const void *bytes, size_t n, char out[ADN_SHA256_TEXT]);

#endif
