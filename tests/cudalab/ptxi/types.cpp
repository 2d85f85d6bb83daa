// Names and sizes of types.
#include "types.h"

#include <map>

namespace ptxi
{

bool find_type(const std::string &name, Type *type)
{
    static const std::map<std::string, Type> types = {
        {"pred", PRED}, {"b8", B8},     {"b16", B16},     {"b32", B32},      {"b64", B64},
        {"u8", U8},     {"u16", U16},   {"u32", U32},     {"u64", U64},      {"s8", S8},
        {"s16", S16},   {"s32", S32},   {"s64", S64},     {"f16", F16},      {"f32", F32},
        {"f64", F64},   {"bf16", BF16}, {"f16x2", F16X2}, {"bf16x2", BF16X2}};
    auto place = types.find(name);
    if (place == types.end()) return false;
    *type = place->second;
    return true;
}

size_t type_bytes(Type type)
{
    switch (type) {
    case B8:
    case U8:
    case S8:
    case PRED:
        return 1;
    case B16:
    case U16:
    case S16:
    case F16:
    case BF16:
        return 2;
    case B64:
    case U64:
    case S64:
    case F64:
        return 8;
    default:
        return 4;
    }
}

} // namespace ptxi
