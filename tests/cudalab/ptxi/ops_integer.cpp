// Integer arithmetic: add sub mul mad div rem min max abs neg sad dp4a, and sums with a carry.
#include <algorithm>
#include <type_traits>

#include "instruction_table.h"
#include "machine.h"

namespace ptxi
{

namespace
{

// Sums and products wrap: they are made of unsigned 64-bit ones, whose low bits are those of every
// narrower type.
struct Add {
    template <class T> static T apply(T a, T b)
    {
        return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    }
};

struct Subtract {
    template <class T> static T apply(T a, T b)
    {
        return static_cast<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
    }
};

// By zero gives all ones, the lowest value by -1 itself: as GPUs do it.
struct Divide {
    template <class T> static T apply(T a, T b)
    {
        if (b == 0) return static_cast<T>(-1);
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Subtract::apply<T>(0, a);
        return static_cast<T>(a / b);
    }
};

struct Remainder {
    template <class T> static T apply(T a, T b)
    {
        if (b == 0) return a;
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
        return static_cast<T>(a % b);
    }
};

struct Minimum {
    template <class T> static T apply(T a, T b)
    {
        return std::min(a, b);
    }
};

struct Maximum {
    template <class T> static T apply(T a, T b)
    {
        return std::max(a, b);
    }
};

template <class Op> struct Binary {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            T a = from_bits<T>(warp.reg(ins.src[0], lane)),
              b = from_bits<T>(warp.reg(ins.src[1], lane));
            warp.reg(ins.dst, lane) = to_bits<T>(Op::template apply<T>(a, b));
        });
    }
};

template <class Op> bool decode_binary(const Form &form, Instruction &ins)
{
    if (ins.saturates || ins.sets_carry || form.has("relu")) return false;
    ins.execute = for_integer<Binary<Op>>(ins.type);
    return take_operands(form, ins, 2);
}

// add.sat and sub.sat: s32 alone has them.
template <int SIGN> void run_saturating(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        int64_t a = from_bits<int32_t>(warp.reg(ins.src[0], lane)),
                b = from_bits<int32_t>(warp.reg(ins.src[1], lane));
        int64_t sum = std::clamp<int64_t>(a + SIGN * b, INT32_MIN, INT32_MAX);
        warp.reg(ins.dst, lane) = to_bits(static_cast<int32_t>(sum));
    });
}

template <int SIGN> bool decode_saturating(const Form &form, Instruction &ins)
{
    if (!ins.saturates || ins.type != S32) return false;
    ins.execute = run_saturating<SIGN>;
    return take_operands(form, ins, 2);
}

// The carry of a sum, or the borrow of a difference, is bit 32 or 64 of the wide result.
template <class T, bool IS_DIFFERENCE>
void run_with_carry(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        using Wide = unsigned __int128;
        Wide a = from_bits<T>(warp.reg(ins.src[0], lane)),
             b = from_bits<T>(warp.reg(ins.src[1], lane));
        Wide carry = ins.takes_carry ? warp.carry[lane] : 0;
        Wide result = IS_DIFFERENCE ? a - b - carry : a + b + carry;
        if (ins.sets_carry) warp.carry[lane] = result >> (8 * sizeof(T)) & 1;
        warp.reg(ins.dst, lane) = to_bits<T>(static_cast<T>(result));
    });
}

template <bool IS_DIFFERENCE> bool decode_carry(const Form &form, Instruction &ins)
{
    ins.takes_carry = form.opcode == "addc" || form.opcode == "subc";
    if ((!ins.takes_carry && !ins.sets_carry) || is_float(ins.type)) return false;
    if (type_bytes(ins.type) == 8)
        ins.execute = run_with_carry<uint64_t, IS_DIFFERENCE>;
    else if (type_bytes(ins.type) == 4)
        ins.execute = run_with_carry<uint32_t, IS_DIFFERENCE>;
    return take_operands(form, ins, 2);
}

enum Part : uint8_t { LOW, HIGH, WIDE };

// mul and mad: the low or high half of the product, or all of it (then the summand is wide, too).
template <class T, class Wide> void run_multiply(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        Wide a = from_bits<T>(warp.reg(ins.src[0], lane)),
             b = from_bits<T>(warp.reg(ins.src[1], lane));
        Wide product = a * b;
        uint64_t summand = ins.src[2] == NO_SLOT ? 0 : warp.reg(ins.src[2], lane);
        uint64_t part =
            static_cast<uint64_t>(ins.mode == HIGH ? product >> (8 * sizeof(T)) : product);
        if constexpr (sizeof(T) < 8)
            if (ins.mode == WIDE) {
                warp.reg(ins.dst, lane) = to_bits(static_cast<Wide>(part + summand));
                return;
            }
        warp.reg(ins.dst, lane) = to_bits(static_cast<T>(part + summand));
    });
}

