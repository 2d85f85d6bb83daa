// Integer instructions at their edges.
#include "check.h"
#include "one_instruction.h"

CHECK(sums_that_saturate_or_carry)
{
    check_rows({
        {"add.sat.s32 %d, %a, %b;", 0x7fffffff, 1, 0, 0x7fffffff},
        {"add.sat.s32 %d, %a, %b;", 0x80000000, 0xffffffff, 0, 0x80000000},
        {"sub.sat.s32 %d, %a, %b;", 0x80000000, 1, 0, 0x80000000},
        {"add.s32 %d, %a, %b;", 0x7fffffff, 1, 0, 0x80000000},
        {"add.cc.u32 %d, %a, %b; addc.u32 %d, 0, 0;", 0xffffffff, 1, 0, 1},
        {"add.cc.u32 %d, %a, %b; addc.u32 %d, 0, 0;", 0xffffffff, 0, 0, 0},
        {"sub.cc.u32 %d, %a, %b; subc.u32 %d, 5, 1;", 1, 2, 0, 3},
        {"add.cc.u64 %d, %a, %b; addc.cc.u64 %d, %c, 0; addc.u64 %d, 0, 0;", ~0ull, 1, ~0ull, 1},
    });
}

CHECK(products_of_low_high_and_wide)
{
    check_rows({
        {"mul.lo.u32 %d, %a, %b;", 0x10001, 0x10001, 0, 0x20001},
        {"mul.hi.u32 %d, %a, %b;", 0xffffffff, 0xffffffff, 0, 0xfffffffe},
        {"mul.hi.s32 %d, %a, %b;", 0xffffffff, 2, 0, 0xffffffff},
        {"mul.wide.s32 %d, %a, %b;", 0xffffffff, 3, 0, 0xfffffffffffffffdull},
        {"mul.wide.u16 %d, %a, %b;", 0xffff, 0xffff, 0, 0xfffe0001},
        {"mul.hi.u64 %d, %a, %b;", ~0ull, ~0ull, 0, ~0ull - 1},
        {"mul.hi.s64 %d, %a, %b;", ~0ull, 2, 0, ~0ull},
        {"mad.lo.s32 %d, %a, %b, %c;", 3, 0xffffffff, 1, 0xfffffffe},
        {"mad.wide.s32 %d, %a, %b, -5;", 2, 3, 0, 1},
        {"mad.wide.s32 %d, %a, %b, %c;", 0xffffffff, 1, 1ull << 40, (1ull << 40) - 1},
        {"mad.hi.u32 %d, %a, %b, %c;", 1u << 31, 4, 7, 9},
        {"sad.s32 %d, %a, %b, %c;", 0xfffffffe, 3, 10, 15},
        {"dp4a.s32.u32 %d, %a, %b, %c;", 0xff02, 0x0305, 1, 8},
        {"dp4a.u32.u32 %d, %a, %b, %c;", 0xff02, 0x0305, 1, 776},
    });
}

CHECK(division_at_its_edges)
{
    check_rows({
        {"div.s32 %d, %a, %b;", 0xfffffff9, 2, 0, 0xfffffffd},
        {"rem.s32 %d, %a, %b;", 0xfffffff9, 2, 0, 0xffffffff},
        {"div.s32 %d, %a, %b;", 0x80000000, 0xffffffff, 0, 0x80000000},
        {"rem.s32 %d, %a, %b;", 0x80000000, 0xffffffff, 0, 0},
        {"div.u32 %d, %a, %b;", 7, 0, 0, 0xffffffff},
        {"rem.u32 %d, %a, %b;", 7, 0, 0, 7},
        {"min.s32 %d, %a, %b;", 0xffffffff, 1, 0, 0xffffffff},
        {"min.u32 %d, %a, %b;", 0xffffffff, 1, 0, 1},
        {"abs.s32 %d, %a;", 0x80000000, 0, 0, 0x80000000},
        {"neg.s64 %d, %a;", 5, 0, 0, ~0ull - 4},
    });
}

