// A kernel's body: scopes, registers, variables, labels, source lines.
#include "parser.h"

namespace ptxi
{

void FunctionParser::parse_body()
{
    scopes.push_back({});
    while (!scopes.empty()) {
        if (tokens.accept("{"))
            scopes.push_back({});
        else if (tokens.accept("}"))
            scopes.pop_back();
        else if (tokens.accept(".reg"))
            parse_registers();
        else if (tokens.accept(".shared"))
            place_declaration(SHARED);
        else if (tokens.accept(".local"))
            place_declaration(LOCAL);
        else if (tokens.accept(".param"))
            place_declaration(PARAM);
        else if (tokens.accept(".loc"))
            parse_location();
        else if (tokens.accept(".pragma"))
            tokens.skip_past(";");
        else if (tokens.following() == ":") {
            labels[tokens.next()] = static_cast<int>(function.code.size());
            tokens.expect(":");
        } else if (!tokens.accept(";")) {
            parse_instruction();
        }
    }
    Instruction end;
    end.control = RETURN;
    function.code.push_back(end);
    function.text.push_back("ret");
    resolve_branches();
}

// .reg .type a, b<n>: the latter is b0 to b(n-1).
void FunctionParser::parse_registers()
{
    while (tokens.current()[0] == '.') tokens.next();
    do {
        std::string name = tokens.next();
        if (tokens.accept("<")) {
            size_t n = tokens.next_number();
            tokens.expect(">");
            for (size_t i = 0; i < n; i++) scopes.back()[name + std::to_string(i)] = new_slot();
        } else {
            scopes.back()[name] = new_slot();
        }
    } while (tokens.accept(","));
    tokens.expect(";");
}

// .loc file line column[, function_name label[ + n]][, inlined_at file line column]
void FunctionParser::parse_location()
{
    tokens.next_number();
    source_line = static_cast<int>(tokens.next_number());
    tokens.next_number();
    while (tokens.accept(",")) {
        if (tokens.accept("function_name")) {
            tokens.next();
            if (tokens.accept("+")) tokens.next_number();
        } else {
            tokens.expect("inlined_at");
            for (int i = 0; i < 3; i++) tokens.next_number();
        }
    }
}

// Parameters of calls (the only one is printf's, which does nothing) live in local memory.
void FunctionParser::place_declaration(Space space)
{
    Declaration declaration = parse_declaration(tokens);
    size_t &n_used = space == SHARED ? function.shared_bytes : function.local_bytes;
    size_t at = align_up(n_used, declaration.alignment);
    n_used = at + declaration.n_bytes();
    uint64_t address = space == PARAM ? at + CALL_PARAM : at;
    module.symbols[function.name + "::" + declaration.name] = {space, Symbol::PLACED, address,
                                                               declaration.n_bytes()};
    tokens.expect(";");
}

void FunctionParser::resolve_branches()
{
    for (const auto &[at, label] : branches) {
        auto place = labels.find(label);
        if (place == labels.end()) tokens.fail("no label " + label + " in " + function.name);
        function.code[at].target = place->second;
    }
}

} // namespace ptxi