bool decode_multiply(const Form &form, Instruction &ins)
{
    if (ins.sets_carry || ins.saturates) return false;
    ins.mode = form.has("hi") ? HIGH : form.has("wide") ? WIDE : LOW;
    if (ins.mode == WIDE && type_bytes(ins.type) == 8) return false;
    switch (ins.type) {
    case U16:
        ins.execute = run_multiply<uint16_t, uint32_t>;
        break;
    case S16:
        ins.execute = run_multiply<int16_t, int32_t>;
        break;
    case U32:
        ins.execute = run_multiply<uint32_t, uint64_t>;
        break;
    case S32:
        ins.execute = run_multiply<int32_t, int64_t>;
        break;
    case U64:
        ins.execute = run_multiply<uint64_t, unsigned __int128>;
        break;
    case S64:
        ins.execute = run_multiply<int64_t, __int128>;
        break;
    default:
        return false;
    }
    return take_operands(form, ins, form.opcode == "mad" ? 3 : 2);
}

struct Negate {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            T a = from_bits<T>(warp.reg(ins.src[0], lane));
            warp.reg(ins.dst, lane) = to_bits<T>(Subtract::apply<T>(0, a));
        });
    }
};

struct Absolute {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            T a = from_bits<T>(warp.reg(ins.src[0], lane));
            warp.reg(ins.dst, lane) = to_bits<T>(a < 0 ? Subtract::apply<T>(0, a) : a);
        });
    }
};

template <class Body> bool decode_unary(const Form &form, Instruction &ins)
{
    ins.execute = for_integer<Body>(ins.type);
    return take_operands(form, ins, 1);
}

struct SumOfDifferences { // sad: |a - b| + c
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            T a = from_bits<T>(warp.reg(ins.src[0], lane)),
              b = from_bits<T>(warp.reg(ins.src[1], lane));
            T c = from_bits<T>(warp.reg(ins.src[2], lane));
            T difference = Subtract::apply<T>(std::max(a, b), std::min(a, b));
            warp.reg(ins.dst, lane) = to_bits<T>(Add::apply<T>(c, difference));
        });
    }
};

bool decode_sad(const Form &form, Instruction &ins)
{
    ins.execute = for_integer<SumOfDifferences>(ins.type);
    return take_operands(form, ins, 3);
}

// dp4a: c + the products of four pairs of bytes; type and type2 say how a's and b's bytes are read.
void run_dp4a(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    auto byte_of = [](uint64_t word, int k, Type type) {
        auto byte = static_cast<uint8_t>(word >> (8 * k));
        return is_signed(type) ? static_cast<int>(static_cast<int8_t>(byte))
                               : static_cast<int>(byte);
    };
    for_lanes(lanes, [&](int lane) {
        uint64_t a = warp.reg(ins.src[0], lane), b = warp.reg(ins.src[1], lane);
        int64_t sum = from_bits<int32_t>(warp.reg(ins.src[2], lane));
        for (int k = 0; k < 4; k++) sum += byte_of(a, k, ins.type) * byte_of(b, k, ins.type2);
        warp.reg(ins.dst, lane) = static_cast<uint32_t>(sum);
    });
}

bool decode_dp4a(const Form &form, Instruction &ins)
{
    ins.execute = run_dp4a;
    return form.types.size() == 2 && take_operands(form, ins, 3);
}

} // namespace

const Table &carry_table()
{
    static const Table table = {
        {"add", decode_carry<false>},
        {"addc", decode_carry<false>},
        {"sub", decode_carry<true>},
        {"subc", decode_carry<true>},
    };
    return table;
}

const Table &integer_table()
{
    static const Table table = {
        {"add", decode_saturating<1>},
        {"add", decode_binary<Add>},
        {"sub", decode_saturating<-1>},
        {"sub", decode_binary<Subtract>},
        {"mul", decode_multiply},
        {"mad", decode_multiply},
        {"div", decode_binary<Divide>},
        {"rem", decode_binary<Remainder>},
        {"min", decode_binary<Minimum>},
        {"max", decode_binary<Maximum>},
        {"neg", decode_unary<Negate>},
        {"abs", decode_unary<Absolute>},
        {"sad", decode_sad},
        {"dp4a", decode_dp4a},
    };
    return table;
}

} // namespace ptxi
