// A lock that a race detector does not see: a raw futex. A lock of pthread's would order what no
// GPU orders.
#pragma once
#include <atomic>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <ctime>
#include <unistd.h>

namespace lab
{
inline void futex_wait(std::atomic<int> *word, int expected, const timespec *limit)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, limit, nullptr, 0);
}

inline void futex_wake_all(std::atomic<int> *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, nullptr, nullptr, 0);
}

class QuietLock
{
  public:
    void lock()
    {
        for (int open = 0; !is_held.compare_exchange_strong(open, 1); open = 0)
            futex_wait(&is_held, 1, nullptr);
    }
    void unlock()
    {
        is_held.store(0);
        futex_wake_all(&is_held);
    }

  private:
    std::atomic<int> is_held{0};
};

// With a condition to wait for, as a condition variable has it. The lock is held around both calls.
class QuietMonitor : public QuietLock
{
  public:
    void notify()
    {
        n_notified++;
        futex_wake_all(&n_notified);
    }
    // False if `is_met` is still false after `limit_s` seconds.
    template <class Condition> bool wait(Condition is_met, int limit_s)
    {
        const time_t start = time(nullptr);
        const timespec nap = {0, 200000000}; // looks at the clock five times a second

        while (!is_met()) {
            if (time(nullptr) - start > limit_s) return false;
            const int seen = n_notified.load();
            unlock();
            futex_wait(&n_notified, seen, &nap);
            lock();
        }
        return true;
    }

  private:
    std::atomic<int> n_notified{0};
};
} // namespace lab
