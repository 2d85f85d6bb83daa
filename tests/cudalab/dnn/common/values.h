// Vectors of doubles whose memory is kept: every execution needs some megabytes, and a kernel that
// hands them out page by page takes longer than most convolutions.
#pragma once
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

namespace lab
{
void *take_block(size_t n_bytes);
void give_block(void *block, size_t n_bytes);

template <class T> struct KeptMemory {
    typedef T value_type;

    KeptMemory() = default;
    template <class U> KeptMemory(const KeptMemory<U> &)
    {
    }
    T *allocate(size_t n)
    {
        return (T *)take_block(n * sizeof(T));
    }
    void deallocate(T *block, size_t n)
    {
        give_block(block, n * sizeof(T));
    }
    // Values(n) is not set to zero: what computes them sets them all. Values(n, 0.0) is.
    template <class U> void construct(U *place)
    {
        ::new ((void *)place) U;
    }
    template <class U, class... Arguments> void construct(U *place, Arguments &&...arguments)
    {
        ::new ((void *)place) U(std::forward<Arguments>(arguments)...);
    }
    bool operator==(const KeptMemory &) const
    {
        return true;
    }
    bool operator!=(const KeptMemory &) const
    {
        return false;
    }
};
typedef std::vector<double, KeptMemory<double>> Values;
} // namespace lab
