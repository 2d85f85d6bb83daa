// The instruction table: each family of instructions has a file ops_*.cpp that says how its
// instructions are read and what they do, and ends with its part of the table.
#pragma once
#include <string>
#include <vector>

#include "program.h"

namespace ptxi
{

struct Operand {
    int slot = NO_SLOT, slot2 = NO_SLOT; // slot2: of p|q
    int64_t offset = 0;                  // of [slot + offset]
    bool is_negated = false;
    bool is_constant = false;
    uint64_t constant = 0;
    std::vector<int> vector; // of {a, b, ...}
};

// An instruction as it is written, its operands resolved.
struct Form {
    std::string full, opcode;          // "add.sat.s32", "add"
    std::vector<std::string> suffixes; // "sat", "s32"
    std::vector<Type> types;           // those of the suffixes that are types
    std::vector<Operand> operands;

    bool has(const char *suffix) const;
};

// Fills the instruction in, whose type, space and modifiers are already set from the form. False
// where the family does not know this form: the next one is asked.
using Decode = bool (*)(const Form &form, Instruction &instruction);

struct TableEntry {
    const char *opcode;
    Decode decode;
};
using Table = std::vector<TableEntry>;

const Table &integer_table();
const Table &carry_table();
const Table &logic_table();
const Table &bit_table();
const Table &float_table();
const Table &half_table();
const Table &convert_table();
const Table &compare_table();
const Table &move_table();
const Table &memory_table();
const Table &atomic_table();
const Table &warp_table();
const Table &control_table();

// Asks every family. False: the instruction is not supported.
bool decode(const Form &form, Instruction &instruction);

// The first operand is the destination, the others are sources. False where there are not n_src
// sources.
bool take_operands(const Form &form, Instruction &instruction, size_t n_src);

// The instance of Body::run<T> for a type; NULL where there is none.
template <class Body> Execute for_integer(Type type)
{
    switch (type) {
    case PRED:
    case B8:
    case U8:
        return Body::template run<uint8_t>;
    case S8:
        return Body::template run<int8_t>;
    case B16:
    case F16:
    case BF16:
    case U16:
        return Body::template run<uint16_t>;
    case S16:
        return Body::template run<int16_t>;
    case B32:
    case F16X2:
    case BF16X2:
    case U32:
        return Body::template run<uint32_t>;
    case S32:
        return Body::template run<int32_t>;
    case B64:
    case U64:
        return Body::template run<uint64_t>;
    case S64:
        return Body::template run<int64_t>;
    default:
        return nullptr;
    }
}

template <class Body> Execute for_float(Type type)
{
    switch (type) {
    case F32:
        return Body::template run<float>;
    case F64:
        return Body::template run<double>;
    default:
        return nullptr;
    }
}

} // namespace ptxi
