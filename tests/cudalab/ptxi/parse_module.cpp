// A module's directives.
#include "parser.h"

#include <cstdlib>
#include <cstring>

#include "ptxi.h"

namespace ptxi
{

namespace
{

const size_t VARIABLE_ALIGNMENT = 256;

void place_global(Tokens &tokens, Module &module, Space space, bool is_extern)
{
    Declaration declaration = parse_declaration(tokens);
    if (is_extern) tokens.fail("variable " + declaration.name + " belongs to another module");
    size_t n_bytes = declaration.n_bytes();
    auto *memory = static_cast<uint8_t *>(
        aligned_alloc(VARIABLE_ALIGNMENT, align_up(n_bytes + 1, VARIABLE_ALIGNMENT)));
    if (memory == nullptr) tokens.fail("no memory for variable " + declaration.name);

    memset(memory, 0, n_bytes);
    for (size_t i = 0; i < declaration.initial.size(); i++)
        memcpy(memory + i * declaration.element_bytes, &declaration.initial[i],
               declaration.element_bytes);
    auto address = reinterpret_cast<uintptr_t>(memory);
    module.symbols[declaration.name] = {space, Symbol::PLACED, address, n_bytes};
    module.ranges[address] = n_bytes;
    tokens.expect(";");
}

// A shared variable of the module has an address only in the functions that use it.
void place_shared(Tokens &tokens, Module &module, bool is_extern)
{
    Declaration declaration = parse_declaration(tokens);
    auto place = is_extern && declaration.is_open ? Symbol::DYNAMIC : Symbol::PER_FUNCTION;
    module.symbols[declaration.name] = {SHARED, place, 0, declaration.n_bytes()};
    tokens.expect(";");
}

// Device functions are skipped: nvcc inlines them, and a call is refused where it stands.
void skip_function(Tokens &tokens)
{
    int depth = 0;
    for (;;) {
        std::string token = tokens.next();
        if (token == "{") depth++;
        if (token == "}" && --depth == 0) return;
        if (token == ";" && depth == 0) return;
    }
}

void parse_parameter(Tokens &tokens, Function &function)
{
    tokens.expect(".param");
    size_t alignment = 0, n_element = 1;
    Type type = NO_TYPE;
    while (tokens.current()[0] == '.') {
        std::string directive = tokens.next();
        if (directive == ".align") {
            alignment = tokens.next_number();
        } else if (directive == ".ptr") { // what the pointer points to
            for (const char *space : {".global", ".shared", ".const", ".local"})
                tokens.accept(space);
            if (tokens.accept(".align")) tokens.next_number();
        } else if (!find_type(directive.substr(1), &type)) {
            tokens.fail("unsupported parameter: " + directive);
        }
    }
    std::string name = tokens.next();
    if (tokens.accept("[")) {
        n_element = tokens.next_number();
        tokens.expect("]");
    }
    size_t n_bytes = type_bytes(type) * n_element;
    size_t offset = align_up(function.param_bytes, alignment ? alignment : type_bytes(type));
    function.params.push_back({name, offset, n_bytes});
    function.param_bytes = offset + n_bytes;
}

void parse_entry(Tokens &tokens, Module &module)
{
    Function &function = module.functions.emplace_back();
    function.name = tokens.next();
    if (tokens.accept("("))
        while (!tokens.accept(")")) {
            parse_parameter(tokens, function);
            tokens.accept(",");
        }
    tokens.skip_past("{"); // directives such as .maxntid
    FunctionParser(tokens, module, function).parse_body();
}

void skip_target(Tokens &tokens)
{
    do tokens.next();
    while (tokens.accept(","));
}

void skip_file(Tokens &tokens)
{
    tokens.next();
    tokens.next();
    while (tokens.accept(",")) tokens.next();
}

} // namespace

void parse_module(Tokens &tokens, Module &module)
{
    bool is_extern = false;
    while (!tokens.at_end()) {
        std::string directive = tokens.next();
        if (directive == ".extern") {
            is_extern = true;
            continue;
        }
        if (directive == ".version" || directive == ".address_size")
            tokens.next();
        else if (directive == ".target")
            skip_target(tokens);
        else if (directive == ".file")
            skip_file(tokens);
        else if (directive == ".section")
            tokens.skip_past("}");
        else if (directive == ".global")
            place_global(tokens, module, GLOBAL, is_extern);
        else if (directive == ".const")
            place_global(tokens, module, CONST, is_extern);
        else if (directive == ".shared")
            place_shared(tokens, module, is_extern);
        else if (directive == ".func")
            skip_function(tokens);
        else if (directive == ".entry")
            parse_entry(tokens, module);
        else if (directive != ".visible" && directive != ".weak" && directive != ".common")
            tokens.fail("unexpected " + directive);
        is_extern = false;
    }
}

Module *load(const char *ptx)
{
    auto module = std::make_unique<Module>();
    Tokens tokens(ptx);
    parse_module(tokens, *module);
    return module.release();
}

std::vector<Variable> variables(const Module &module)
{
    std::vector<Variable> all;
    for (const auto &[address, n_bytes] : module.ranges)
        all.push_back({reinterpret_cast<void *>(address), n_bytes});
    return all;
}

void *symbol(const Module &module, const char *name)
{
    auto place = module.symbols.find(name);
    return place == module.symbols.end() ? nullptr
                                         : reinterpret_cast<void *>(place->second.address);
}

} // namespace ptxi
