// Moves: mov with packing and unpacking, cvta.
#include "instruction_table.h"
#include "machine.h"

namespace ptxi
{

namespace
{

void run_move(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    uint64_t *dst = warp.lanes_of(ins.dst);
    const uint64_t *src = warp.lanes_of(ins.src[0]);
    for_lanes(lanes, [&](int lane) { dst[lane] = src[lane]; });
}

// The width of each of a vector's parts, and its mask.
unsigned part_bits(const Instruction &ins)
{
    return static_cast<unsigned>(8 * type_bytes(ins.type) / ins.vector.size());
}

uint64_t part_mask(const Instruction &ins)
{
    return (1ull << part_bits(ins)) - 1; // at least two parts, so at most 32 bits
}

void run_pack(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        uint64_t word = 0;
        for (size_t k = 0; k < ins.vector.size(); k++)
            word |= (warp.reg(ins.vector[k], lane) & part_mask(ins)) << (k * part_bits(ins));
        warp.reg(ins.dst, lane) = word;
    });
}

void run_unpack(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) {
        uint64_t word = warp.reg(ins.src[0], lane);
        for (size_t k = 0; k < ins.vector.size(); k++)
            if (ins.vector[k] != NO_SLOT)
                warp.reg(ins.vector[k], lane) = word >> (k * part_bits(ins)) & part_mask(ins);
    });
}

bool decode_move(const Form &form, Instruction &ins)
{
    if (!take_operands(form, ins, 1)) return false;
    const std::vector<int> &into = form.operands[0].vector, &from = form.operands[1].vector;
    ins.vector = into.empty() ? from : into;
    if (ins.vector.size() == 1) return false;
    ins.execute = !into.empty() ? run_unpack : !from.empty() ? run_pack : run_move;
    return true;
}

template <bool TO_SPACE>
void run_convert_address(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    uint64_t window = ins.space == SHARED ? SHARED_WINDOW : ins.space == LOCAL ? LOCAL_WINDOW : 0;
    for_lanes(lanes, [&](int lane) {
        uint64_t address = warp.reg(ins.src[0], lane);
        warp.reg(ins.dst, lane) = TO_SPACE ? address - window : address + window;
    });
}

bool decode_convert_address(const Form &form, Instruction &ins)
{
    ins.execute = form.has("to") ? run_convert_address<true> : run_convert_address<false>;
    return take_operands(form, ins, 1);
}

} // namespace

const Table &move_table()
{
    static const Table table = {{"mov", decode_move}, {"cvta", decode_convert_address}};
    return table;
}

} // namespace ptxi
