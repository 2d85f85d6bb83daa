// Barriers of a block: __syncthreads, and with a vote __syncthreads_count, _and, _or.
#pragma once
#include "machine.h"

namespace ptxi
{

enum BarrierVote : uint8_t { NO_VOTE, BARRIER_COUNT, BARRIER_AND, BARRIER_OR };

void arrive(Warp &warp, int pc, uint32_t lanes);

// Lets the block's threads go on if all that are alive have arrived.
bool release_barrier(Block &block);

} // namespace ptxi
