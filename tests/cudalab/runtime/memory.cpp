// The table of allocations, cudaMalloc* and cudaFree*.
#include "memory.h"

#include <cstdlib>
#include <cstring>
#include <map>

#include "device.h"
#include "error.h"
#include "fault.h"
#include "streams.h"

namespace lab
{

namespace
{

const size_t ALIGNMENT = 256; // what cudaMalloc promises

struct Allocation {
    size_t n_bytes;
    int device;
    int kind;
    bool is_symbol;
};

struct AllocationTable {
    QuietLock lock;
    std::map<uintptr_t, Allocation> by_address;
};

AllocationTable &table()
{
    static AllocationTable *allocations =
        new AllocationTable; // never freed: threads may outlive main
    return *allocations;
}

void track(void *address, const Allocation &allocation)
{
    QuietGuard guard(table().lock);
    table().by_address[reinterpret_cast<uintptr_t>(address)] = allocation;
}

cudaError_t allocate(void **p, size_t n_bytes, int device, int kind)
{
    if (n_device() == 0) return fail(cudaErrorNoDevice, "an allocation, but there is no device");
    // One more unit than asked for: neighbours never touch, and no allocation is empty.
    void *memory = aligned_alloc(ALIGNMENT, (n_bytes / ALIGNMENT + 2) * ALIGNMENT);
    if (memory == nullptr)
        return fail(cudaErrorMemoryAllocation, "no memory for %zu bytes", n_bytes);
    if (kind == FAKE_DEVICE)
        memset(memory, 0xFF, n_bytes); // NaN: a use before anything is written shows
    track(memory, {n_bytes, device, kind, false});
    *p = memory;
    return cudaSuccess;
}

// Freeing waits for all work, as CUDA's does.
cudaError_t release(void *p, bool is_host, const char *caller)
{
    if (p == nullptr) return cudaSuccess;
    auto address = reinterpret_cast<uintptr_t>(p);
    {
        QuietGuard guard(table().lock);
        auto place = table().by_address.find(address);
        if (place == table().by_address.end())
            return fail(cudaErrorInvalidValue, "%s: no allocation starts at %p (freed twice?)",
                        caller, p);
        if (place->second.is_symbol || (place->second.kind == FAKE_PINNED) != is_host)
            return fail(cudaErrorInvalidValue, "%s: %p is not of this kind", caller, p);
    }
    wait_for_all_devices();
    {
        QuietGuard guard(table().lock);
        table().by_address.erase(address);
    }
    free(p);
    return cudaSuccess;
}

} // namespace

void track_symbol(void *address, size_t n_bytes, int device)
{
    track(address, {n_bytes, device, FAKE_DEVICE, true});
}

} // namespace lab

bool fake_find(const void *p, size_t n, FakeAlloc *out)
{
    using namespace lab;
    auto address = reinterpret_cast<uintptr_t>(p);
    QuietGuard guard(table().lock);
    auto place = table().by_address.upper_bound(address);
    if (place == table().by_address.begin()) return false;
    --place;
    const Allocation &allocation = place->second;
    size_t offset = address - place->first;
    if (offset > allocation.n_bytes || n > allocation.n_bytes - offset) return false;
    if (out != nullptr)
        *out = {place->first, allocation.n_bytes, allocation.device, allocation.kind};
    return true;
}

using namespace lab;

LAB_API cudaError_t cudaMalloc(void **p, size_t n_bytes)
{
    LAB_MAY_FAIL(cudaErrorMemoryAllocation);
    return allocate(p, n_bytes, current_device(), FAKE_DEVICE);
}

LAB_API cudaError_t cudaMallocManaged(void **p, size_t n_bytes, unsigned)
{
    return allocate(p, n_bytes, current_device(), FAKE_MANAGED);
}

LAB_API cudaError_t cudaMallocHost(void **p, size_t n_bytes)
{
    LAB_MAY_FAIL(cudaErrorMemoryAllocation);
    return allocate(p, n_bytes, -1, FAKE_PINNED);
}

LAB_API cudaError_t cudaHostAlloc(void **p, size_t n_bytes, unsigned)
{
    return cudaMallocHost(p, n_bytes);
}

LAB_API cudaError_t cudaFree(void *p)
{
    return release(p, false, "cudaFree");
}

LAB_API cudaError_t cudaFreeHost(void *p)
{
    return release(p, true, "cudaFreeHost");
}
