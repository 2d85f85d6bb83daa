// Declarations of variables.
#include "parser.h"

namespace ptxi
{

namespace
{

uint64_t parse_initial(Tokens &tokens)
{
    bool is_negative = tokens.accept("-");
    uint64_t value;
    std::string text = tokens.next();
    if (!parse_number(text, &value)) tokens.fail("initial value " + text + " is no number");
    return is_negative ? 0 - value : value;
}

// One value, or nested braces, whose values simply follow each other.
std::vector<uint64_t> parse_initials(Tokens &tokens)
{
    std::vector<uint64_t> values;
    int depth = 0;
    do {
        if (tokens.accept("{"))
            depth++;
        else if (tokens.accept("}"))
            depth--;
        else if (!tokens.accept(","))
            values.push_back(parse_initial(tokens));
    } while (depth > 0);
    return values;
}

// The directives before the name.
void parse_element(Tokens &tokens, Declaration &declaration)
{
    size_t n_in_vector = 1;
    Type type = NO_TYPE;
    while (tokens.current()[0] == '.') {
        std::string directive = tokens.next();
        if (directive == ".align")
            declaration.alignment = tokens.next_number();
        else if (directive == ".v2")
            n_in_vector = 2;
        else if (directive == ".v4")
            n_in_vector = 4;
        else if (!find_type(directive.substr(1), &type))
            tokens.fail("unsupported declaration: " + directive);
    }
    declaration.element_bytes = type_bytes(type) * n_in_vector;
    if (declaration.alignment == 0) declaration.alignment = declaration.element_bytes;
}

} // namespace

Declaration parse_declaration(Tokens &tokens)
{
    Declaration declaration;
    parse_element(tokens, declaration);
    declaration.name = tokens.next();
    while (tokens.accept("[")) {
        if (tokens.accept("]")) {
            declaration.is_open = true;
            continue;
        }
        declaration.n_element *= tokens.next_number();
        tokens.expect("]");
    }
    if (tokens.accept("=")) {
        declaration.initial = parse_initials(tokens);
        if (declaration.element_bytes > sizeof(uint64_t))
            tokens.fail("initial values of a vector type");
    }
    if (declaration.is_open) declaration.n_element = declaration.initial.size();
    if (declaration.initial.size() > declaration.n_element) tokens.fail("too many initial values");
    return declaration;
}

} // namespace ptxi
