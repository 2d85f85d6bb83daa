// The lab's side of ThreadSanitizer. The runtime is always compiled without it, so that its own
// locks and queues order nothing in TSan's eyes: they would hide the very races that the lab is
// for. Built with CUDALAB_TSAN, it announces the orderings that CUDA promises, and only those:
//   enqueue -> run, the order within a stream, event record -> wait, and the host's synchronizing
//   calls.
#pragma once

#ifdef CUDALAB_TSAN
extern "C" {
void __tsan_acquire(void *);
void __tsan_release(void *);
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
}
#endif

namespace lab
{

// What this thread did so far is before whatever follows an acquire of the same object.
inline void tsan_release([[maybe_unused]] void *object)
{
#ifdef CUDALAB_TSAN
    __tsan_release(object);
#endif
}

inline void tsan_acquire([[maybe_unused]] void *object)
{
#ifdef CUDALAB_TSAN
    __tsan_acquire(object);
#endif
}

// While one lives, TSan takes no notice of this thread's memory, above all of malloc and free: the
// lab's own containers are filled by one thread and emptied by another, ordered by locks that TSan
// does not see.
class UnseenByTsan
{
  public:
    UnseenByTsan()
    {
#ifdef CUDALAB_TSAN
        __tsan_ignore_thread_begin();
#endif
    }
    ~UnseenByTsan()
    {
#ifdef CUDALAB_TSAN
        __tsan_ignore_thread_end();
#endif
    }
    UnseenByTsan(const UnseenByTsan &) = delete;
    UnseenByTsan &operator=(const UnseenByTsan &) = delete;
};

} // namespace lab
