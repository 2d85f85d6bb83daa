// A stream's queue and thread.
#include "stream.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <utility>

#include "error.h"
#include "fake.h"

thread_local int fake_dev = 0;

namespace lab
{

namespace
{

// Each task starts up to so many microseconds late, so that streams fall into other orders.
unsigned jitter_us()
{
    static const int us = setting("CUDALAB_JITTER_US", 0, 0, 1000000);
    return static_cast<unsigned>(us);
}

unsigned next_jitter_seed()
{
    static std::atomic<unsigned> n_created{0};
    return ++n_created;
}

} // namespace

Stream::Stream(int device, bool is_blocking, bool is_legacy)
    : device(device), is_blocking(is_blocking), is_legacy(is_legacy),
      jitter_state(next_jitter_seed())
{
    pthread_t thread;
    int code = pthread_create(&thread, nullptr, thread_main, this);
    if (code != 0) {
        fprintf(stderr, "cudalab: no thread for a stream: %s\n", strerror(code));
        abort();
    }
    pthread_detach(
        thread); // joining it would tell ThreadSanitizer of an order that CUDA does not promise
}

Stream::~Stream()
{
    shall_end.store(true);
    n_pushed++;
    futex_wake_all(n_pushed);
    while (!has_ended.load()) futex_wait(has_ended, 0);
}

void Stream::push(Task task)
{
    Entry *entry = new Entry{std::move(task)};
    tsan_release(entry);
    {
        QuietGuard guard(lock);
        entries.push_back(entry);
    }
    n_pushed++;
    futex_wake_all(n_pushed);
}

TicketRef Stream::mark()
{
    TicketRef ticket = std::make_shared<Ticket>();
    push([ticket] { ticket->finish(); });
    return ticket;
}

void *Stream::thread_main(void *stream)
{
    static_cast<Stream *>(stream)->run();
    return nullptr;
}

Stream::Entry *Stream::pop()
{
    QuietGuard guard(lock);
    if (entries.empty()) return nullptr;
    Entry *entry = entries.front();
    entries.pop_front();
    return entry;
}

void Stream::run()
{
    fake_dev = device;
    for (;;) {
        int seen = n_pushed.load();
        bool is_last =
            shall_end.load(); // before the queue is looked at: what was pushed before still runs
        Entry *entry = pop();
        if (entry == nullptr) {
            if (is_last) break;
            futex_wait(n_pushed, seen);
            continue;
        }
        tsan_acquire(entry);
        if (jitter_us() > 0) usleep(static_cast<unsigned>(rand_r(&jitter_state)) % jitter_us());
        entry->task();
        delete entry;
    }
    has_ended.store(
        1); // the destructor may free the stream from here on; waking needs its address alone
    futex_wake_all(has_ended);
}

} // namespace lab
