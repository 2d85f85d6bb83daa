// A kernel around one instruction.
#include "one_instruction.h"

#include <cstring>
#include <exception>

#include "check.h"
#include "ptxi.h"

namespace
{

std::string module_around(const std::string &body)
{
    return ".version 9.0\n.target sm_80\n.address_size 64\n"
           ".entry kernel(.param .u64 out, .param .u64 in_a, .param .u64 in_b, .param .u64 "
           "in_c)\n{\n"
           ".reg .pred %p, %q;\n.reg .b64 %d, %a, %b, %c, %out;\n"
           "ld.param.u64 %out, [out];\nld.param.u64 %a, [in_a];\nld.param.u64 %b, "
           "[in_b];\nld.param.u64 %c, [in_c];\n"
           "mov.u64 %d, 0;\n" +
           body + "\nst.global.u64 [%out], %d;\nret;\n}\n";
}

} // namespace

uint64_t bits(float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof(word));
    return word;
}

uint64_t bits(double value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof(word));
    return word;
}

void check_rows(const std::vector<Row> &rows)
{
    for (const Row &row : rows) {
        uint64_t result = 0, *out = &result;
        Row in = row;
        void *args[] = {&out, &in.a, &in.b, &in.c};
        try {
            ptxi::Module *module = ptxi::load(module_around(row.instruction).c_str());
            ptxi::run(*ptxi::prepare(*module, "kernel", args), {1, 1, 1}, {1, 1, 1}, 0);
            check::expect(result == row.expected, "%s: %#llx, not %#llx", row.instruction,
                          static_cast<unsigned long long>(result),
                          static_cast<unsigned long long>(row.expected));
        } catch (const std::exception &error) {
            check::expect(false, "%s: %s", row.instruction, error.what());
        }
    }
}

std::string refusal_of(const std::string &body)
{
    try {
        ptxi::load(module_around(body).c_str());
    } catch (const std::exception &error) {
        return error.what();
    }
    return "it was accepted";
}
