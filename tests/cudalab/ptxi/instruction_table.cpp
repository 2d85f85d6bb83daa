// Looks instructions up in the table.
#include "instruction_table.h"

#include <algorithm>
#include <map>

namespace ptxi
{

bool Form::has(const char *suffix) const
{
    return std::find(suffixes.begin(), suffixes.end(), suffix) != suffixes.end();
}

bool take_operands(const Form &form, Instruction &instruction, size_t n_src)
{
    const std::vector<Operand> &operands = form.operands;
    if (operands.size() != n_src + 1) return false;
    instruction.dst = operands[0].slot;
    instruction.dst2 = operands[0].slot2;
    for (size_t i = 0; i < n_src; i++) {
        instruction.src[i] = operands[i + 1].slot;
        instruction.src_negated[i] = operands[i + 1].is_negated;
    }
    return true;
}

bool decode(const Form &form, Instruction &instruction)
{
    static const std::multimap<std::string, Decode> opcodes = [] {
        std::multimap<std::string, Decode> all; // entries of one opcode stay in this order
        for (const Table *table :
             {&half_table(), &float_table(), &carry_table(), &integer_table(), &logic_table(),
              &bit_table(), &convert_table(), &compare_table(), &move_table(), &memory_table(),
              &atomic_table(), &warp_table(), &control_table()})
            for (const TableEntry &entry : *table) all.emplace(entry.opcode, entry.decode);
        return all;
    }();
    auto [first, last] = opcodes.equal_range(form.opcode);
    for (auto place = first; place != last; ++place) {
        Instruction attempt = instruction;
        if (!place->second(form, attempt)) continue;
        instruction = attempt;
        return instruction.control != PLAIN || instruction.execute != nullptr;
    }
    return false;
}

} // namespace ptxi
