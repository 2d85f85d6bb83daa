// Barriers of a block.
#include "barrier.h"

#include "warp.h"

namespace ptxi
{

namespace
{

void check_strictly(const Block &block)
{
    const Arrival *first = nullptr;
    where().instruction = nullptr;
    if (block.n_alive != block.n_thread)
        fail("__syncthreads after some threads of the block have ended");
    for (const Warp &warp : block.warps)
        for (const Arrival &arrival : warp.arrivals) {
            if (first == nullptr) first = &arrival;
            if (arrival.pc != first->pc)
                fail("threads of one block meet in different __syncthreads");
        }
}

template <class F> void for_arrived_lanes(Block &block, F body)
{
    for (Warp &warp : block.warps)
        for (const Arrival &arrival : warp.arrivals)
            for_lanes(arrival.lanes,
                      [&](int lane) { body(warp, block.function->code[arrival.pc], lane); });
}

// Each lane votes, and gets the result, as its own barrier instruction says.
void vote(Block &block)
{
    uint64_t n_yes = 0, n_vote = 0;
    for_arrived_lanes(block, [&](Warp &warp, const Instruction &ins, int lane) {
        if (ins.mode == NO_VOTE) return;
        n_vote++;
        n_yes += (warp.reg(ins.src[0], lane) != 0) != ins.src_negated[0];
    });
    for_arrived_lanes(block, [&](Warp &warp, const Instruction &ins, int lane) {
        if (ins.mode == NO_VOTE) return;
        warp.reg(ins.dst, lane) = ins.mode == BARRIER_COUNT ? n_yes
                                  : ins.mode == BARRIER_AND ? uint64_t{n_yes == n_vote}
                                                            : uint64_t{n_yes > 0};
    });
}

} // namespace

void arrive(Warp &warp, int pc, uint32_t lanes)
{
    warp.arrivals.push_back({pc, lanes});
    warp.block->n_arrived += __builtin_popcount(lanes);
}

bool release_barrier(Block &block)
{
    if (block.n_alive == 0 || block.n_arrived != block.n_alive) return false;
    if (options().strict_barriers) check_strictly(block);
    vote(block);
    for (Warp &warp : block.warps) {
        for (const Arrival &arrival : warp.arrivals)
            join_group(warp, arrival.pc + 1, arrival.lanes);
        warp.arrivals.clear();
        warp.epoch++;
    }
    block.n_arrived = 0;
    block.epoch++;
    return true;
}

} // namespace ptxi
