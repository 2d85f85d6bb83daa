#include "race.h"

// The program brings these if it is compiled with -fsanitize=thread; otherwise they are null.
extern "C" {
void __tsan_read_range(void *, unsigned long) __attribute__((weak));
void __tsan_write_range(void *, unsigned long) __attribute__((weak));
void __tsan_acquire(void *) __attribute__((weak));
void __tsan_release(void *) __attribute__((weak));
void __tsan_ignore_thread_begin() __attribute__((weak));
void __tsan_ignore_thread_end() __attribute__((weak));
}

namespace lab
{
namespace
{
thread_local int n_unseen = 0; // Unseens alive in this thread

void ignore(bool is_ignored)
{
    if (is_ignored && __tsan_ignore_thread_begin) __tsan_ignore_thread_begin();
    if (!is_ignored && __tsan_ignore_thread_end) __tsan_ignore_thread_end();
}

void tell_range(void (*tell)(void *, unsigned long), void *start, size_t n_bytes)
{
    if (!tell || !n_bytes) return;
    if (n_unseen) ignore(false);
    tell(start, n_bytes);
    if (n_unseen) ignore(true);
}
} // namespace

Unseen::Unseen()
{
    if (n_unseen++ == 0) ignore(true);
}

Unseen::~Unseen()
{
    if (--n_unseen == 0) ignore(false);
}

void tell_read(const void *start, size_t n_bytes)
{
    tell_range(__tsan_read_range, const_cast<void *>(start), n_bytes);
}

void tell_write(void *start, size_t n_bytes)
{
    tell_range(__tsan_write_range, start, n_bytes);
}

bool is_watched()
{
    return __tsan_read_range != nullptr;
}

void tell_release(void *place)
{
    if (__tsan_release) __tsan_release(place);
}

void tell_acquire(void *place)
{
    if (__tsan_acquire) __tsan_acquire(place);
}
} // namespace lab
