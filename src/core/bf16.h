/* bfloat16: the upper half of a float. */
#ifndef ADN_BF16_H
#define ADN_BF16_H

#include <stdint.h>
#include <string.h>

typedef struct adn_bf16 {
    uint16_t bits;
} adn_bf16;

static inline float adn_bf16_float(adn_bf16 x)
{
    uint32_t bits = (uint32_t)x.bits << 16;
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* The nearest, of two the even one; what is not a number stays so. */
static inline adn_bf16 adn_bf16_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof(bits));
    uint32_t near = bits + 0x7fff + (bits >> 16 & 1), quiet = bits | 0x400000;
    uint32_t is_number = -(uint32_t)(f == f); /* a mask: gcc would choose in halves otherwise */
    return (adn_bf16){(uint16_t)(((is_number & near) | (~is_number & quiet)) >> 16)};
}

#endif
