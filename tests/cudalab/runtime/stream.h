// A stream: a host thread and a queue of tasks that it runs in order.
#pragma once
#include <atomic>
#include <deque>
#include <functional>

#include "quiet.h"
#include "ticket.h"

namespace lab
{

using Task = std::function<void()>;

class Stream
{
  public:
    Stream(int device, bool is_blocking, bool is_legacy);
    // Runs what is queued, then ends the thread. Promises no order: cudaStreamDestroy may return
    // before.
    ~Stream();
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;

    void push(Task task); // from any thread
    TicketRef mark();     // finished when all that was pushed before has run

    const int device;
    const bool is_blocking; // ordered with the device's legacy stream
    const bool is_legacy;   // the device's default stream

  private:
    struct Entry {
        Task task;
    };

    static void *thread_main(void *stream);
    void run();
    Entry *pop(); // NULL where nothing is queued

    QuietLock lock;
    std::deque<Entry *> entries;
    std::atomic<int> n_pushed{0}; // also counts the request to end; wraps, and is only compared
    std::atomic<bool> shall_end{false};
    std::atomic<int> has_ended{0};
    unsigned jitter_state;
};

} // namespace lab
