// Locks and waiting that ThreadSanitizer does not see: raw futexes, for it intercepts pthread's.
#pragma once
#include <atomic>
#include <climits>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tsan.h"

namespace lab
{

// Returns when word no longer holds value, or spuriously.
inline void futex_wait(std::atomic<int> &word, int value)
{
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

inline void futex_wake_all(std::atomic<int> &word)
{
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

class QuietLock
{
  public:
    void lock()
    {
        int expected = 0;
        while (!is_held.compare_exchange_strong(expected, 1)) {
            futex_wait(is_held, 1);
            expected = 0;
        }
    }
    void unlock()
    {
        is_held.store(0);
        futex_wake_all(is_held);
    }

  private:
    std::atomic<int> is_held{0};
};

class QuietGuard
{
  public:
    explicit QuietGuard(QuietLock &held) : lock(held)
    {
        lock.lock();
    }
    ~QuietGuard()
    {
        lock.unlock();
    }
    QuietGuard(const QuietGuard &) = delete;
    QuietGuard &operator=(const QuietGuard &) = delete;

  private:
    QuietLock &lock;
    UnseenByTsan unseen; // after the lock's reference, so that it ends after the unlocking
};

} // namespace lab
