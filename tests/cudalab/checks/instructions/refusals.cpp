// What the interpreter does not know it refuses when the module is loaded, and says where.
#include "check.h"
#include "one_instruction.h"

CHECK(unknown_instructions_and_forms)
{
    for (const char *body : {
             "wmma.load.a.sync.aligned.row.m16n16k16.global.f16 {%a}, [%b], %c;",
             "cp.async.ca.shared.global [%a], [%b], 4;",
             "mad.lo.cc.u32 %d, %a, %b, %c;",
             "min.NaN.f32 %d, %a, %b;",
             "max.f32 %d, %a, %b, %c;",
             "cvt.rz.bf16.f32 %d, %a;",
             "cvt.rn.relu.bf16.f32 %d, %a;",
             "cvt.rna.tf32.f32 %d, %a;",
             "prmt.b32.f4e %d, %a, %b, %c;",
             "bfind.shiftamt.u32 %d, %a;",
             "lop3.or.b32 %d|%p, %a, %b, %c, 0x80, %q;",
             "atom.global.add.f16 %d, [%a], %b;",
             "atom.global.and.f32 %d, [%a], %b;",
             "bar.sync 1;",
             "bar.sync 0, 64;",
             "bar.arrive 0, 64;",
             "shfl.up.b32 %d, %a, %b, %c;",
             "ld.global.b128 %d, [%a];",
         }) {
        std::string said = refusal_of(body);
        check::expect(said.find("PTX line 13: unsupported instruction") != std::string::npos,
                      "%s: %s", body, said.c_str());
    }
}

CHECK(calls_and_unknown_names)
{
    struct {
        const char *body, *text;
    } const rows[] = {
        {"call.uni (%d), helper, (%a);", "device functions must be inlined"},
        {"add.s32 %d, %a, %nothing;", "no variable or register %nothing"},
        {"@%nothing add.s32 %d, %a, %b;", "no predicate %nothing"},
        {"bra $nowhere;", "no label $nowhere"},
        {".local .align 4 .b128 wide[2];", "unsupported declaration: .b128"},
        {"add.s32 %d, %a, %b; ret; } .extern .global .u32 x;", "belongs to another module"},
    };
    for (const auto &row : rows) {
        std::string said = refusal_of(row.body);
        check::expect(said.find(row.text) != std::string::npos, "%s: %s", row.body, said.c_str());
    }
}
