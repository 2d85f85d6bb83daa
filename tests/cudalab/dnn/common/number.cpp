#include "number.h"
#include <cmath>
#include <cstring>
#include <immintrin.h>

namespace lab
{
namespace
{
template <class To, class From> To bits_as(From from)
{
    static_assert(sizeof(To) == sizeof(From), "a reinterpretation keeps the size");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}

float float_of_bf16(uint16_t half)
{
    return bits_as<float>((uint32_t)half << 16);
}

// To the nearest, ties to even. A NaN stays one: the carry could otherwise run into its sign.
uint16_t bf16_of_float(float value)
{
    const uint32_t bits = bits_as<uint32_t>(value);
    const uint32_t nearest = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;

    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? 0x7fff : nearest);
}

float float_of_f16(uint16_t half)
{
    return _cvtsh_ss(half);
}

uint16_t f16_of_float(float value)
{
    return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
}

template <class T> double at(const void *base, int64_t index)
{
    return (double)((const T *)base)[index];
}

template <class T> void put(void *base, int64_t index, double value)
{
    ((T *)base)[index] = (T)value;
}

void put_bit(void *base, int64_t index, bool is_set)
{
    uint8_t &byte = ((uint8_t *)base)[index >> 3];
    const uint8_t mask = (uint8_t)(1 << (index & 7));

    byte = (uint8_t)(is_set ? byte | mask : byte & ~mask);
}
} // namespace

int bits_of(Number type)
{
    switch (type) {
    case Number::f64:
    case Number::i64:
    case Number::u64:
        return 64;
    case Number::f32:
    case Number::i32:
    case Number::u32:
        return 32;
    case Number::f16:
    case Number::bf16:
        return 16;
    case Number::i8:
    case Number::u8:
        return 8;
    case Number::bit:
        return 1;
    case Number::none:
        break;
    }
    return 0;
}

double load(const void *base, int64_t index, Number type)
{
    switch (type) {
    case Number::f32:
        return at<float>(base, index);
    case Number::f64:
        return at<double>(base, index);
    case Number::f16:
        return float_of_f16(((const uint16_t *)base)[index]);
    case Number::bf16:
        return float_of_bf16(((const uint16_t *)base)[index]);
    case Number::i8:
        return at<int8_t>(base, index);
    case Number::u8:
        return at<uint8_t>(base, index);
    case Number::i32:
        return at<int32_t>(base, index);
    case Number::u32:
        return at<uint32_t>(base, index);
    case Number::i64:
        return at<int64_t>(base, index);
    case Number::u64:
        return at<uint64_t>(base, index);
    case Number::bit:
        return (((const uint8_t *)base)[index >> 3] >> (index & 7)) & 1;
    case Number::none:
        break;
    }
    return NAN;
}

void store(void *base, int64_t index, Number type, double value)
{
    switch (type) {
    case Number::f32:
        put<float>(base, index, value);
        break;
    case Number::f64:
        put<double>(base, index, value);
        break;
    case Number::f16:
        ((uint16_t *)base)[index] = f16_of_float((float)value);
        break;
    case Number::bf16:
        ((uint16_t *)base)[index] = bf16_of_float((float)value);
        break;
    case Number::i8:
        put<int8_t>(base, index, value);
        break;
    case Number::u8:
        put<uint8_t>(base, index, value);
        break;
    case Number::i32:
        put<int32_t>(base, index, value);
        break;
    case Number::u32:
        put<uint32_t>(base, index, value);
        break;
    case Number::i64:
        put<int64_t>(base, index, value);
        break;
    case Number::u64:
        put<uint64_t>(base, index, value);
        break;
    case Number::bit:
        put_bit(base, index, value != 0);
        break;
    case Number::none:
        break;
    }
}

void load_run(const void *base, Number type, int64_t count, double *values)
{
    if (type == Number::f32) {
        for (int64_t i = 0; i < count; i++) values[i] = at<float>(base, i);
    } else if (type == Number::bf16) {
        for (int64_t i = 0; i < count; i++) values[i] = float_of_bf16(((const uint16_t *)base)[i]);
    } else {
        for (int64_t i = 0; i < count; i++) values[i] = load(base, i, type);
    }
}

void store_run(void *base, Number type, int64_t count, const double *values)
{
    if (type == Number::f32) {
        for (int64_t i = 0; i < count; i++) put<float>(base, i, values[i]);
    } else if (type == Number::bf16) {
        for (int64_t i = 0; i < count; i++) ((uint16_t *)base)[i] = bf16_of_float((float)values[i]);
    } else {
        for (int64_t i = 0; i < count; i++) store(base, i, type, values[i]);
    }
}

void round_run(Number type, int64_t count, double *values)
{
    if (type == Number::f32)
        for (int64_t i = 0; i < count; i++) values[i] = (float)values[i];
    if (type == Number::bf16)
        for (int64_t i = 0; i < count; i++)
            values[i] = float_of_bf16(bf16_of_float((float)values[i]));
    if (type == Number::f16)
        for (int64_t i = 0; i < count; i++)
            values[i] = float_of_f16(f16_of_float((float)values[i]));
}

double rounded_to_tf32(double value)
{
    const uint32_t bits = bits_as<uint32_t>((float)value);
    const uint32_t nearest = (bits + 0xfff + ((bits >> 13) & 1)) & ~0x1fffu;

    return (bits & 0x7fffffff) > 0x7f800000 ? value : bits_as<float>(nearest);
}
} // namespace lab
