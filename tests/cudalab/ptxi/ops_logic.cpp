// Logic and shifts: and or xor not cnot lop3 shl shr shf.
#include <algorithm>
#include <type_traits>

#include "instruction_table.h"
#include "machine.h"

namespace ptxi
{

namespace
{

struct And {
    static uint64_t apply(uint64_t a, uint64_t b)
    {
        return a & b;
    }
};

struct Or {
    static uint64_t apply(uint64_t a, uint64_t b)
    {
        return a | b;
    }
};

struct Xor {
    static uint64_t apply(uint64_t a, uint64_t b)
    {
        return a ^ b;
    }
};

template <class Op> struct Bitwise {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            uint64_t result = Op::apply(warp.reg(ins.src[0], lane), warp.reg(ins.src[1], lane));
            warp.reg(ins.dst, lane) = to_bits(static_cast<T>(result));
        });
    }
};

template <class Op> bool decode_bitwise(const Form &form, Instruction &ins)
{
    ins.execute = for_integer<Bitwise<Op>>(ins.type);
    return take_operands(form, ins, 2);
}

struct Not {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            warp.reg(ins.dst, lane) = to_bits(static_cast<T>(~warp.reg(ins.src[0], lane)));
        });
    }
};

struct IsZero { // not.pred and cnot
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            warp.reg(ins.dst, lane) = from_bits<T>(warp.reg(ins.src[0], lane)) == 0;
        });
    }
};

bool decode_not(const Form &form, Instruction &ins)
{
    bool is_zero = form.opcode == "cnot" || ins.type == PRED;
    ins.execute = is_zero ? for_integer<IsZero>(ins.type) : for_integer<Not>(ins.type);
    return take_operands(form, ins, 1);
}

// Any function of three bits: bit k of the immediate is its value where a, b and c are the bits of
// k.
void run_lop3(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        auto a = static_cast<uint32_t>(warp.reg(ins.src[0], lane));
        auto b = static_cast<uint32_t>(warp.reg(ins.src[1], lane));
        auto c = static_cast<uint32_t>(warp.reg(ins.src[2], lane));
        uint32_t result = 0;
        for (int k = 0; k < 8; k++)
            if (ins.immediate >> k & 1)
                result |= (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
        warp.reg(ins.dst, lane) = result;
    });
}

bool decode_lop3(const Form &form, Instruction &ins)
{
    if (form.full != "lop3.b32" || !take_operands(form, ins, 4) || !form.operands[4].is_constant)
        return false;
    ins.immediate = static_cast<uint32_t>(form.operands[4].constant);
    ins.execute = run_lop3;
    return true;
}

// Shifts by the type's width or more give 0, or the sign everywhere.
struct ShiftLeft {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            auto n = static_cast<uint32_t>(warp.reg(ins.src[1], lane));
            uint64_t a = warp.reg(ins.src[0], lane);
            warp.reg(ins.dst, lane) = to_bits(static_cast<T>(n >= 8 * sizeof(T) ? 0 : a << n));
        });
    }
};

struct ShiftRight {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        const uint32_t width = 8 * sizeof(T);
        for_lanes(lanes, [&](int lane) {
            auto n = static_cast<uint32_t>(warp.reg(ins.src[1], lane));
            T a = from_bits<T>(warp.reg(ins.src[0], lane));
            if (n >= width) {
                a = std::is_signed_v<T> ? a : 0;
                n = width - 1;
            }
            warp.reg(ins.dst, lane) = to_bits(static_cast<T>(a >> n));
        });
    }
};

template <class Body> bool decode_shift(const Form &form, Instruction &ins)
{
    ins.execute = for_integer<Body>(ins.type);
    return take_operands(form, ins, 2);
}

// shf: shifts the 64 bits b:a; the amount wraps at 32, or is clamped to it.
template <bool IS_RIGHT, bool WRAPS>
void run_funnel(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        uint64_t both =
            warp.reg(ins.src[1], lane) << 32 | static_cast<uint32_t>(warp.reg(ins.src[0], lane));
        auto n = static_cast<uint32_t>(warp.reg(ins.src[2], lane));
        n = WRAPS ? n & 31 : std::min(n, 32u);
        warp.reg(ins.dst, lane) = static_cast<uint32_t>(IS_RIGHT ? both >> n : both << n >> 32);
    });
}

bool decode_funnel(const Form &form, Instruction &ins)
{
    bool wraps = form.has("wrap");
    if (form.has("r"))
        ins.execute = wraps ? run_funnel<true, true> : run_funnel<true, false>;
    else if (form.has("l"))
        ins.execute = wraps ? run_funnel<false, true> : run_funnel<false, false>;
    return take_operands(form, ins, 3);
}

} // namespace

const Table &logic_table()
{
    static const Table table = {
        {"and", decode_bitwise<And>},
        {"or", decode_bitwise<Or>},
        {"xor", decode_bitwise<Xor>},
        {"not", decode_not},
        {"cnot", decode_not},
        {"lop3", decode_lop3},
        {"shl", decode_shift<ShiftLeft>},
        {"shr", decode_shift<ShiftRight>},
        {"shf", decode_funnel},
    };
    return table;
}

} // namespace ptxi
