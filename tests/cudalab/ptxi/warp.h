// The warp scheduler: groups of lanes that have diverged, and where they meet again.
#pragma once
#include "machine.h"

namespace ptxi
{

// Lanes come to a place; those that are there already go on with them.
void join_group(Warp &warp, int pc, uint32_t lanes);

// Runs until all lanes have ended or wait, or for so many instructions. False where nothing moved.
bool run_warp(Warp &warp, int max_instructions);

} // namespace ptxi
