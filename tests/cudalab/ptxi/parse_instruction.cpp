// One instruction: its guard, its name with suffixes, its operands.
#include "parser.h"

#include "machine.h"
#include "special_registers.h"

namespace ptxi
{

namespace
{

Form parse_name(const std::string &full)
{
    Form form;
    form.full = full;
    size_t begin = full.find('.');
    form.opcode = full.substr(0, begin);
    while (begin != std::string::npos) {
        size_t end = full.find('.', begin + 1);
        form.suffixes.push_back(full.substr(begin + 1, end - begin - 1));
        Type type;
        if (find_type(form.suffixes.back(), &type)) form.types.push_back(type);
        begin = end;
    }
    return form;
}

// The suffixes that mean the same for all instructions.
void set_modifiers(const Form &form, Instruction &instruction)
{
    if (form.types.size() > 0) instruction.type = form.types[0];
    if (form.types.size() > 1) instruction.type2 = form.types[1];
    instruction.saturates = form.has("sat");
    instruction.flushes_subnormals = form.has("ftz");
    instruction.sets_carry = form.has("cc");
    instruction.rounding = form.has("rz")   ? ROUND_ZERO
                           : form.has("rm") ? ROUND_DOWN
                           : form.has("rp") ? ROUND_UP
                                            : ROUND_NEAREST;
    instruction.space = form.has("shared") || form.has("shared::cta") ? SHARED
                        : form.has("global")                          ? GLOBAL
                        : form.has("local")                           ? LOCAL
                        : form.has("param")                           ? PARAM
                        : form.has("const")                           ? CONST
                                                                      : GENERIC;
}

// How a constant in this place is read.
Type operand_type(const Form &form, const Instruction &instruction, size_t at)
{
    const std::string &opcode = form.opcode;
    if (opcode == "cvt") return instruction.type2;
    if ((opcode == "shl" || opcode == "shr") && at == 2) return U32;
    if ((opcode == "selp" || opcode == "setp") && at == 3) return PRED;
    if ((opcode == "mul" || opcode == "mad") && form.has("wide") && at == 3)
        return NO_TYPE; // twice as wide
    return instruction.type;
}

uint64_t fit(uint64_t value, Type type)
{
    if (type == NO_TYPE) return value;
    switch (type_bytes(type)) {
    case 4:
        return value & 0xffffffffu;
    case 2:
        return value & 0xffffu;
    default:
        return value;
    }
}

} // namespace

void FunctionParser::parse_instruction()
{
    Instruction instruction;
    size_t begin = tokens.position();
    instruction.ptx_line = tokens.line();
    instruction.source_line = source_line;
    parse_guard(instruction);
    Form form = parse_name(tokens.next());
    set_modifiers(form, instruction);

    if (form.opcode == "bra") {
        branches.push_back({function.code.size(), tokens.next()});
        instruction.control = BRANCH;
    } else if (form.opcode == "call") {
        parse_call(instruction);
    } else {
        parse_operands(form, instruction);
        if (!decode(form, instruction))
            tokens.fail("unsupported instruction: " + tokens.text_since(begin));
    }
    tokens.expect(";");
    function.code.push_back(instruction);
    function.text.push_back(tokens.text_since(begin));
}

void FunctionParser::parse_guard(Instruction &instruction)
{
    if (!tokens.accept("@")) return;
    instruction.guard_negated = tokens.accept("!");
    std::string name = tokens.next();
    instruction.guard = register_slot(name);
    if (instruction.guard == NO_SLOT) tokens.fail("no predicate " + name);
}

// printf does nothing, a failed assert ends the kernel, all others are refused.
void FunctionParser::parse_call(Instruction &instruction)
{
    bool is_known = false;
    instruction.execute = [](Warp &, const Instruction &, uint32_t) {};
    while (tokens.current() != ";") {
        std::string token = tokens.next();
        if (token == "__assertfail") instruction.control = TRAP;
        is_known |= token == "vprintf" || token == "__assertfail";
    }
    if (!is_known) tokens.fail("a call is not supported: device functions must be inlined");
}

void FunctionParser::parse_operands(Form &form, const Instruction &instruction)
{
    while (tokens.current() != ";") {
        form.operands.push_back(
            parse_operand(operand_type(form, instruction, form.operands.size())));
        tokens.accept(",");
    }
}

Operand FunctionParser::parse_operand(Type type)
{
    if (tokens.current() == "[") return parse_address();

    Operand operand;
    if (tokens.accept("{")) {
        while (!tokens.accept("}")) {
            operand.vector.push_back(parse_operand(type).slot);
            tokens.accept(",");
        }
        return operand;
    }
    if (tokens.accept("-")) return constant_operand(0 - tokens.next_number(), type);
    bool is_negated = tokens.accept("!");
    operand = parse_value(tokens.next(), type);
    operand.is_negated = is_negated;
    if (tokens.accept("|")) operand.slot2 = parse_value(tokens.next(), PRED).slot;
    return operand;
}

// [base], [base + n], [base + -n]
Operand FunctionParser::parse_address()
{
    tokens.expect("[");
    Operand operand = parse_value(tokens.next(), U64);
    bool has_offset = tokens.accept("+");
    bool is_negative = tokens.accept("-");
    if (has_offset || is_negative) {
        auto offset = static_cast<int64_t>(tokens.next_number());
        operand.offset = is_negative ? -offset : offset;
    }
    tokens.expect("]");
    return operand;
}

// A register, a special register, a number, or a variable, whose value is its address. "_" is no
// operand at all.
Operand FunctionParser::parse_value(const std::string &name, Type type)
{
    Operand operand;
    if (name == "_") return operand;
    operand.slot = register_slot(name);
    if (operand.slot != NO_SLOT) return operand;

    int special = find_special_register(name);
    uint64_t value;
    if (special >= 0)
        operand.slot = special_register_slot(special);
    else if (!parse_number(name, &value))
        operand.slot = symbol_slot(name);
    else if (type == F64 && (name[1] == 'f' || name[1] == 'F'))
        return constant_operand(to_bits(static_cast<double>(from_bits<float>(value))), type);
    else
        return constant_operand(value, type);
    return operand;
}

Operand FunctionParser::constant_operand(uint64_t value, Type type)
{
    Operand operand;
    operand.is_constant = true;
    operand.constant = fit(value, type);
    operand.slot = constant_slot(operand.constant);
    return operand;
}

int FunctionParser::symbol_slot(const std::string &name)
{
    for (const Parameter &param : function.params)
        if (param.name == name) return constant_slot(param.offset);

    auto place = module.symbols.find(function.name + "::" + name);
    if (place == module.symbols.end()) place = module.symbols.find(name);
    if (place == module.symbols.end()) tokens.fail("no variable or register " + name);

    const Symbol symbol = place->second;
    if (symbol.place == Symbol::DYNAMIC) {
        function.has_dynamic_shared = true;
        function.dynamic_shared_slots.push_back(new_slot());
        return function.dynamic_shared_slots.back();
    }
    if (symbol.place == Symbol::PER_FUNCTION) {
        uint64_t address = align_up(function.shared_bytes, 16); // the largest that an access needs
        function.shared_bytes = address + symbol.n_bytes;
        module.symbols[function.name + "::" + name] = {SHARED, Symbol::PLACED, address,
                                                       symbol.n_bytes};
        return constant_slot(address);
    }
    return constant_slot(symbol.address);
}

int FunctionParser::register_slot(const std::string &name) const
{
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
        auto place = scope->find(name);
        if (place != scope->end()) return place->second;
    }
    return NO_SLOT;
}

int FunctionParser::special_register_slot(int number)
{
    auto [place, is_new] = function.special_registers.insert({number, NO_SLOT});
    if (is_new) place->second = new_slot();
    return place->second;
}

int FunctionParser::constant_slot(uint64_t value)
{
    auto [place, is_new] = constant_slots.insert({value, NO_SLOT});
    if (is_new) {
        place->second = new_slot();
        function.constants.push_back({place->second, value});
    }
    return place->second;
}

} // namespace ptxi
