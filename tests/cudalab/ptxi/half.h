// fp16 and bf16, as bits.
#pragma once
#include <cstdint>

namespace ptxi
{

float half_to_float(uint16_t half);
uint16_t float_to_half(float value); // to nearest even; NaN is 0x7fff
float bfloat_to_float(uint16_t bfloat);
uint16_t float_to_bfloat(float value); // to nearest even; NaN is 0x7fff

} // namespace ptxi
