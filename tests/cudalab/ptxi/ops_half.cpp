// Arithmetic of fp16 and bf16, single or in pairs: computed in double, where sums and products are
// exact or nearly so, and rounded once.
#include <cmath>

#include "half.h"
#include "instruction_table.h"
#include "machine.h"

namespace ptxi
{

namespace
{

using Apply = double (*)(double, double, double);

template <Apply APPLY> void run_half(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    bool is_bfloat = ins.type == BF16 || ins.type == BF16X2;
    int n_part = ins.type == F16X2 || ins.type == BF16X2 ? 2 : 1;

    auto part_of = [&](int slot, int lane, int part) -> double {
        if (slot == NO_SLOT) return 0;
        auto bits = static_cast<uint16_t>(warp.reg(slot, lane) >> (16 * part));
        return is_bfloat ? bfloat_to_float(bits) : half_to_float(bits);
    };
    for_lanes(lanes, [&](int lane) {
        uint32_t result = 0;
        for (int part = 0; part < n_part; part++) {
            auto value = static_cast<float>(APPLY(part_of(ins.src[0], lane, part),
                                                  part_of(ins.src[1], lane, part),
                                                  part_of(ins.src[2], lane, part)));
            if (ins.saturates) value = value > 0 ? std::fmin(value, 1.0f) : 0.0f;
            uint32_t bits = is_bfloat ? float_to_bfloat(value) : float_to_half(value);
            result |= bits << (16 * part);
        }
        warp.reg(ins.dst, lane) = result;
    });
}

double add(double a, double b, double)
{
    return a + b;
}

double subtract(double a, double b, double)
{
    return a - b;
}

double multiply(double a, double b, double)
{
    return a * b;
}

double multiply_add(double a, double b, double c)
{
    return a * b + c;
}

double minimum(double a, double b, double)
{
    return std::fmin(a, b);
}

double maximum(double a, double b, double)
{
    return std::fmax(a, b);
}

double negate(double a, double, double)
{
    return -a;
}

double absolute(double a, double, double)
{
    return std::fabs(a);
}

template <Apply APPLY, size_t N_SRC> bool decode_half(const Form &form, Instruction &ins)
{
    if (!is_half(ins.type)) return false;
    if (form.has("NaN") || form.has("xorsign") || form.has("relu") || form.has("oob")) return false;
    ins.execute = run_half<APPLY>;
    return take_operands(form, ins, N_SRC);
}

} // namespace

const Table &half_table()
{
    static const Table table = {
        {"add", decode_half<add, 2>},      {"sub", decode_half<subtract, 2>},
        {"mul", decode_half<multiply, 2>}, {"min", decode_half<minimum, 2>},
        {"max", decode_half<maximum, 2>},  {"fma", decode_half<multiply_add, 3>},
        {"neg", decode_half<negate, 1>},   {"abs", decode_half<absolute, 1>},
    };
    return table;
}

} // namespace ptxi
