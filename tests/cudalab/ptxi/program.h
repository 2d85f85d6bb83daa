// A parsed module: its variables, and its kernels as instructions ready to run.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "types.h"

namespace ptxi
{

struct Warp;
struct Instruction;

// Runs an instruction for the lanes of a mask.
using Execute = void (*)(Warp &, const Instruction &, uint32_t lanes);

// Who moves the program counter: PLAIN instructions go on to the next, the others are the warp
// scheduler's.
enum Control : uint8_t { PLAIN, BRANCH, RETURN, BARRIER, WARP_SYNC, TRAP };

enum Rounding : uint8_t { ROUND_NEAREST, ROUND_ZERO, ROUND_DOWN, ROUND_UP };

enum BoolOp : uint8_t { NO_BOOL_OP, BOOL_AND, BOOL_OR, BOOL_XOR };

const int NO_SLOT = -1;

// Operands are slots: a slot holds one value for each lane of a warp. Registers, special registers
// and constants alike have one.
struct Instruction {
    Execute execute = nullptr;
    Control control = PLAIN;
    Type type = NO_TYPE, type2 = NO_TYPE; // as the instruction's name has them; see each family
    Space space = GENERIC;
    uint8_t mode = 0; // the variant; each family has its own enum
    uint8_t compare = 0;
    BoolOp bool_op = NO_BOOL_OP;
    Rounding rounding = ROUND_NEAREST;
    bool saturates = false, flushes_subnormals = false;
    bool sets_carry = false, takes_carry = false;
    bool is_atomic = false;

    int guard = NO_SLOT; // @p: the lanes that run it
    bool guard_negated = false;
    int target = -1; // of a branch: an index into the code

    int dst = NO_SLOT, dst2 = NO_SLOT;
    int src[4] = {NO_SLOT, NO_SLOT, NO_SLOT, NO_SLOT};
    bool src_negated[4] = {};
    int lane_mask = NO_SLOT; // of a warp primitive
    int64_t offset = 0;      // of a memory operand [src[0] + offset]
    std::vector<int> vector; // the registers of {a, b, ...}
    uint32_t immediate = 0;

    int ptx_line = 0, source_line = 0;
};

struct Parameter {
    std::string name;
    size_t offset, n_bytes;
};

struct Function {
    std::string name;
    std::vector<Parameter> params;
    size_t param_bytes = 0;

    std::vector<Instruction> code;
    std::vector<std::string> text; // of each instruction, for messages

    int n_slot = 0;
    std::vector<std::pair<int, uint64_t>> constants; // slot, value
    std::map<int, int> special_registers;            // special register -> slot
    std::vector<int> dynamic_shared_slots; // these get the address of the dynamic shared memory

    size_t shared_bytes = 0, local_bytes = 0; // local: one lane's
    bool has_dynamic_shared = false;
};

struct Symbol {
    enum Place : uint8_t { PLACED, PER_FUNCTION, DYNAMIC };
    Space space;
    Place place; // of a module's shared variable: placed in each function that uses it, or the
                 // dynamic one
    uint64_t address;
    size_t n_bytes;
};

struct Module {
    std::map<std::string, Symbol> symbols; // a function's own are called function::name
    std::map<uintptr_t, size_t> ranges;    // of the variables in global and constant memory
    std::vector<Function> functions;
};

} // namespace ptxi
