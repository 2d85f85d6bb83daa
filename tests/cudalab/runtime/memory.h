// Memory of the emulated devices: host memory whose range, device and kind are known.
#pragma once
#include <cstddef>

#include "fake.h"

namespace lab
{

// Makes memory of a module's variable known, so that copies and kernels may use it. It is never
// freed.
void track_symbol(void *address, size_t n_bytes, int device);

} // namespace lab
