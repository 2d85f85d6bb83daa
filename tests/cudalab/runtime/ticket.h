// A ticket: one moment of a stream's work that others can wait for. Events, waits and synchronizing
// calls are all made of them.
#pragma once
#include <atomic>
#include <ctime>
#include <memory>

#include "quiet.h"

namespace lab
{

class Ticket
{
  public:
    // By the stream's thread, when its work has come to this moment.
    void finish()
    {
        timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        finished_at_ms =
            static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
        tsan_release(this);
        is_finished.store(1);
        futex_wake_all(is_finished);
    }

    // What the stream did up to here is before what the caller does next.
    void wait()
    {
        wait_unordered();
        tsan_acquire(this);
    }

    // Waits without promising an order: for calls that CUDA lets return at once.
    void wait_unordered()
    {
        while (!is_finished.load()) futex_wait(is_finished, 0);
    }

    // Asks; an order is promised only where the answer is yes.
    bool poll()
    {
        if (!is_finished.load()) return false;
        tsan_acquire(this);
        return true;
    }

    double time_ms() const
    {
        return finished_at_ms;
    }

  private:
    std::atomic<int> is_finished{0};
    double finished_at_ms = 0;
};

using TicketRef = std::shared_ptr<Ticket>;

} // namespace lab
