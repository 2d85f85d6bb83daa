// PTX's types and state spaces.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace ptxi
{

enum Type : uint8_t {
    NO_TYPE,
    PRED,
    B8,
    B16,
    B32,
    B64,
    U8,
    U16,
    U32,
    U64,
    S8, // from here to S64: signed
    S16,
    S32,
    S64,
    F16, // from here on: floats
    F32,
    F64,
    BF16,
    F16X2,
    BF16X2
};

enum Space : uint8_t { GENERIC, GLOBAL, SHARED, LOCAL, PARAM, CONST };

bool find_type(const std::string &name, Type *type); // "u32"
size_t type_bytes(Type type);

inline bool is_signed(Type type)
{
    return type >= S8 && type <= S64;
}

inline bool is_float(Type type)
{
    return type >= F16;
}

inline bool is_half(Type type)
{
    return type == F16 || type == F16X2 || type == BF16 || type == BF16X2;
}

// Generic addresses of shared and local memory begin where no host pointer lies; all others are the
// host's own.
const uint64_t SHARED_WINDOW = 0x70ull << 56, LOCAL_WINDOW = 0x71ull << 56;
const int WINDOW_SHIFT = 56;

// Parameters of calls and the kernel's own share one space; those of calls are local memory, told
// apart by this bit.
const uint64_t CALL_PARAM = 1ull << 40;

const int WARP_SIZE = 32;

} // namespace ptxi
