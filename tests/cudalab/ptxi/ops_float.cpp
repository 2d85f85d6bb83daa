// fp32 and fp64: add sub mul div min max fma mad abs neg sqrt rcp rsqrt sin cos ex2 lg2 tanh
// copysign. The approximate ones are computed exactly: a GPU's differ in the last bits.
#include <cmath>

#include "float_mode.h"
#include "instruction_table.h"
#include "machine.h"

namespace ptxi
{

namespace
{

struct Add {
    template <class T> static T apply(T a, T b)
    {
        return a + b;
    }
};

struct Subtract {
    template <class T> static T apply(T a, T b)
    {
        return a - b;
    }
};

struct Multiply {
    template <class T> static T apply(T a, T b)
    {
        return a * b;
    }
};

struct Divide {
    template <class T> static T apply(T a, T b)
    {
        return a / b;
    }
};

struct Minimum { // of a number and NaN the number
    template <class T> static T apply(T a, T b)
    {
        return std::fmin(a, b);
    }
};

struct Maximum {
    template <class T> static T apply(T a, T b)
    {
        return std::fmax(a, b);
    }
};

template <class Op> struct Binary {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        RoundingScope rounding(ins.rounding);
        for_lanes(lanes, [&](int lane) {
            T a = flushed(ins, from_bits<T>(warp.reg(ins.src[0], lane)));
            T b = flushed(ins, from_bits<T>(warp.reg(ins.src[1], lane)));
            warp.reg(ins.dst, lane) =
                to_bits(saturated(ins, flushed(ins, Op::template apply<T>(a, b))));
        });
    }
};

template <class Op> bool decode_binary(const Form &form, Instruction &ins)
{
    if (form.has("NaN") || form.has("xorsign") || !is_float(ins.type)) return false;
    ins.execute = for_float<Binary<Op>>(ins.type);
    return take_operands(form, ins, 2);
}

struct MultiplyAdd {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        RoundingScope rounding(ins.rounding);
        for_lanes(lanes, [&](int lane) {
            // volatile: gcc would else move the operation out of the rounding's scope
            volatile T a = flushed(ins, from_bits<T>(warp.reg(ins.src[0], lane)));
            volatile T b = flushed(ins, from_bits<T>(warp.reg(ins.src[1], lane)));
            volatile T c = flushed(ins, from_bits<T>(warp.reg(ins.src[2], lane)));
            T sum = std::fma(static_cast<T>(a), static_cast<T>(b), static_cast<T>(c));
            warp.reg(ins.dst, lane) = to_bits(saturated(ins, flushed(ins, sum)));
        });
    }
};

// The most frequent instruction of all, without modifiers.
void run_plain_fma(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    uint64_t *dst = warp.lanes_of(ins.dst);
    const uint64_t *a = warp.lanes_of(ins.src[0]), *b = warp.lanes_of(ins.src[1]),
                   *c = warp.lanes_of(ins.src[2]);
    for_lanes(lanes, [&](int lane) {
        dst[lane] = to_bits(__builtin_fmaf(from_bits<float>(a[lane]), from_bits<float>(b[lane]),
                                           from_bits<float>(c[lane])));
    });
}

bool decode_fma(const Form &form, Instruction &ins)
{
    if (!is_float(ins.type) || form.has("relu")) return false;
    bool is_plain = ins.type == F32 && ins.rounding == ROUND_NEAREST && !ins.flushes_subnormals &&
                    !ins.saturates;
    ins.execute = is_plain ? run_plain_fma : for_float<MultiplyAdd>(ins.type);
    return take_operands(form, ins, 3);
}

struct Absolute {
    template <class T> static T apply(T a)
    {
        return std::fabs(a);
    }
};

struct Negate {
    template <class T> static T apply(T a)
    {
        return -a;
    }
};

struct SquareRoot {
    template <class T> static T apply(T a)
    {
        return std::sqrt(a);
    }
};

struct Reciprocal {
    template <class T> static T apply(T a)
    {
        return 1 / a;
    }
};

struct ReciprocalRoot {
    template <class T> static T apply(T a)
    {
        return 1 / std::sqrt(a);
    }
};

struct Sine {
    template <class T> static T apply(T a)
    {
        return std::sin(a);
    }
};

struct Cosine {
    template <class T> static T apply(T a)
    {
        return std::cos(a);
    }
};

struct Exponential {
    template <class T> static T apply(T a)
    {
        return std::exp2(a);
    }
};

struct Logarithm {
    template <class T> static T apply(T a)
    {
        return std::log2(a);
    }
};

struct HyperbolicTangent {
    template <class T> static T apply(T a)
    {
        return std::tanh(a);
    }
};

template <class Op> struct Unary {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        RoundingScope rounding(ins.rounding);
        for_lanes(lanes, [&](int lane) {
            T a = flushed(ins, from_bits<T>(warp.reg(ins.src[0], lane)));
            warp.reg(ins.dst, lane) = to_bits(flushed(ins, Op::template apply<T>(a)));
        });
    }
};

template <class Op> bool decode_unary(const Form &form, Instruction &ins)
{
    if (!is_float(ins.type)) return false;
    ins.execute = for_float<Unary<Op>>(ins.type);
    return take_operands(form, ins, 1);
}

struct CopySign { // the sign of a, the magnitude of b
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            T a = from_bits<T>(warp.reg(ins.src[0], lane)),
              b = from_bits<T>(warp.reg(ins.src[1], lane));
            warp.reg(ins.dst, lane) = to_bits(std::copysign(b, a));
        });
    }
};

bool decode_copysign(const Form &form, Instruction &ins)
{
    ins.execute = for_float<CopySign>(ins.type);
    return take_operands(form, ins, 2);
}

} // namespace

const Table &float_table()
{
    static const Table table = {
        {"add", decode_binary<Add>},
        {"sub", decode_binary<Subtract>},
        {"mul", decode_binary<Multiply>},
        {"div", decode_binary<Divide>},
        {"min", decode_binary<Minimum>},
        {"max", decode_binary<Maximum>},
        {"fma", decode_fma},
        {"mad", decode_fma},
        {"abs", decode_unary<Absolute>},
        {"neg", decode_unary<Negate>},
        {"sqrt", decode_unary<SquareRoot>},
        {"rcp", decode_unary<Reciprocal>},
        {"rsqrt", decode_unary<ReciprocalRoot>},
        {"sin", decode_unary<Sine>},
        {"cos", decode_unary<Cosine>},
        {"ex2", decode_unary<Exponential>},
        {"lg2", decode_unary<Logarithm>},
        {"tanh", decode_unary<HyperbolicTangent>},
        {"copysign", decode_copysign},
    };
    return table;
}

} // namespace ptxi
