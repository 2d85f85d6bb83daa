// A launch: the blocks of its grid, one after another.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "barrier.h"
#include "parser.h"
#include "special_registers.h"
#include "warp.h"

namespace ptxi
{

namespace
{

// Memory and registers that no one has written hold these: a kernel that uses them gives wrong
// results, not lucky ones.
const uint8_t SHARED_GARBAGE = 0xA5;
const uint64_t REGISTER_GARBAGE = 0xBADBADBADBAD;

const int MAX_TURN = 40; // instructions, where the order is random

void fill_slot(Warp &warp, int slot, uint64_t value)
{
    std::fill_n(warp.lanes_of(slot), WARP_SIZE, value);
}

void set_up_warp(Block &block, Warp &warp, int id, size_t dynamic_shared_at)
{
    const Function &function = *block.function;
    warp.block = &block;
    warp.id = id;
    warp.registers.assign(static_cast<size_t>(function.n_slot) * WARP_SIZE, REGISTER_GARBAGE);
    warp.local.resize(function.local_bytes * WARP_SIZE);
    for (const auto &[slot, value] : function.constants) fill_slot(warp, slot, value);
    for (int slot : function.dynamic_shared_slots) fill_slot(warp, slot, dynamic_shared_at);
}

void start_warp(Block &block, Warp &warp)
{
    int n_lane = std::min(WARP_SIZE, block.n_thread - warp.id * WARP_SIZE);
    warp.live = n_lane == WARP_SIZE ? ~0u : (1u << n_lane) - 1;
    warp.groups.assign(1, {0, warp.live, false});
    warp.arrivals.clear();
    warp.epoch = 0;
    for (const auto &[number, slot] : block.function->special_registers)
        for (int lane = 0; lane < WARP_SIZE; lane++)
            warp.reg(slot, lane) = special_register_value(number, warp, lane);
}

void start_block(Block &block, Dim index)
{
    block.index = index;
    block.n_alive = block.n_thread;
    block.n_arrived = 0;
    block.epoch = 0;
    std::fill(block.shared.begin(), block.shared.end(), SHARED_GARBAGE);
    if (options().racecheck) block.races.reset(block.shared_bytes);
    for (Warp &warp : block.warps) start_warp(block, warp);
}

// A turn for each warp: to the end of what it can do, or with a seed, a part of it in random order.
bool run_warps(Block &block, unsigned *random_state)
{
    if (options().seed == 0) {
        bool has_moved = false;
        for (Warp &warp : block.warps) has_moved |= run_warp(warp, INT32_MAX);
        return has_moved;
    }
    std::vector<size_t> order(block.warps.size());
    for (size_t i = 0; i < order.size(); i++) order[i] = i;
    for (size_t i = order.size(); i > 1; i--)
        std::swap(order[i - 1], order[static_cast<size_t>(rand_r(random_state)) % i]);
    bool has_moved = false;
    for (size_t i : order)
        has_moved |= run_warp(block.warps[i], 1 + rand_r(random_state) % MAX_TURN);
    return has_moved;
}

// Says of one of the waiting threads where it waits.
[[noreturn]] void fail_in_deadlock(Block &block)
{
    Where &here = where();
    here.instruction = nullptr;
    for (Warp &warp : block.warps)
        for (const Group &group : warp.groups) {
            here.warp = &warp;
            here.lane = __builtin_ctz(group.lanes);
            here.instruction = &block.function->code[static_cast<size_t>(group.pc)];
        }
    fail("deadlock: divergent __syncthreads, or a warp primitive whose mask names lanes that do "
         "not come");
}

void run_block(Block &block, unsigned *random_state)
{
    while (block.n_alive > 0) {
        bool has_moved = run_warps(block, random_state);
        has_moved |= release_barrier(block);
        if (!has_moved && block.n_alive > 0) fail_in_deadlock(block);
    }
}

struct WhereScope { // no message of this thread may name a warp that is gone
    ~WhereScope()
    {
        where() = Where();
    }
};

} // namespace

std::shared_ptr<Launch> prepare(Module &module, const char *kernel, void **args)
{
    for (size_t i = 0; i < module.functions.size(); i++) {
        const Function &function = module.functions[i];
        if (function.name != kernel) continue;
        auto launch = std::make_shared<Launch>();
        launch->module = &module;
        launch->function = i;
        launch->params.resize(function.param_bytes);
        for (size_t k = 0; k < function.params.size(); k++)
            memcpy(&launch->params[function.params[k].offset], args[k], function.params[k].n_bytes);
        return launch;
    }
    return nullptr;
}

void run(const Launch &launch, Dim grid, Dim dim, size_t dynamic_shared_bytes)
{
    WhereScope scope;
    Block block;
    const Function &function = launch.module->functions[launch.function];
    size_t dynamic_shared_at = align_up(function.shared_bytes, 16);
    unsigned random_state = options().seed;

    block.function = &function;
    block.module = launch.module;
    block.params = launch.params.data();
    block.grid = grid;
    block.dim = dim;
    block.n_thread = static_cast<int>(dim.x * dim.y * dim.z);
    block.dynamic_shared_bytes = dynamic_shared_bytes;
    block.shared_bytes = function.has_dynamic_shared ? dynamic_shared_at + dynamic_shared_bytes
                                                     : function.shared_bytes;
    block.shared.resize(block.shared_bytes);
    block.warps.resize(static_cast<size_t>((block.n_thread + WARP_SIZE - 1) / WARP_SIZE));
    for (size_t i = 0; i < block.warps.size(); i++)
        set_up_warp(block, block.warps[i], static_cast<int>(i), dynamic_shared_at);

    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                start_block(block, {x, y, z});
                run_block(block, &random_state);
            }
}

} // namespace ptxi
