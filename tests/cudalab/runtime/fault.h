// Calls that fail on demand.
#pragma once
#include <cuda_runtime_api.h>

namespace lab
{

// cudaSuccess, or why this call is to fail: code, kept as the thread's last error.
cudaError_t fault(cudaError_t code);

} // namespace lab

// First thing in a call that may fail. A wait waits before it: what was enqueued has ended all the
// same.
#define LAB_MAY_FAIL(code)                                                                         \
    do {                                                                                           \
        cudaError_t fault_ = lab::fault(code);                                                     \
        if (fault_ != cudaSuccess) return fault_;                                                  \
    } while (0)