CHECK(fields_and_bits)
{
    check_rows({
        {"bfe.u32 %d, %a, %b, %c;", 0xabcd1234, 8, 8, 0x12},
        {"bfe.s32 %d, %a, %b, %c;", 0x0000f000, 8, 8, 0xfffffff0},
        {"bfe.s32 %d, %a, %b, %c;", 0x80000000, 28, 8, 0xfffffff8},
        {"bfe.s32 %d, %a, %b, %c;", 0x80000000, 40, 8, 0xffffffff},
        {"bfe.u32 %d, %a, %b, %c;", 0x80000000, 40, 8, 0},
        {"bfe.s32 %d, %a, %b, %c;", 0x80000000, 31, 0, 0},
        {"bfe.u64 %d, %a, %b, %c;", 0xabcd1234abcd1234ull, 32, 64, 0xabcd1234},
        {"bfi.b32 %d, %a, %b, 4, 8;", 0xfff, 0, 0, 0xff0},
        {"bfi.b32 %d, %a, %b, 28, 8;", 0xfff, 0, 0, 0xf0000000},
        {"popc.b32 %d, %a;", 0xf0f0, 0, 0, 8},
        {"clz.b32 %d, %a;", 0, 0, 0, 32},
        {"clz.b32 %d, %a;", 1, 0, 0, 31},
        {"clz.b64 %d, %a;", 1, 0, 0, 63},
        {"brev.b32 %d, %a;", 1, 0, 0, 0x80000000},
        {"bfind.u32 %d, %a;", 0x100, 0, 0, 8},
        {"bfind.s32 %d, %a;", 0xfffffff0, 0, 0, 3},
        {"bfind.u32 %d, %a;", 0, 0, 0, 0xffffffff},
        {"prmt.b32 %d, %a, %b, 0x7410;", 0x44332211, 0x88776655, 0, 0x88552211},
        {"prmt.b32 %d, %a, %b, 0x000b;", 0x80000000, 0, 0, 0x000000ff},
    });
}

CHECK(logic_and_shifts)
{
    check_rows({
        {"lop3.b32 %d, %a, %b, %c, 0x96;", 0xf0, 0xcc, 0xaa, 0x96},
        {"lop3.b32 %d, %a, %b, %c, 0xe8;", 0xf0, 0xcc, 0xaa, 0xe8},
        {"not.b32 %d, %a;", 0xffff0000, 0, 0, 0xffff},
        {"cnot.b32 %d, %a;", 0, 0, 0, 1},
        {"shl.b32 %d, %a, %b;", 1, 31, 0, 0x80000000},
        {"shl.b32 %d, %a, %b;", 1, 32, 0, 0},
        {"shr.s32 %d, %a, %b;", 0x80000000, 40, 0, 0xffffffff},
        {"shr.u32 %d, %a, %b;", 0x80000000, 31, 0, 1},
        {"shr.u32 %d, %a, %b;", 0x80000000, 40, 0, 0},
        {"shf.l.wrap.b32 %d, %a, %b, %c;", 0x80000000, 1, 33, 3},
        {"shf.l.clamp.b32 %d, %a, %b, %c;", 0x80000001, 1, 33, 0x80000001},
        {"shf.r.wrap.b32 %d, %a, %b, %c;", 0x80000000, 1, 1, 0xc0000000},
        {"setp.lt.s32 %p|%q, %a, %b; selp.b32 %d, 1, 2, %p;", 0xffffffff, 0, 0, 1},
        {"setp.lt.u32 %p|%q, %a, %b; selp.b32 %d, 1, 2, %q;", 0xffffffff, 0, 0, 1},
        {"setp.eq.s32 %p, %a, 1; setp.eq.and.s32 %q, %b, 2, !%p; selp.b32 %d, 1, 2, %q;", 1, 2, 0,
         2},
        {"setp.eq.s32 %p, %a, 1; @!%p mov.u64 %d, 3; @%p mov.u64 %d, 4;", 1, 0, 0, 4},
        {"set.gt.u32.s32 %d, %a, %b;", 1, 0xffffffff, 0, 0xffffffff},
        {"mov.b32 %d, {%a, %b};", 0x11111, 0x2222, 0, 0x22221111},
        {"mov.b64 {%b, %d}, %a;", 0x1122334455667788ull, 0, 0, 0x11223344},
    });
}
