// The table of special registers.
#include "special_registers.h"

namespace ptxi
{

namespace
{

struct SpecialRegister {
    const char *name;
    uint64_t (*value)(const Block &block, const Warp &warp, unsigned lane);
};

unsigned thread_of(const Warp &warp, unsigned lane)
{
    return static_cast<unsigned>(warp.id) * WARP_SIZE + lane;
}

// Clocks stand still: nothing here says anything about time.
uint64_t zero(const Block &, const Warp &, unsigned)
{
    return 0;
}

uint64_t warp_size(const Block &, const Warp &, unsigned)
{
    return WARP_SIZE;
}

using B = const Block &;
using W = const Warp &;

const SpecialRegister SPECIAL_REGISTERS[] = {
    {"%tid.x", [](B b, W w, unsigned lane) -> uint64_t { return thread_of(w, lane) % b.dim.x; }},
    {"%tid.y",
     [](B b, W w, unsigned lane) -> uint64_t { return thread_of(w, lane) / b.dim.x % b.dim.y; }},
    {"%tid.z",
     [](B b, W w, unsigned lane) -> uint64_t { return thread_of(w, lane) / (b.dim.x * b.dim.y); }},
    {"%ntid.x", [](B b, W, unsigned) -> uint64_t { return b.dim.x; }},
    {"%ntid.y", [](B b, W, unsigned) -> uint64_t { return b.dim.y; }},
    {"%ntid.z", [](B b, W, unsigned) -> uint64_t { return b.dim.z; }},
    {"%ctaid.x", [](B b, W, unsigned) -> uint64_t { return b.index.x; }},
    {"%ctaid.y", [](B b, W, unsigned) -> uint64_t { return b.index.y; }},
    {"%ctaid.z", [](B b, W, unsigned) -> uint64_t { return b.index.z; }},
    {"%nctaid.x", [](B b, W, unsigned) -> uint64_t { return b.grid.x; }},
    {"%nctaid.y", [](B b, W, unsigned) -> uint64_t { return b.grid.y; }},
    {"%nctaid.z", [](B b, W, unsigned) -> uint64_t { return b.grid.z; }},
    {"%laneid", [](B, W, unsigned lane) -> uint64_t { return lane; }},
    {"%warpid", [](B, W w, unsigned) -> uint64_t { return static_cast<unsigned>(w.id); }},
    {"%nwarpid", [](B b, W, unsigned) -> uint64_t { return b.warps.size(); }},
    {"%lanemask_lt", [](B, W, unsigned lane) -> uint64_t { return (1u << lane) - 1; }},
    {"%lanemask_le", [](B, W, unsigned lane) -> uint64_t { return (2u << lane) - 1; }},
    {"%lanemask_eq", [](B, W, unsigned lane) -> uint64_t { return 1u << lane; }},
    {"%lanemask_ge", [](B, W, unsigned lane) -> uint64_t { return ~((1u << lane) - 1); }},
    {"%lanemask_gt", [](B, W, unsigned lane) -> uint64_t { return ~((2u << lane) - 1); }},
    {"%dynamic_smem_size", [](B b, W, unsigned) -> uint64_t { return b.dynamic_shared_bytes; }},
    {"%total_smem_size", [](B b, W, unsigned) -> uint64_t { return b.shared_bytes; }},
    {"%clock", zero},
    {"%clock64", zero},
    {"%globaltimer", zero},
    {"%smid", zero},
    {"%warpsize", warp_size},
    {"WARP_SZ", warp_size},
};

} // namespace

int find_special_register(const std::string &name)
{
    int number = 0;
    for (const SpecialRegister &entry : SPECIAL_REGISTERS) {
        if (name == entry.name) return number;
        number++;
    }
    return -1;
}

uint64_t special_register_value(int number, const Warp &warp, int lane)
{
    return SPECIAL_REGISTERS[number].value(*warp.block, warp, static_cast<unsigned>(lane));
}

} // namespace ptxi
