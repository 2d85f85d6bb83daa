// Calls that fail when a test says so: cudalab_fail_at.
#include "fault.h"

#include <atomic>

#include "error.h"

namespace lab
{

namespace
{

std::atomic<long> n_call{0}; // that may fail, since a test has asked
std::atomic<long> failing{0};
std::atomic<bool> is_sticky{false};

} // namespace

cudaError_t fault(cudaError_t code)
{
    if (failing == 0) return cudaSuccess;
    long call = ++n_call;
    if (is_sticky && call >= failing) return keep_error(cudaErrorIllegalAddress);
    return call == failing ? keep_error(code) : cudaSuccess;
}

} // namespace lab

// The n-th call from now on fails and does nothing else, as if memory had run out or for no reason
// that is known; or (sticky) it and all behind it as after a kernel that touched what is not there.
// n 0: none does, none is counted.
LAB_API void cudalab_fail_at(long n, int sticky)
{
    lab::n_call = 0;
    lab::is_sticky = sticky != 0;
    lab::failing = n;
}

// Calls that may fail, since cudalab_fail_at.
LAB_API long cudalab_calls(void)
{
    return lab::n_call;
}
