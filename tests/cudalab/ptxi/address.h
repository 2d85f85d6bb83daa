// From an address of a kernel to the host memory behind it, with all checks.
#pragma once
#include "machine.h"

namespace ptxi
{

struct Place {
    uint8_t *p;
    bool is_global; // then it is only touched through global_access.h
};

enum Access : uint8_t { READ, WRITE };

// Throws where the lane must not touch n bytes there: misaligned, outside, another device's, freed,
// or a race.
Place resolve(Warp &warp, const Instruction &instruction, int lane, uint64_t address, size_t n,
              Access access);

} // namespace ptxi
