// Warp primitives: shfl vote match activemask, bar.warp.sync. The scheduler runs them when all
// lanes are there that the mask operand names; these are `lanes`.
#include "instruction_table.h"
#include "machine.h"

namespace ptxi
{

namespace
{

enum Shuffle : uint8_t { INDEX, UP, DOWN, BUTTERFLY };
enum Vote : uint8_t { BALLOT, ALL, ANY, UNIFORM };

// The control operand: bits 8 to 12 say which lane bits are the segment's, bits 0 to 4 clamp within
// it. A source outside the segment leaves the lane its own value.
void run_shuffle(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    uint32_t result[WARP_SIZE];
    bool is_inside[WARP_SIZE];
    for_lanes(lanes, [&](int lane) {
        int distance = static_cast<int>(warp.reg(ins.src[1], lane) & 31);
        int control = static_cast<int>(warp.reg(ins.src[2], lane));
        int segment = control >> 8 & 31, clamp = control & 31;
        int first = lane & segment, limit = first | (clamp & ~segment);
        int from;
        switch (ins.mode) {
        case UP:
            from = lane - distance;
            break;
        case DOWN:
            from = lane + distance;
            break;
        case BUTTERFLY:
            from = lane ^ distance;
            break;
        default:
            from = first | (distance & ~segment);
            break;
        }
        is_inside[lane] = ins.mode == UP ? from >= limit : from <= limit;
        if (!is_inside[lane]) from = lane;
        if (!(lanes >> from & 1))
            fail_in_lane(lane, "shfl.sync reads a lane that does not take part");
        result[lane] = static_cast<uint32_t>(warp.reg(ins.src[0], from));
    });
    for_lanes(lanes, [&](int lane) {
        if (ins.dst != NO_SLOT) warp.reg(ins.dst, lane) = result[lane];
        if (ins.dst2 != NO_SLOT) warp.reg(ins.dst2, lane) = is_inside[lane];
    });
}

bool decode_shuffle(const Form &form, Instruction &ins)
{
    if (!form.has("sync") || !take_operands(form, ins, 4)) return false;
    ins.control = WARP_SYNC;
    ins.lane_mask = ins.src[3];
    ins.mode = form.has("up") ? UP : form.has("down") ? DOWN : form.has("bfly") ? BUTTERFLY : INDEX;
    ins.execute = run_shuffle;
    return true;
}

void run_vote(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    uint32_t ballot = 0;
    for_lanes(lanes, [&](int lane) {
        if ((warp.reg(ins.src[0], lane) != 0) != ins.src_negated[0]) ballot |= 1u << lane;
    });
    uint32_t result;
    switch (ins.mode) {
    case ALL:
        result = ballot == lanes;
        break;
    case ANY:
        result = ballot != 0;
        break;
    case UNIFORM:
        result = ballot == 0 || ballot == lanes;
        break;
    default:
        result = ballot;
        break;
    }
    for_lanes(lanes, [&](int lane) { warp.reg(ins.dst, lane) = result; });
}

bool decode_vote(const Form &form, Instruction &ins)
{
    if (!form.has("sync") || !take_operands(form, ins, 2)) return false;
    ins.control = WARP_SYNC;
    ins.lane_mask = ins.src[1];
    ins.mode = form.has("all") ? ALL : form.has("any") ? ANY : form.has("uni") ? UNIFORM : BALLOT;
    ins.execute = run_vote;
    return true;
}

uint32_t lanes_with_value_of(Warp &warp, const Instruction &ins, uint32_t lanes, int lane)
{
    uint64_t mask =
        type_bytes(ins.type) == 8 ? ~0ull : 0xffffffffu; // what is above is no part of the value
    uint32_t same = 0;
    for_lanes(lanes, [&](int other) {
        if (((warp.reg(ins.src[0], other) ^ warp.reg(ins.src[0], lane)) & mask) == 0)
            same |= 1u << other;
    });
    return same;
}

// dst may be src: the results are gathered first.
template <bool ALL_MUST> void run_match(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    uint32_t same[WARP_SIZE];
    for_lanes(lanes, [&](int lane) { same[lane] = lanes_with_value_of(warp, ins, lanes, lane); });
    for_lanes(lanes, [&](int lane) {
        bool do_all = same[lane] == lanes;
        warp.reg(ins.dst, lane) = !ALL_MUST || do_all ? same[lane] : 0;
        if (ins.dst2 != NO_SLOT) warp.reg(ins.dst2, lane) = do_all;
    });
}

bool decode_match(const Form &form, Instruction &ins)
{
    if (!take_operands(form, ins, 2)) return false;
    ins.control = WARP_SYNC;
    ins.lane_mask = ins.src[1];
    ins.execute = form.has("all") ? run_match<true> : run_match<false>;
    return true;
}

void run_active_mask(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    for_lanes(lanes, [&](int lane) { warp.reg(ins.dst, lane) = lanes; });
}

bool decode_active_mask(const Form &form, Instruction &ins)
{
    ins.execute = run_active_mask;
    return take_operands(form, ins, 0);
}

// Orders the warp's accesses to shared memory: the race checker is told.
void run_warp_barrier(Warp &warp, const Instruction &, uint32_t)
{
    warp.epoch++;
}

bool decode_warp_barrier(const Form &form, Instruction &ins)
{
    if (!form.has("warp") || form.operands.size() != 1) return false;
    ins.control = WARP_SYNC;
    ins.lane_mask = form.operands[0].slot;
    ins.execute = run_warp_barrier;
    return true;
}

} // namespace

const Table &warp_table()
{
    static const Table table = {
        {"shfl", decode_shuffle},           {"vote", decode_vote},        {"match", decode_match},
        {"activemask", decode_active_mask}, {"bar", decode_warp_barrier},
    };
    return table;
}

} // namespace ptxi
