// Bits and bytes of a word: bfe bfi popc clz brev bfind prmt.
#include <algorithm>
#include <type_traits>

#include "instruction_table.h"
#include "machine.h"

namespace ptxi
{

namespace
{

// The field [at, at + n) of a word; n and at are bytes of their registers. A signed field is
// extended with its top bit, or the word's where it reaches beyond.
struct ExtractField {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        using Unsigned = std::make_unsigned_t<T>;
        const unsigned width = 8 * sizeof(T);
        for_lanes(lanes, [&](int lane) {
            auto word = from_bits<Unsigned>(warp.reg(ins.src[0], lane));
            unsigned at = warp.reg(ins.src[1], lane) & 255, n = warp.reg(ins.src[2], lane) & 255;
            Unsigned field = 0;
            if (n > 0) {
                bool has_sign = std::is_signed_v<T> && word >> std::min(at + n - 1, width - 1) & 1;
                unsigned n_inside = at >= width ? 0 : std::min(n, width - at);
                if (n_inside > 0) field = static_cast<Unsigned>(word >> at);
                if (n_inside < width) {
                    auto inside = static_cast<Unsigned>((Unsigned{1} << n_inside) - 1);
                    field = static_cast<Unsigned>((field & inside) | (has_sign ? ~inside : 0));
                }
            }
            warp.reg(ins.dst, lane) = to_bits(field);
        });
    }
};

bool decode_extract(const Form &form, Instruction &ins)
{
    if (type_bytes(ins.type) < 4) return false;
    ins.execute = for_integer<ExtractField>(ins.type);
    return take_operands(form, ins, 3);
}

// Puts the low bits of a over the field [at, at + n) of b.
template <class T> void run_insert(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    const unsigned width = 8 * sizeof(T);
    for_lanes(lanes, [&](int lane) {
        T a = from_bits<T>(warp.reg(ins.src[0], lane)),
          result = from_bits<T>(warp.reg(ins.src[1], lane));
        unsigned at = warp.reg(ins.src[2], lane) & 255, n = warp.reg(ins.src[3], lane) & 255;
        for (unsigned k = 0; k < n && at + k < width; k++) {
            result &= ~(T{1} << (at + k));
            result |= (a >> k & 1) << (at + k);
        }
        warp.reg(ins.dst, lane) = to_bits(result);
    });
}

bool decode_insert(const Form &form, Instruction &ins)
{
    ins.execute = type_bytes(ins.type) == 8 ? run_insert<uint64_t> : run_insert<uint32_t>;
    return take_operands(form, ins, 4);
}

struct CountOnes {
    template <class T> static uint64_t apply(T word)
    {
        return static_cast<uint64_t>(
            __builtin_popcountll(static_cast<std::make_unsigned_t<T>>(word)));
    }
};

struct CountLeadingZeros {
    template <class T> static uint64_t apply(T word)
    {
        auto bits = static_cast<uint64_t>(static_cast<std::make_unsigned_t<T>>(word));
        const uint64_t width = 8 * sizeof(T);
        return bits == 0 ? width : static_cast<uint64_t>(__builtin_clzll(bits)) - (64 - width);
    }
};

struct Reverse {
    template <class T> static uint64_t apply(T word)
    {
        const unsigned width = 8 * sizeof(T);
        uint64_t bits = static_cast<std::make_unsigned_t<T>>(word), result = 0;
        for (unsigned k = 0; k < width; k++) result |= (bits >> k & 1) << (width - 1 - k);
        return result;
    }
};

struct FindTop { // the highest bit that differs from the sign
    template <class T> static uint64_t apply(T word)
    {
        auto bits = static_cast<std::make_unsigned_t<T>>(word < 0 ? ~word : word);
        return bits == 0 ? 0xffffffffu : 63u - static_cast<unsigned>(__builtin_clzll(bits));
    }
};

template <class Op> struct CountBits {
    template <class T> static void run(Warp &warp, const Instruction &ins, uint32_t lanes)
    {
        for_lanes(lanes, [&](int lane) {
            warp.reg(ins.dst, lane) =
                Op::template apply<T>(from_bits<T>(warp.reg(ins.src[0], lane)));
        });
    }
};

template <class Op> bool decode_count(const Form &form, Instruction &ins)
{
    if (form.has("shiftamt")) return false;
    ins.execute = for_integer<CountBits<Op>>(ins.type);
    return take_operands(form, ins, 1);
}

// Each nibble of c picks one of the eight bytes of b:a for a byte of the result; its top bit asks
// for the byte's sign instead.
void run_permute(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        uint64_t bytes =
            static_cast<uint32_t>(warp.reg(ins.src[0], lane)) | warp.reg(ins.src[1], lane) << 32;
        auto selector = static_cast<uint32_t>(warp.reg(ins.src[2], lane));
        uint32_t result = 0;
        for (int k = 0; k < 4; k++) {
            uint32_t nibble = selector >> (4 * k) & 15;
            uint32_t byte = bytes >> (8 * (nibble & 7)) & 0xff;
            if (nibble & 8) byte = byte & 0x80 ? 0xff : 0;
            result |= byte << (8 * k);
        }
        warp.reg(ins.dst, lane) = result;
    });
}

bool decode_permute(const Form &form, Instruction &ins)
{
    ins.execute = run_permute;
    return form.full == "prmt.b32" && take_operands(form, ins, 3);
}

} // namespace

const Table &bit_table()
{
    static const Table table = {
        {"bfe", decode_extract},           {"bfi", decode_insert},
        {"popc", decode_count<CountOnes>}, {"clz", decode_count<CountLeadingZeros>},
        {"brev", decode_count<Reverse>},   {"bfind", decode_count<FindTop>},
        {"prmt", decode_permute},
    };
    return table;
}

} // namespace ptxi
