// Loads and stores: ld ldu st, of one value or a vector.
#include <cstring>

#include "address.h"
#include "global_access.h"
#include "instruction_table.h"

namespace ptxi
{

namespace
{

template <class T> T load(const Place &place)
{
    if (!place.is_global) {
        T value;
        memcpy(&value, place.p, sizeof(value));
        return value;
    }
    if constexpr (sizeof(T) == 1) return static_cast<T>(ptxi_load1(place.p));
    if constexpr (sizeof(T) == 2) return static_cast<T>(ptxi_load2(place.p));
    if constexpr (sizeof(T) == 4) return static_cast<T>(ptxi_load4(place.p));
    if constexpr (sizeof(T) == 8) return static_cast<T>(ptxi_load8(place.p));
}

template <class T> void store(const Place &place, uint64_t bits)
{
    if (!place.is_global)
        memcpy(place.p, &bits, sizeof(T));
    else if constexpr (sizeof(T) == 1)
        ptxi_store1(place.p, static_cast<uint8_t>(bits));
    else if constexpr (sizeof(T) == 2)
        ptxi_store2(place.p, static_cast<uint16_t>(bits));
    else if constexpr (sizeof(T) == 4)
        ptxi_store4(place.p, static_cast<uint32_t>(bits));
    else
        ptxi_store8(place.p, bits);
}

// Where a lane's access begins: a vector is aligned as a whole.
template <class T>
uint64_t start_address(Warp &warp, const Instruction &ins, int lane, const char *what)
{
    uint64_t address = warp.reg(ins.src[0], lane) + static_cast<uint64_t>(ins.offset);
    if (!ins.vector.empty() && address % (ins.vector.size() * sizeof(T)) != 0)
        fail_in_lane(lane, what);
    return address;
}

// A loaded integer fills its register, which may be wider, by its sign or by zeros.
template <class T> uint64_t widen(T value)
{
    if constexpr (std::is_signed_v<T> && sizeof(T) < 4)
        return static_cast<uint64_t>(int64_t{value});
    return to_bits(value);
}

struct Load {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            uint64_t address = start_address<T>(warp, ins, lane, "misaligned vector load");
            if (ins.vector.empty()) {
                T value = load<T>(resolve(warp, ins, lane, address, sizeof(T), READ));
                if (ins.dst != NO_SLOT) warp.reg(ins.dst, lane) = widen(value);
            }
            for (size_t k = 0; k < ins.vector.size(); k++) {
                T value =
                    load<T>(resolve(warp, ins, lane, address + k * sizeof(T), sizeof(T), READ));
                if (ins.vector[k] != NO_SLOT) warp.reg(ins.vector[k], lane) = widen(value);
            }
        });
    }
};

struct Store {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            uint64_t address = start_address<T>(warp, ins, lane, "misaligned vector store");
            if (ins.vector.empty())
                store<T>(resolve(warp, ins, lane, address, sizeof(T), WRITE),
                         warp.reg(ins.src[1], lane));
            for (size_t k = 0; k < ins.vector.size(); k++)
                store<T>(resolve(warp, ins, lane, address + k * sizeof(T), sizeof(T), WRITE),
                         warp.reg(ins.vector[k], lane));
        });
    }
};

template <class Body> Execute for_any(Type type)
{
    return for_integer<Body>(type == F32 ? B32 : type == F64 ? B64 : type);
}

bool decode_load(const Form &form, Instruction &ins)
{
    if (!take_operands(form, ins, 1)) return false;
    ins.vector = form.operands[0].vector;
    ins.offset = form.operands[1].offset;
    ins.execute = for_any<Load>(ins.type);
    return true;
}

bool decode_store(const Form &form, Instruction &ins)
{
    if (form.operands.size() != 2) return false;
    ins.src[0] = form.operands[0].slot;
    ins.offset = form.operands[0].offset;
    ins.src[1] = form.operands[1].slot;
    ins.vector = form.operands[1].vector;
    ins.execute = for_any<Store>(ins.type);
    return true;
}

} // namespace

const Table &memory_table()
{
    static const Table table = {{"ld", decode_load}, {"ldu", decode_load}, {"st", decode_store}};
    return table;
}

} // namespace ptxi
