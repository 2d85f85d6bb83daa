// Instructions of floats and conversions at their edges.
#include <cmath>

#include "check.h"
#include "one_instruction.h"

CHECK(fp32_modifiers)
{
    const uint64_t nan = bits(NAN), tiny = bits(1e-40f);
    check_rows({
        {"add.f32 %d, %a, %b;", bits(1.0f), bits(0x1p-24f), 0, bits(1.0f)},
        {"add.rp.f32 %d, %a, %b;", bits(1.0f), bits(0x1p-24f), 0, bits(1 + 0x1p-23f)},
        {"add.rz.f32 %d, %a, %b;", bits(-1.0f), bits(-0x1.8p-24f), 0, bits(-1.0f)},
        {"fma.rm.f32 %d, %a, %b, %c;", bits(1.0f), bits(1.0f), bits(-0x1p-26f), bits(1 - 0x1p-24f)},
        {"add.sat.f32 %d, %a, %b;", bits(1.0f), bits(1.0f), 0, bits(1.0f)},
        {"add.sat.f32 %d, %a, %b;", nan, bits(1.0f), 0, 0},
        {"add.ftz.f32 %d, %a, %b;", tiny, tiny, 0, 0},
        {"add.f32 %d, %a, %b;", tiny, 0, 0, tiny},
        {"min.f32 %d, %a, %b;", nan, bits(2.0f), 0, bits(2.0f)},
        {"max.f32 %d, %a, %b;", bits(-1.0f), bits(2.0f), 0, bits(2.0f)},
        {"mul.f64 %d, %a, 0f40000000;", bits(1.5), 0, 0, bits(3.0)},
        {"copysign.f32 %d, %a, %b;", bits(-1.0f), bits(2.0f), 0, bits(-2.0f)},
        {"ex2.approx.f32 %d, %a;", bits(3.0f), 0, 0, bits(8.0f)},
        {"setp.lt.f32 %p, %a, %b; selp.b32 %d, 1, 2, %p;", nan, 0, 0, 2},
        {"setp.geu.f32 %p, %a, %b; selp.b32 %d, 1, 2, %p;", nan, 0, 0, 1},
        {"setp.ne.f32 %p, %a, %b; selp.b32 %d, 1, 2, %p;", nan, 0, 0, 2},
        {"setp.nan.f32 %p, %a, %b; selp.b32 %d, 1, 2, %p;", nan, 0, 0, 1},
        {"set.lt.f32.f32 %d, %a, %b;", bits(1.0f), bits(2.0f), 0, bits(1.0f)},
    });
}

CHECK(conversions_at_the_ends_of_the_range)
{
    check_rows({
        {"cvt.rzi.s32.f32 %d, %a;", bits(-2.7f), 0, 0, 0xfffffffe},
        {"cvt.rni.s32.f32 %d, %a;", bits(2.5f), 0, 0, 2},
        {"cvt.rmi.s32.f32 %d, %a;", bits(-2.1f), 0, 0, 0xfffffffd},
        {"cvt.rpi.f32.f32 %d, %a;", bits(2.1f), 0, 0, bits(3.0f)},
        {"cvt.rzi.s32.f32 %d, %a;", bits(3e9f), 0, 0, 0x7fffffff},
        {"cvt.rzi.u32.f32 %d, %a;", bits(-1.0f), 0, 0, 0},
        {"cvt.rzi.u64.f32 %d, %a;", bits(1e30f), 0, 0, ~0ull},
        {"cvt.rzi.s64.f64 %d, %a;", bits(-1e30), 0, 0, 1ull << 63},
        {"cvt.rzi.s32.f32 %d, %a;", bits(NAN), 0, 0, 0},
        {"cvt.s64.s32 %d, %a;", 0xffffffff, 0, 0, ~0ull},
        {"cvt.u64.u32 %d, %a;", 0xffffffff, 0, 0, 0xffffffff},
        {"cvt.s32.s8 %d, %a;", 0x80, 0, 0, ~0ull - 127}, // all of a wider register
        {"cvt.sat.u8.s32 %d, %a;", 300, 0, 0, 255},
        {"cvt.sat.u8.s32 %d, %a;", 0xffffffff, 0, 0, 0},
        {"cvt.sat.s8.s32 %d, %a;", 0xfffffc18, 0, 0, ~0ull - 127},
        {"cvt.sat.s32.u64 %d, %a;", ~0ull, 0, 0, 0x7fffffff},
        {"cvt.rn.f32.u64 %d, %a;", ~0ull, 0, 0, bits(0x1p64f)},
        {"cvt.rn.f32.s64 %d, %a;", 0x8000000000000001ull, 0, 0, bits(-0x1p63f)},
        {"cvt.rz.f32.s32 %d, %a;", 0x7fffffff, 0, 0, bits(0x1.fffffep30f)},
        {"cvt.rn.f32.f64 %d, %a;", bits(1 + 0x1p-24), 0, 0, bits(1.0f)},
        {"cvt.rp.f32.f64 %d, %a;", bits(1 + 0x1p-24), 0, 0, bits(1 + 0x1p-23f)},
        {"cvt.sat.f32.f32 %d, %a;", bits(1.5f), 0, 0, bits(1.0f)},
    });
}

CHECK(fp16_and_bf16)
{
    check_rows({
        {"cvt.rn.f16.f32 %d, %a;", bits(1 + 0x1p-11f), 0, 0, 0x3c00},
        {"cvt.rn.f16.f32 %d, %a;", bits(1 + 0x1.8p-10f), 0, 0, 0x3c02},
        {"cvt.rn.f16.f32 %d, %a;", bits(65520.0f), 0, 0, 0x7c00},
        {"cvt.rn.f16.f32 %d, %a;", bits(65519.0f), 0, 0, 0x7bff},
        {"cvt.rn.f16.f32 %d, %a;", bits(-0x1.8p-24f), 0, 0, 0x8002},
        {"cvt.rn.f16.f32 %d, %a;", bits(NAN), 0, 0, 0x7fff},
        {"cvt.f32.f16 %d, %a;", 0x8001, 0, 0, bits(-0x1p-24f)},
        {"cvt.f32.f16 %d, %a;", 0x7c00, 0, 0, bits(INFINITY)},
        {"cvt.rn.bf16.f32 %d, %a;", bits(1 + 0x1p-8f), 0, 0, 0x3f80},
        {"cvt.rn.bf16.f32 %d, %a;", bits(1 + 0x1.8p-7f), 0, 0, 0x3f82},
        {"cvt.rn.bf16.f32 %d, %a;", bits(3.4e38f), 0, 0, 0x7f80},
        {"cvt.rn.bf16x2.f32 %d, %a, %b;", bits(1.0f), bits(2.0f), 0, 0x3f804000},
        {"cvt.rn.f16x2.f32 %d, %a, %b;", bits(1.0f), bits(2.0f), 0, 0x3c004000},
        {"fma.rn.f16 %d, %a, %b, %c;", 0x4200, 0x4200, 0x3c00, 0x4900},
        {"fma.rn.bf16x2 %d, %a, %b, %c;", 0x40404000, 0x40404000, 0x3f80bf80, 0x41204040},
        {"add.sat.f16 %d, %a, %b;", 0x3c00, 0x3c00, 0, 0x3c00},
        {"max.f16x2 %d, %a, %b;", 0x3c00c000, 0x40003c00, 0, 0x40003c00},
        {"neg.bf16 %d, %a;", 0x3f80, 0, 0, 0xbf80},
    });
}
