// The running state: a block, its warps, their registers.
#pragma once
#include <cstring>
#include <vector>

#include "program.h"
#include "ptxi.h"
#include "race.h"

namespace ptxi
{

struct Block;

// Lanes of a warp that are at one place of the code. Parked ones wait for other lanes to come
// there.
struct Group {
    int pc;
    uint32_t lanes;
    bool is_parked;
};

// Lanes that wait at a __syncthreads.
struct Arrival {
    int pc;
    uint32_t lanes;
};

struct Warp {
    Block *block = nullptr;
    int id = 0;
    std::vector<uint64_t> registers; // [slot][lane]
    std::vector<uint8_t> local;      // [lane][function's local bytes]
    std::vector<Group> groups;
    std::vector<Arrival> arrivals;
    uint32_t live = 0; // lanes that have not ended
    uint8_t carry[WARP_SIZE] = {};
    unsigned epoch =
        0; // counts what orders the warp's own memory accesses: __syncwarp and barriers

    uint64_t &reg(int slot, int lane)
    {
        return registers[static_cast<size_t>(slot) * WARP_SIZE + static_cast<size_t>(lane)];
    }
    uint64_t *lanes_of(int slot)
    {
        return &registers[static_cast<size_t>(slot) * WARP_SIZE];
    }
    int thread_of(int lane) const
    {
        return id * WARP_SIZE + lane;
    }
};

struct Block {
    const Function *function;
    const Module *module;
    const uint8_t *params;
    Dim grid, dim, index;
    size_t dynamic_shared_bytes;
    std::vector<uint8_t> shared;
    size_t shared_bytes;
    RaceChecker races;
    std::vector<Warp> warps;
    int n_thread, n_alive, n_arrived;
    unsigned epoch; // counts barriers

    // The allocation that a global access last fell into: the next one mostly does, too.
    uintptr_t cached_base = 0;
    size_t cached_size = 0;
};

// Where the calling thread's interpreter is, for messages.
struct Where {
    const Warp *warp = nullptr;
    const Instruction *instruction = nullptr;
    int lane = 0;
};
Where &where();

// Throws what is wrong, with kernel, block, thread, PTX and source line.
[[noreturn]] void fail(const std::string &what);
[[noreturn]] void fail_in_lane(int lane, const std::string &what);

// Registers hold every type in the low bytes of 64 bits.
template <class T> inline T from_bits(uint64_t bits)
{
    T value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

template <class T> inline uint64_t to_bits(T value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(value));
    return bits;
}

template <class F> inline void for_lanes(uint32_t lanes, F body)
{
    if (lanes == 0xffffffffu) { // most instructions; the compiler unrolls it
        for (int lane = 0; lane < WARP_SIZE; lane++) body(lane);
        return;
    }
    for (; lanes != 0; lanes &= lanes - 1) body(__builtin_ctz(lanes));
}

} // namespace ptxi
