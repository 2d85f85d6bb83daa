// Conversions of fp16 and bf16.
#include "half.h"

#include <cmath>

#include "machine.h"

namespace ptxi
{

namespace
{

const uint32_t FLOAT_INFINITY = 0x7f800000;
const uint32_t EXPONENT_SHIFT = 112; // fp32's exponent bias, 127, less fp16's, 15
const float SMALLEST_HALF = 0x1p-24f;

} // namespace

float half_to_float(uint16_t half)
{
    uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31u, fraction = half & 1023u;
    if (exponent == 31) return from_bits<float>(sign | FLOAT_INFINITY | fraction << 13);
    if (exponent == 0) {
        float value = static_cast<float>(fraction) * SMALLEST_HALF;
        return sign ? -value : value;
    }
    return from_bits<float>(sign | (exponent + EXPONENT_SHIFT) << 23 | fraction << 13);
}

uint16_t float_to_half(float value)
{
    uint32_t bits = static_cast<uint32_t>(to_bits(value));
    uint32_t sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > FLOAT_INFINITY) return 0x7fff;
    if (bits >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00); // rounds to infinity
    if (bits < 0x38800000) {                                             // subnormal as fp16
        float magnitude = from_bits<float>(bits);
        return static_cast<uint16_t>(
            sign | static_cast<uint32_t>(std::nearbyint(magnitude / SMALLEST_HALF)));
    }
    uint32_t rounded = bits + 0xfff + (bits >> 13 & 1);
    return static_cast<uint16_t>(sign | ((rounded >> 13) - (EXPONENT_SHIFT << 10)));
}

float bfloat_to_float(uint16_t bfloat)
{
    return from_bits<float>(static_cast<uint32_t>(bfloat) << 16);
}

uint16_t float_to_bfloat(float value)
{
    uint32_t bits = static_cast<uint32_t>(to_bits(value));
    if ((bits & 0x7fffffff) > FLOAT_INFINITY) return 0x7fff;
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

} // namespace ptxi
