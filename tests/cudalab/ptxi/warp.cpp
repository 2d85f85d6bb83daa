// The warp scheduler. Of the groups that can run, the one at the lowest place of the code does:
// lanes that are behind catch up, so that diverged lanes meet again where their paths do.
#include "warp.h"

#include "barrier.h"

namespace ptxi
{

void join_group(Warp &warp, int pc, uint32_t lanes)
{
    if (lanes == 0) return;
    for (Group &group : warp.groups)
        if (group.pc == pc) {
            group.lanes |= lanes;
            group.is_parked = false;
            return;
        }
    warp.groups.push_back({pc, lanes, false});
}

namespace
{

// The index of the next group to run; -1 where all wait.
int choose_group(const Warp &warp)
{
    int best = -1;
    for (size_t i = 0; i < warp.groups.size(); i++) {
        const Group &group = warp.groups[i];
        if (!group.is_parked && (best < 0 || group.pc < warp.groups[static_cast<size_t>(best)].pc))
            best = static_cast<int>(i);
    }
    return best;
}

Group take_group(Warp &warp, int index)
{
    Group group = warp.groups[static_cast<size_t>(index)];
    warp.groups.erase(warp.groups.begin() + index);
    return group;
}

uint32_t guarded_lanes(Warp &warp, const Instruction &ins, uint32_t lanes)
{
    if (ins.guard == NO_SLOT) return lanes;
    uint32_t active = 0;
    for_lanes(lanes, [&](int lane) {
        if ((warp.reg(ins.guard, lane) != 0) != ins.guard_negated) active |= 1u << lane;
    });
    return active;
}

// The lanes of `active` that name the mask of `lane`.
uint32_t lanes_with_mask(Warp &warp, const Instruction &ins, uint32_t active, uint32_t mask)
{
    uint32_t same = 0;
    for_lanes(active, [&](int lane) {
        if (static_cast<uint32_t>(warp.reg(ins.lane_mask, lane)) == mask) same |= 1u << lane;
    });
    return same;
}

// A warp primitive runs for each mask whose lanes are all here and name it. Returns the lanes that
// did.
uint32_t run_warp_primitive(Warp &warp, const Instruction &ins, uint32_t active)
{
    uint32_t done = 0;
    for (uint32_t rest = active; rest != 0;) {
        int lane = __builtin_ctz(rest);
        auto mask = static_cast<uint32_t>(warp.reg(ins.lane_mask, lane));
        uint32_t same = lanes_with_mask(warp, ins, active, mask);
        if (same & ~mask)
            fail_in_lane(__builtin_ctz(same & ~mask),
                         "warp primitive whose mask does not name the calling lane");
        if (mask & ~warp.live)
            fail_in_lane(lane,
                         "warp primitive whose mask names lanes that have ended or do not exist");
        if ((same & mask) == mask) {
            ins.execute(warp, ins, mask);
            done |= mask;
        }
        rest &= ~same;
    }
    return done;
}

// Lanes whose fellows are not here yet are parked until others join them. False where none went on.
bool sync_warp(Warp &warp, const Instruction &ins, const Group &group, uint32_t active)
{
    uint32_t go_on = run_warp_primitive(warp, ins, active) | (group.lanes & ~active);
    uint32_t stay = group.lanes & ~go_on;
    if (stay != 0) warp.groups.push_back({group.pc, stay, true});
    join_group(warp, group.pc + 1, go_on);
    return go_on != 0;
}

// Lanes that wait for these look again: they are told that no one will come.
void end_lanes(Warp &warp, uint32_t lanes)
{
    for (Group &group : warp.groups) group.is_parked = false;
    warp.live &= ~lanes;
    warp.block->n_alive -= __builtin_popcount(lanes);
}

// Runs one instruction that moves the program counter; `active` are the lanes whose guard holds.
bool run_control(Warp &warp, const Instruction &ins, const Group &group, uint32_t active)
{
    if (ins.control == WARP_SYNC) return sync_warp(warp, ins, group, active);
    if (active != 0) switch (ins.control) {
        case BRANCH:
            join_group(warp, ins.target, active);
            break;
        case RETURN:
            end_lanes(warp, active);
            break;
        case BARRIER:
            arrive(warp, group.pc, active);
            break;
        default:
            fail("trap or failed assert");
        }
    join_group(warp, group.pc + 1, group.lanes & ~active);
    return true;
}

} // namespace

bool run_warp(Warp &warp, int max_instructions)
{
    const std::vector<Instruction> &code = warp.block->function->code;
    Where &here = where();
    bool has_moved = false;

    here.warp = &warp;
    for (int n = 0; n < max_instructions; n++) {
        int chosen = choose_group(warp);
        if (chosen < 0) break;
        Group &group = warp.groups[static_cast<size_t>(chosen)];
        const Instruction &ins = code[static_cast<size_t>(group.pc)];
        here.instruction = &ins;
        here.lane = __builtin_ctz(group.lanes);
        uint32_t active = guarded_lanes(warp, ins, group.lanes);

        if (ins.control != PLAIN) {
            Group taken = take_group(warp, chosen);
            has_moved |= run_control(warp, ins, taken, active);
            continue;
        }
        if (active != 0) ins.execute(warp, ins, active);
        has_moved = true;
        if (warp.groups.size() == 1) {
            group.pc++;
        } else {
            Group taken = take_group(warp, chosen);
            join_group(warp, taken.pc + 1, taken.lanes);
        }
    }
    return has_moved;
}

} // namespace ptxi
