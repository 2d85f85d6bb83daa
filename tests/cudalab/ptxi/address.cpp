// Address checks.
#include "address.h"

#include <cstdio>

namespace ptxi
{

namespace
{

[[noreturn]] void refuse(int lane, const char *what, uint64_t address, size_t n)
{
    char text[160];
    snprintf(text, sizeof(text), "%s (address %#llx, %zu bytes)", what,
             static_cast<unsigned long long>(address), n);
    fail_in_lane(lane, text);
}

bool is_inside(uint64_t address, size_t n, uint64_t size)
{
    return address <= size && n <= size - address;
}

// The allocation or variable that holds the range becomes the block's cached one.
bool find_global(Block &block, uint64_t address, size_t n)
{
    if (options().find_allocation == nullptr) return true;
    if (address >= block.cached_base &&
        is_inside(address - block.cached_base, n, block.cached_size))
        return true;

    uintptr_t base;
    size_t size;
    if (options().find_allocation(reinterpret_cast<void *>(address), n, &base, &size)) {
        block.cached_base = base;
        block.cached_size = size;
        return true;
    }
    auto range = block.module->ranges.upper_bound(address);
    if (range == block.module->ranges.begin()) return false;
    --range;
    if (!is_inside(address - range->first, n, range->second)) return false;
    block.cached_base = range->first;
    block.cached_size = range->second;
    return true;
}

Place shared_place(Warp &warp, const Instruction &instruction, int lane, uint64_t address, size_t n,
                   Access access)
{
    Block &block = *warp.block;
    if (!is_inside(address, n, block.shared_bytes))
        refuse(lane, "shared memory access out of bounds", address, n);
    if (options().racecheck) {
        Moment now = {warp.thread_of(lane), block.epoch, warp.epoch};
        const char *race =
            block.races.access(address, n, now, access == WRITE, instruction.is_atomic);
        if (race != nullptr) refuse(lane, race, address, n);
    }
    return {block.shared.data() + address, false};
}

Place local_place(Warp &warp, int lane, uint64_t address, size_t n)
{
    size_t lane_bytes = warp.block->function->local_bytes;
    if (!is_inside(address, n, lane_bytes))
        refuse(lane, "local memory access out of bounds", address, n);
    return {warp.local.data() + static_cast<size_t>(lane) * lane_bytes + address, false};
}

Place param_place(Warp &warp, int lane, uint64_t address, size_t n)
{
    if (address >= CALL_PARAM) return local_place(warp, lane, address - CALL_PARAM, n);
    if (!is_inside(address, n, warp.block->function->param_bytes))
        refuse(lane, "kernel parameter access out of bounds", address, n);
    return {const_cast<uint8_t *>(warp.block->params) + address, false};
}

} // namespace

Place resolve(Warp &warp, const Instruction &instruction, int lane, uint64_t address, size_t n,
              Access access)
{
    Space space = instruction.space;
    if (space == GENERIC) {
        uint64_t window = address >> WINDOW_SHIFT << WINDOW_SHIFT;
        space = window == SHARED_WINDOW ? SHARED : window == LOCAL_WINDOW ? LOCAL : GLOBAL;
        if (space != GLOBAL) address -= window;
    }
    if (address % n != 0) refuse(lane, "misaligned address", address, n);
    switch (space) {
    case SHARED:
        return shared_place(warp, instruction, lane, address, n, access);
    case LOCAL:
        return local_place(warp, lane, address, n);
    case PARAM:
        return param_place(warp, lane, address, n);
    default:
        if (!find_global(*warp.block, address, n))
            refuse(lane, "global memory access outside every allocation", address, n);
        return {reinterpret_cast<uint8_t *>(address), true};
    }
}

} // namespace ptxi
