// The parser: a module's directives (parse_module.cpp), a kernel's body (parse_function.cpp), and
// an instruction with its operands (parse_instruction.cpp).
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "instruction_table.h"
#include "lexer.h"
#include "program.h"

namespace ptxi
{

// [.align n] [.v2|.v4] .type name[n]... [= initial values];
struct Declaration {
    std::string name;
    size_t alignment = 0, element_bytes = 0, n_element = 1;
    bool is_open = false; // name[]: as long as its initial values
    std::vector<uint64_t> initial;

    size_t n_bytes() const
    {
        return element_bytes * n_element;
    }
};
Declaration parse_declaration(Tokens &tokens);

// The next multiple of alignment.
inline size_t align_up(size_t n, size_t alignment)
{
    return (n + alignment - 1) / alignment * alignment;
}

void parse_module(Tokens &tokens, Module &module);

class FunctionParser
{
  public:
    FunctionParser(Tokens &tokens, Module &module, Function &function)
        : tokens(tokens), module(module), function(function)
    {
    }
    void parse_body(); // behind its opening brace

  private:
    using Scope = std::map<std::string, int>; // register -> slot

    // parse_function.cpp
    void parse_registers();
    void parse_location();
    void place_declaration(Space space);
    void resolve_branches();

    // parse_instruction.cpp
    void parse_instruction();
    void parse_guard(Instruction &instruction);
    void parse_call(Instruction &instruction);
    void parse_operands(Form &form, const Instruction &instruction);
    Operand parse_operand(Type type);
    Operand parse_address();
    Operand parse_value(const std::string &name, Type type);
    Operand constant_operand(uint64_t value, Type type);
    int symbol_slot(const std::string &name);
    int register_slot(const std::string &name) const; // NO_SLOT where there is none
    int special_register_slot(int number);
    int constant_slot(uint64_t value);
    int new_slot()
    {
        return function.n_slot++;
    }

    Tokens &tokens;
    Module &module;
    Function &function;
    std::vector<Scope> scopes;
    std::map<uint64_t, int> constant_slots;
    std::map<std::string, int> labels;
    std::vector<std::pair<size_t, std::string>> branches; // instruction, label
    int source_line = 0;
};

} // namespace ptxi
