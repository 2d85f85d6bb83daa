// Accesses to global memory, each a function of its own.
#include "global_access.h"

#define ACCESS extern "C" __attribute__((noinline))

ACCESS uint8_t ptxi_load1(const void *p)
{
    return *static_cast<const uint8_t *>(p);
}

ACCESS uint16_t ptxi_load2(const void *p)
{
    return *static_cast<const uint16_t *>(p);
}

ACCESS uint32_t ptxi_load4(const void *p)
{
    return *static_cast<const uint32_t *>(p);
}

ACCESS uint64_t ptxi_load8(const void *p)
{
    return *static_cast<const uint64_t *>(p);
}

ACCESS void ptxi_store1(void *p, uint8_t value)
{
    *static_cast<uint8_t *>(p) = value;
}

ACCESS void ptxi_store2(void *p, uint16_t value)
{
    *static_cast<uint16_t *>(p) = value;
}

ACCESS void ptxi_store4(void *p, uint32_t value)
{
    *static_cast<uint32_t *>(p) = value;
}

ACCESS void ptxi_store8(void *p, uint64_t value)
{
    *static_cast<uint64_t *>(p) = value;
}

// Relaxed, as CUDA's atomics are: they order nothing else.
ACCESS uint32_t ptxi_atomic_load4(const void *p)
{
    return __atomic_load_n(static_cast<const uint32_t *>(p), __ATOMIC_RELAXED);
}

ACCESS uint64_t ptxi_atomic_load8(const void *p)
{
    return __atomic_load_n(static_cast<const uint64_t *>(p), __ATOMIC_RELAXED);
}

ACCESS bool ptxi_compare_exchange4(void *p, uint32_t *expected, uint32_t value)
{
    return __atomic_compare_exchange_n(static_cast<uint32_t *>(p), expected, value, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

ACCESS bool ptxi_compare_exchange8(void *p, uint64_t *expected, uint64_t value)
{
    return __atomic_compare_exchange_n(static_cast<uint64_t *>(p), expected, value, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
