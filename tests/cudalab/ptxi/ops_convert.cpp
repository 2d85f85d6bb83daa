// cvt: type is what a value becomes, type2 what it is.
#include <algorithm>
#include <cmath>

#include "float_mode.h"
#include "half.h"
#include "instruction_table.h"
#include "machine.h"

namespace ptxi
{

namespace
{

enum ToIntegral : uint8_t { AS_IT_IS, TO_NEAREST, TO_ZERO, TO_LOWER, TO_HIGHER };

// The largest value of an integer type; for unsigned 64 bits, all ones.
uint64_t largest(Type type)
{
    size_t n_bit = 8 * type_bytes(type) - (is_signed(type) ? 1 : 0);
    return n_bit == 64 ? ~0ull : (1ull << n_bit) - 1;
}

// A register's bits as a value of the type, extended to 64 bits by its sign or by zeros.
uint64_t extend(uint64_t bits, Type type)
{
    switch (type) {
    case S8:
        return static_cast<uint64_t>(static_cast<int8_t>(bits));
    case S16:
        return static_cast<uint64_t>(static_cast<int16_t>(bits));
    case S32:
        return static_cast<uint64_t>(static_cast<int32_t>(bits));
    default:
        return type_bytes(type) == 8 ? bits : bits & ((1ull << 8 * type_bytes(type)) - 1);
    }
}

// Clamps an integer of `from` into the range of `to`.
uint64_t saturate(uint64_t value, Type from, Type to)
{
    bool is_negative = is_signed(from) && static_cast<int64_t>(value) < 0;
    if (!is_negative) return std::min(value, largest(to));
    if (!is_signed(to)) return 0;
    int64_t lowest = -static_cast<int64_t>(largest(to)) - 1;
    return static_cast<uint64_t>(std::max(static_cast<int64_t>(value), lowest));
}

uint64_t float_bits(double value, const Instruction &ins)
{
    volatile double rounded_here = value; // not moved out of the rounding's scope
    switch (ins.type) {
    case F32:
        return to_bits(flushed(ins, static_cast<float>(rounded_here)));
    case F64:
        return to_bits(static_cast<double>(rounded_here));
    case F16:
        return float_to_half(static_cast<float>(rounded_here));
    default:
        return float_to_bfloat(static_cast<float>(rounded_here));
    }
}

uint64_t from_integer(uint64_t bits, const Instruction &ins)
{
    uint64_t value = extend(bits, ins.type2);
    if (!is_float(ins.type)) {
        if (ins.saturates) value = saturate(value, ins.type2, ins.type);
        return extend(value, ins.type); // the register may be wider than the type
    }
    // Straight to fp32: by way of fp64 a long integer would be rounded twice.
    volatile int64_t as_signed = static_cast<int64_t>(value);
    volatile uint64_t as_unsigned = value;
    bool is_large = !is_signed(ins.type2) && static_cast<int64_t>(value) < 0;
    if (ins.type == F64)
        return to_bits(is_large ? static_cast<double>(as_unsigned)
                                : static_cast<double>(as_signed));
    float single = is_large ? static_cast<float>(as_unsigned) : static_cast<float>(as_signed);
    return ins.type == F32   ? to_bits(single)
           : ins.type == F16 ? uint64_t{float_to_half(single)}
                             : uint64_t{float_to_bfloat(single)};
}

double float_value(uint64_t bits, const Instruction &ins)
{
    switch (ins.type2) {
    case F32:
        return flushed(ins, from_bits<float>(bits));
    case F64:
        return from_bits<double>(bits);
    case F16:
        return half_to_float(static_cast<uint16_t>(bits));
    default:
        return bfloat_to_float(static_cast<uint16_t>(bits));
    }
}

double to_integral(double value, uint8_t mode)
{
    switch (mode) {
    case TO_NEAREST:
        return std::nearbyint(value);
    case TO_ZERO:
        return std::trunc(value);
    case TO_LOWER:
        return std::floor(value);
    case TO_HIGHER:
        return std::ceil(value);
    default:
        return value;
    }
}

// Out of range gives the range's end, NaN gives 0.
uint64_t integer_bits(double value, Type type)
{
    if (std::isnan(value)) return 0;
    if (is_signed(type)) {
        double limit = std::ldexp(1.0, static_cast<int>(8 * type_bytes(type)) - 1);
        auto highest = static_cast<int64_t>(largest(type));
        int64_t result = value >= limit   ? highest
                         : value < -limit ? -highest - 1
                                          : static_cast<int64_t>(value);
        return type_bytes(type) == 4 ? static_cast<uint32_t>(result)
                                     : static_cast<uint64_t>(result);
    }
    double limit = std::ldexp(1.0, static_cast<int>(8 * type_bytes(type)));
    return value <= 0 ? 0 : value >= limit ? largest(type) : static_cast<uint64_t>(value);
}

uint64_t from_float(uint64_t bits, const Instruction &ins)
{
    double value = to_integral(float_value(bits, ins), ins.mode);
    if (!is_float(ins.type))
        return integer_bits(ins.mode == AS_IT_IS ? std::trunc(value) : value, ins.type);
    if (ins.saturates) value = value > 0 ? std::fmin(value, 1.0) : 0.0;
    return float_bits(value, ins);
}

void run_convert(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    RoundingScope rounding(ins.rounding);
    for_lanes(lanes, [&](int lane) {
        uint64_t bits = warp.reg(ins.src[0], lane);
        warp.reg(ins.dst, lane) =
            is_float(ins.type2) ? from_float(bits, ins) : from_integer(bits, ins);
    });
}

// Two fp32 to a pair: the first is the upper half.
template <uint16_t (*NARROW)(float)>
void run_convert_pair(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        uint32_t high = NARROW(from_bits<float>(warp.reg(ins.src[0], lane)));
        uint32_t low = NARROW(from_bits<float>(warp.reg(ins.src[1], lane)));
        warp.reg(ins.dst, lane) = high << 16 | low;
    });
}

bool decode_convert(const Form &form, Instruction &ins)
{
    if (form.types.size() != 2 || form.has("relu") || form.has("pack") || form.has("satfinite"))
        return false;
    if (is_half(ins.type) && ins.rounding != ROUND_NEAREST)
        return false; // ours know only the nearest
    if (ins.type == F16X2 || ins.type == BF16X2) {
        if (ins.type2 != F32) return false;
        ins.execute =
            ins.type == F16X2 ? run_convert_pair<float_to_half> : run_convert_pair<float_to_bfloat>;
        return take_operands(form, ins, 2);
    }
    ins.mode = form.has("rni")   ? TO_NEAREST
               : form.has("rzi") ? TO_ZERO
               : form.has("rmi") ? TO_LOWER
               : form.has("rpi") ? TO_HIGHER
                                 : AS_IT_IS;
    ins.execute = run_convert;
    return take_operands(form, ins, 1);
}

} // namespace

const Table &convert_table()
{
    static const Table table = {{"cvt", decode_convert}};
    return table;
}

} // namespace ptxi
