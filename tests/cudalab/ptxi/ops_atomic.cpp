// Atomics: atom, and red, which does not ask for the old value. And redux, whose operations are the
// same.
#include <algorithm>
#include <cstring>
#include <map>
#include <type_traits>

#include "address.h"
#include "global_access.h"
#include "instruction_table.h"

namespace ptxi
{

namespace
{

enum Operation : uint8_t {
    ADD,
    MIN,
    MAX,
    AND,
    OR,
    XOR,
    EXCHANGE,
    COMPARE_AND_SWAP,
    INCREMENT,
    DECREMENT
};

bool find_operation(const Form &form, uint8_t *operation)
{
    static const std::map<std::string, Operation> operations = {
        {"add", ADD},       {"min", MIN},      {"max", MAX},       {"and", AND},
        {"or", OR},         {"xor", XOR},      {"exch", EXCHANGE}, {"cas", COMPARE_AND_SWAP},
        {"inc", INCREMENT}, {"dec", DECREMENT}};
    for (const std::string &suffix : form.suffixes) {
        auto place = operations.find(suffix);
        if (place == operations.end()) continue;
        *operation = place->second;
        return true;
    }
    return false;
}

template <class T> bool has_operation(uint8_t operation)
{
    return std::is_integral_v<T> || operation == ADD || operation == MIN || operation == MAX ||
           operation == EXCHANGE || operation == COMPARE_AND_SWAP;
}

// What takes the place of `old`; b is only for compare-and-swap, which compares bits.
template <class T> T apply(uint8_t operation, T old, T a, T b)
{
    switch (operation) {
    case ADD:
        if constexpr (std::is_integral_v<T>)
            return static_cast<T>(static_cast<uint64_t>(old) + static_cast<uint64_t>(a)); // wraps
        return old + a;
    case MIN:
        return std::min(old, a);
    case MAX:
        return std::max(old, a);
    case EXCHANGE:
        return a;
    case COMPARE_AND_SWAP:
        return memcmp(&old, &a, sizeof(T)) == 0 ? b : old;
    case INCREMENT:
        return old >= a ? T{0} : static_cast<T>(old + T{1});
    case DECREMENT:
        return old == T{0} || old > a ? a : static_cast<T>(old - T{1});
    default:
        break;
    }
    if constexpr (std::is_integral_v<T>)
        return operation == AND ? old & a : operation == OR ? old | a : old ^ a;
    return old; // has_operation refused it
}

// Replaces what is in global memory in one step, and returns what was there.
template <class T> T replace_global(uint8_t *p, uint8_t operation, T a, T b)
{
    if constexpr (sizeof(T) == 4) {
        uint32_t old = ptxi_atomic_load4(p), fresh;
        do fresh = static_cast<uint32_t>(to_bits(apply<T>(operation, from_bits<T>(old), a, b)));
        while (!ptxi_compare_exchange4(p, &old, fresh));
        return from_bits<T>(old);
    } else {
        uint64_t old = ptxi_atomic_load8(p), fresh;
        do fresh = to_bits(apply<T>(operation, from_bits<T>(old), a, b));
        while (!ptxi_compare_exchange8(p, &old, fresh));
        return from_bits<T>(old);
    }
}

// Shared and local memory belong to one block, which one thread runs: no step there needs to be
// atomic.
template <class T> T replace_own(uint8_t *p, uint8_t operation, T a, T b)
{
    T old;
    memcpy(&old, p, sizeof(old));
    T fresh = apply<T>(operation, old, a, b);
    memcpy(p, &fresh, sizeof(fresh));
    return old;
}

template <class T> void run_atomic(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        uint64_t address = warp.reg(ins.src[0], lane) + static_cast<uint64_t>(ins.offset);
        Place place = resolve(warp, ins, lane, address, sizeof(T), WRITE);
        T a = from_bits<T>(warp.reg(ins.src[1], lane));
        T b = ins.src[2] == NO_SLOT ? a : from_bits<T>(warp.reg(ins.src[2], lane));
        T old = place.is_global ? replace_global<T>(place.p, ins.mode, a, b)
                                : replace_own<T>(place.p, ins.mode, a, b);
        if (ins.dst != NO_SLOT) warp.reg(ins.dst, lane) = to_bits(old);
    });
}

template <class T> Execute atomic_body(uint8_t operation)
{
    return has_operation<T>(operation) ? run_atomic<T> : nullptr;
}

bool decode_atomic(const Form &form, Instruction &ins)
{
    if (!find_operation(form, &ins.mode)) return false;
    size_t first = form.opcode == "atom" ? 1 : 0; // red has no destination
    size_t n_operand = first + (ins.mode == COMPARE_AND_SWAP ? 3 : 2);
    if (form.operands.size() != n_operand || !form.operands[first + 1].vector.empty()) return false;
    if (first == 1) ins.dst = form.operands[0].slot;
    ins.offset = form.operands[first].offset;
    for (size_t i = first; i < n_operand; i++) ins.src[i - first] = form.operands[i].slot;
    ins.is_atomic = true;
    switch (ins.type) {
    case B32:
    case U32:
        ins.execute = atomic_body<uint32_t>(ins.mode);
        break;
    case S32:
        ins.execute = atomic_body<int32_t>(ins.mode);
        break;
    case B64:
    case U64:
        ins.execute = atomic_body<uint64_t>(ins.mode);
        break;
    case S64:
        ins.execute = atomic_body<int64_t>(ins.mode);
        break;
    case F32:
        ins.execute = atomic_body<float>(ins.mode);
        break;
    case F64:
        ins.execute = atomic_body<double>(ins.mode);
        break;
    default:
        return false;
    }
    return true;
}

// redux: a warp primitive, so `lanes` are all that its mask names.
template <class T> void run_redux(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    T sum = from_bits<T>(warp.reg(ins.src[0], __builtin_ctz(lanes)));
    for_lanes(lanes & (lanes - 1), [&](int lane) {
        sum = apply<T>(ins.mode, sum, from_bits<T>(warp.reg(ins.src[0], lane)), T{0});
    });
    for_lanes(lanes, [&](int lane) { warp.reg(ins.dst, lane) = to_bits(sum); });
}

bool decode_redux(const Form &form, Instruction &ins)
{
    if (!find_operation(form, &ins.mode) || ins.mode > XOR || !take_operands(form, ins, 2))
        return false;
    if (is_float(ins.type) || type_bytes(ins.type) != 4) return false;
    ins.control = WARP_SYNC;
    ins.lane_mask = ins.src[1];
    ins.execute = is_signed(ins.type) ? run_redux<int32_t> : run_redux<uint32_t>;
    return true;
}

} // namespace

const Table &atomic_table()
{
    static const Table table = {
        {"atom", decode_atomic}, {"red", decode_atomic}, {"redux", decode_redux}};
    return table;
}

} // namespace ptxi
