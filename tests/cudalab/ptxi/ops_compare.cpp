// Comparisons and choice: setp set selp.
#include <map>
#include <type_traits>

#include "float_mode.h"
#include "instruction_table.h"
#include "machine.h"

namespace ptxi
{

namespace
{

// Those that end in U are true where an operand is NaN.
enum Comparison : uint8_t { EQ, NE, LT, LE, GT, GE, EQU, NEU, LTU, LEU, GTU, GEU, NUM, IS_NAN };

template <class T> bool compare(uint8_t comparison, T a, T b)
{
    bool is_unordered = a != a || b != b;
    switch (comparison) {
    case EQ:
        return a == b;
    case NE:
        return a != b && !is_unordered;
    case LT:
        return a < b;
    case LE:
        return a <= b;
    case GT:
        return a > b;
    case GE:
        return a >= b;
    case EQU:
        return is_unordered || a == b;
    case NEU:
        return is_unordered || a != b;
    case LTU:
        return is_unordered || a < b;
    case LEU:
        return is_unordered || a <= b;
    case GTU:
        return is_unordered || a > b;
    case GEU:
        return is_unordered || a >= b;
    case NUM:
        return !is_unordered;
    default:
        return is_unordered;
    }
}

bool find_comparison(const std::string &name, uint8_t *comparison)
{
    static const std::map<std::string, Comparison> comparisons = {
        {"eq", EQ},   {"ne", NE},   {"lt", LT},     {"le", LE},   {"gt", GT},
        {"ge", GE},   {"lo", LT},   {"ls", LE},     {"hi", GT},   {"hs", GE}, // of unsigned types
        {"equ", EQU}, {"neu", NEU}, {"ltu", LTU},   {"leu", LEU}, {"gtu", GTU},
        {"geu", GEU}, {"num", NUM}, {"nan", IS_NAN}};
    auto place = comparisons.find(name);
    if (place == comparisons.end()) return false;
    *comparison = place->second;
    return true;
}

bool combine(BoolOp op, bool a, bool b)
{
    switch (op) {
    case BOOL_AND:
        return a && b;
    case BOOL_OR:
        return a || b;
    case BOOL_XOR:
        return a != b;
    default:
        return a;
    }
}

bool predicate(Warp &warp, const Instruction &ins, int which, int lane)
{
    return ins.src[which] != NO_SLOT &&
           (warp.reg(ins.src[which], lane) != 0) != ins.src_negated[which];
}

struct SetPredicate { // p|q: q gets what the opposite comparison gives
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            T a = flushed(ins, from_bits<T>(warp.reg(ins.src[0], lane)));
            T b = flushed(ins, from_bits<T>(warp.reg(ins.src[1], lane)));
            bool result = compare<T>(ins.compare, a, b), other = predicate(warp, ins, 2, lane);
            if (ins.dst != NO_SLOT) warp.reg(ins.dst, lane) = combine(ins.bool_op, result, other);
            if (ins.dst2 != NO_SLOT)
                warp.reg(ins.dst2, lane) = combine(ins.bool_op, !result, other);
        });
    }
};

struct SetValue { // 1.0 for fp32 (type2), all ones else
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        uint64_t true_bits = ins.type2 == F32 ? to_bits(1.0f) : 0xffffffffu;
        for_lanes(lanes, [&](int lane) {
            T a = flushed(ins, from_bits<T>(warp.reg(ins.src[0], lane)));
            T b = flushed(ins, from_bits<T>(warp.reg(ins.src[1], lane)));
            bool result =
                combine(ins.bool_op, compare<T>(ins.compare, a, b), predicate(warp, ins, 2, lane));
            warp.reg(ins.dst, lane) = result ? true_bits : 0;
        });
    }
};

template <class Body> bool decode_set(const Form &form, Instruction &ins)
{
    if (std::is_same_v<Body, SetValue>) { // set.<comparison>.<dst type>.<src type>
        if (form.types.size() != 2) return false;
        ins.type = form.types[1];
        ins.type2 = form.types[0];
    }
    if (form.suffixes.empty() || !find_comparison(form.suffixes[0], &ins.compare)) return false;
    ins.bool_op = form.has("and")   ? BOOL_AND
                  : form.has("or")  ? BOOL_OR
                  : form.has("xor") ? BOOL_XOR
                                    : NO_BOOL_OP;
    ins.execute = is_float(ins.type) ? for_float<Body>(ins.type) : for_integer<Body>(ins.type);
    return take_operands(form, ins, ins.bool_op == NO_BOOL_OP ? 2 : 3);
}

void run_select(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        int chosen = predicate(warp, ins, 2, lane) ? 0 : 1;
        warp.reg(ins.dst, lane) = warp.reg(ins.src[chosen], lane);
    });
}

bool decode_select(const Form &form, Instruction &ins)
{
    ins.execute = run_select;
    return take_operands(form, ins, 3);
}

} // namespace

const Table &compare_table()
{
    static const Table table = {
        {"setp", decode_set<SetPredicate>}, {"set", decode_set<SetValue>}, {"selp", decode_select}};
    return table;
}

} // namespace ptxi
