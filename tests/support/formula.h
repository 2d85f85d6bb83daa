/* Weights, pixels and labels from a formula that C and Python (record_bp.py) evaluate to the same
 * bits: 32-bit integers, and products that are exact in double. */
#ifndef ADN_TESTS_FORMULA_H
#define ADN_TESTS_FORMULA_H

#include <math.h>
#include <stdint.h>

/* Streams beside those of the parameters, which are numbered from 0; and what stands for the fan_in
 * of a norm's bias, so that it lies within 1/2 (record_bp.py says why not 0). */
enum {
    ADN_FORMULA_PIXELS = 0x10000,
    ADN_FORMULA_LABELS = 0x20000,
    ADN_FORMULA_NORM_FAN_IN = 4,
};

static inline uint32_t adn_formula_mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    x ^= x >> 16;
    return x;
}

static inline uint32_t adn_formula_u32(uint32_t stream, uint32_t index)
{
    return adn_formula_mix(adn_formula_mix(index) + stream * 0x9e3779b9u);
}

/* Element `index` (in PyTorch's order: OIHW, or out x in) of a parameter, uniform within
 * 1/sqrt(fan_in): the weight or bias of a convolution or linear layer (both have the weight's
 * fan_in), or the bias of a norm. Weights of norms are 1. `tensor` counts all parameters of the net
 * from 0, those of norms too, in the order of record_bp.py. 24 bits times 24 bits: exact in double.
 */
static inline double adn_formula_param(uint32_t tensor, uint32_t index, uint32_t fan_in)
{
    double u = (double)(adn_formula_u32(tensor, index) >> 8) / 16777216.0;
    return (2.0 * u - 1.0) * (double)(float)(1.0 / sqrt((double)fan_in));
}

/* Step from 1; index in NHWC order. */
static inline uint8_t adn_formula_pixel(uint32_t step, uint32_t index)
{
    return (uint8_t)(adn_formula_u32(ADN_FORMULA_PIXELS + step, index) & 255u);
}

static inline int adn_formula_label(uint32_t step, uint32_t sample)
{
    return (int)(adn_formula_u32(ADN_FORMULA_LABELS + step, sample) % 10u);
}

#endif
