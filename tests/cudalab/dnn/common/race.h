// What ThreadSanitizer is told. These libraries are never compiled for it: it would see the locks
// of the emulation, which no GPU has, and take them for an ordering that CUDA promises. It is told
// instead which bytes of device memory an operation reads and writes, and the orderings that the
// real library gives.
#pragma once
#include <cstddef>

namespace lab
{
// While one lives, ThreadSanitizer ignores this thread's accesses to memory. Our own heap is handed
// between threads under locks that it cannot see, and it watches malloc, free and memcpy in every
// library.
class Unseen
{
  public:
    Unseen();
    ~Unseen();
    Unseen(const Unseen &) = delete;
    Unseen &operator=(const Unseen &) = delete;
};

// Device memory that an operation touches; told also while an Unseen lives.
void tell_read(const void *start, size_t n_bytes);
void tell_write(void *start, size_t n_bytes);
bool is_watched(); // is there anyone to tell?

// What happened before tell_release(place) in one thread is before tell_acquire(place) in another.
void tell_release(void *place);
void tell_acquire(void *place);
} // namespace lab
