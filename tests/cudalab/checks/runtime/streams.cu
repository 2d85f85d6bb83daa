// Streams and events: what runs in order, what the host is told.
#include <atomic>
#include <unistd.h>

#include "check.h"

namespace
{

// A task that holds its stream up until it is let go.
struct Gate {
    std::atomic<bool> is_open{false};

    static void wait(void *gate)
    {
        while (!static_cast<Gate *>(gate)->is_open.load()) usleep(100);
    }
};

struct Stream {
    cudaStream_t handle;
    explicit Stream(unsigned flags = cudaStreamNonBlocking)
    {
        MUST(cudaStreamCreateWithFlags(&handle, flags));
    }
    ~Stream()
    {
        cudaStreamDestroy(handle);
    }
};

struct Event {
    cudaEvent_t handle;
    explicit Event(unsigned flags = cudaEventDefault)
    {
        MUST(cudaEventCreateWithFlags(&handle, flags));
    }
    ~Event()
    {
        cudaEventDestroy(handle);
    }
};

void set_flag(void *flag)
{
    static_cast<std::atomic<bool> *>(flag)->store(true);
}

} // namespace

CHECK(event_is_not_ready_before_its_stream_comes_to_it)
{
    Gate gate;
    Stream stream;
    Event event;
    check::expect(cudaEventQuery(event.handle) == cudaSuccess,
                  "an event without a record is ready");
    MUST(cudaLaunchHostFunc(stream.handle, Gate::wait, &gate));
    MUST(cudaEventRecord(event.handle, stream.handle));
    check::expect(cudaEventQuery(event.handle) == cudaErrorNotReady, "it is ready too early");
    gate.is_open = true;
    MUST(cudaEventSynchronize(event.handle));
    check::expect(cudaEventQuery(event.handle) == cudaSuccess, "it is not ready");
}

CHECK(event_stands_for_its_latest_record)
{
    Gate gate;
    Stream stream;
    Event event;
    MUST(cudaEventRecord(event.handle, stream.handle));
    MUST(cudaEventSynchronize(event.handle));
    MUST(cudaLaunchHostFunc(stream.handle, Gate::wait, &gate));
    MUST(cudaEventRecord(event.handle, stream.handle));
    check::expect(cudaEventQuery(event.handle) == cudaErrorNotReady,
                  "the first record still stands");
    gate.is_open = true;
    MUST(cudaStreamSynchronize(stream.handle));
}

CHECK(stream_waits_for_an_event_of_another)
{
    Gate gate;
    Stream first, second;
    Event event, end;
    std::atomic<bool> has_run{false};
    MUST(cudaLaunchHostFunc(first.handle, Gate::wait, &gate));
    MUST(cudaEventRecord(event.handle, first.handle));
    MUST(cudaStreamWaitEvent(second.handle, event.handle));
    MUST(cudaLaunchHostFunc(second.handle, set_flag, &has_run));
    usleep(5000);
    check::expect(!has_run, "the task did not wait");
    gate.is_open = true;
    MUST(cudaStreamSynchronize(second.handle));
    check::expect(has_run, "the task did not run");
}

CHECK(default_stream_waits_for_blocking_streams_only)
{
    Gate gate;
    Stream blocking(cudaStreamDefault), other(cudaStreamNonBlocking);
    std::atomic<bool> default_has_run{false}, later_has_run{false}, other_has_run{false};
    MUST(cudaLaunchHostFunc(blocking.handle, Gate::wait, &gate));
    MUST(cudaLaunchHostFunc(nullptr, set_flag, &default_has_run));
    MUST(cudaLaunchHostFunc(blocking.handle, set_flag, &later_has_run));
    MUST(cudaLaunchHostFunc(other.handle, set_flag, &other_has_run));
    MUST(cudaStreamSynchronize(other.handle));
    check::expect(other_has_run, "a non-blocking stream was held up");
    usleep(5000);
    check::expect(!default_has_run && !later_has_run, "the default stream did not wait");
    gate.is_open = true;
    MUST(cudaDeviceSynchronize());
    check::expect(default_has_run && later_has_run, "not all has run");
}

CHECK(elapsed_time_needs_two_finished_events)
{
    Gate gate;
    Stream stream;
    Event from, to, unrecorded, untimed(cudaEventDisableTiming);
    float ms = -1;
    MUST(cudaEventRecord(from.handle, stream.handle));
    MUST(cudaLaunchHostFunc(stream.handle, Gate::wait, &gate));
    MUST(cudaEventRecord(to.handle, stream.handle));
    MUST(cudaEventRecord(untimed.handle, stream.handle));
    check::expect(cudaEventElapsedTime(&ms, from.handle, to.handle) == cudaErrorNotReady,
                  "the second is not done");
    check::expect(cudaEventElapsedTime(&ms, from.handle, unrecorded.handle) ==
                      cudaErrorInvalidResourceHandle,
                  "one was never recorded");
    check::expect(cudaEventElapsedTime(&ms, from.handle, untimed.handle) ==
                      cudaErrorInvalidResourceHandle,
                  "one has no timing");
    MUST(cudaEventSynchronize(from.handle));
    usleep(2000);
    gate.is_open = true;
    MUST(cudaStreamSynchronize(stream.handle));
    MUST(cudaEventElapsedTime(&ms, from.handle, to.handle));
    check::expect(ms >= 1 && ms < 60000, "%g ms", ms);
}

CHECK(destroyed_stream_runs_its_work_and_is_unknown_then)
{
    cudaStream_t stream;
    std::atomic<bool> has_run{false};
    MUST(cudaStreamCreate(&stream));
    MUST(cudaLaunchHostFunc(stream, set_flag, &has_run));
    MUST(cudaStreamDestroy(stream));
    check::expect(has_run, "its work was lost");
    check::expect(cudaStreamSynchronize(stream) == cudaErrorInvalidResourceHandle,
                  "it is still known");
    check::expect(cudaStreamSynchronize(cudaStreamPerThread) == cudaErrorNotSupported,
                  "one stream per thread");
    cudaGetLastError();
}
