/* Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011; checked against Random123's
 * published vectors). A draw is a function of (seed, purpose, a, b): no state, no order, no thread.
 */
#ifndef ADN_RNG_H
#define ADN_RNG_H

#include <stdint.h>

typedef enum adn_purpose { /* what a draw is for: two purposes never share numbers */
                           ADN_RNG_INIT = 1, /* a: hash of the parameter's name, b: element / 4 */
                           ADN_RNG_ORDER,    /* a: epoch, b: position / 4 */
                           ADN_RNG_AUGMENT, /* a: epoch, b: sample * 16 + number of the transform */
                           ADN_RNG_TEST,    /* tests and benchmarks */
                           ADN_RNG_REPLAY,  /* a: edge, b: number of the read */
                           ADN_RNG_SPREAD,  /* a: block, b: its update: how long the step takes */
                           ADN_RNG_LOSS,    /* a: edge, b: the producer's update */
                           ADN_RNG_TICK     /* a: 0, b: tick: whose turn it is */
} adn_purpose;

typedef struct adn_draw {
    uint32_t u[4];
} adn_draw;

/* a and b below 2^48 and 2^64. Any thread. */
adn_draw adn_rng_draw(uint64_t seed, adn_purpose purpose, uint64_t a, uint64_t b);

/* [0, 1) with 24 bits, exact in float. */
static inline float adn_rng_unit(uint32_t u)
{
    return (float)(u >> 8) * 0x1p-24f;
}

/* 0 .. n-1 from one word (multiply-shift; bias below n / 2^32). */
static inline uint32_t adn_rng_below(uint32_t u, uint32_t n)
{
    return (uint32_t)(((uint64_t)u * n) >> 32);
}

/* FNV-1a, 48 bits kept: a name as a counter word. */
uint64_t adn_rng_hash(const char *name);

#endif
