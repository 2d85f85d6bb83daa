// Events: each holds the ticket of its latest record.
#include "device.h"
#include "error.h"
#include "fault.h"
#include "streams.h"

namespace lab
{

namespace
{

struct Event {
    const int device;
    const bool has_timing;
    QuietLock lock;
    TicketRef latest; // NULL until recorded
};

Event *from_handle(cudaEvent_t handle, const char *caller)
{
    if (handle == nullptr) fail(cudaErrorInvalidResourceHandle, "%s: the event is NULL", caller);
    return reinterpret_cast<Event *>(handle);
}

TicketRef latest_of(Event &event)
{
    QuietGuard guard(event.lock);
    return event.latest;
}

} // namespace

} // namespace lab

using namespace lab;

LAB_API cudaError_t cudaEventCreateWithFlags(cudaEvent_t *handle, unsigned flags)
{
    LAB_MAY_FAIL(cudaErrorUnknown);
    Event *event = new Event{current_device(), (flags & cudaEventDisableTiming) == 0, {}, nullptr};
    *handle = reinterpret_cast<cudaEvent_t>(event);
    return cudaSuccess;
}

LAB_API cudaError_t cudaEventCreate(cudaEvent_t *handle)
{
    return cudaEventCreateWithFlags(handle, 0);
}

LAB_API cudaError_t cudaEventDestroy(cudaEvent_t handle)
{
    Event *event = from_handle(handle, "cudaEventDestroy");
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    delete event;
    return cudaSuccess;
}

LAB_API cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream_handle)
{
    LAB_MAY_FAIL(cudaErrorUnknown);
    Event *event = from_handle(handle, "cudaEventRecord");
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    Stream *stream = find_stream(stream_handle, "cudaEventRecord");
    if (stream == nullptr) return cudaPeekAtLastError();
    if (stream->device != event->device)
        return fail(cudaErrorInvalidResourceHandle,
                    "cudaEventRecord: an event of device %d, a stream of device %d", event->device,
                    stream->device);

    TicketRef ticket = std::make_shared<Ticket>();
    {
        QuietGuard guard(event->lock);
        event->latest = ticket;
    }
    submit(*stream, [ticket] { ticket->finish(); });
    return cudaSuccess;
}

// An event that was never recorded holds nothing up: as in CUDA.
LAB_API cudaError_t cudaStreamWaitEvent(cudaStream_t stream_handle, cudaEvent_t handle, unsigned)
{
    LAB_MAY_FAIL(cudaErrorUnknown);
    Event *event = from_handle(handle, "cudaStreamWaitEvent");
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    Stream *stream = find_stream(stream_handle, "cudaStreamWaitEvent");
    if (stream == nullptr) return cudaPeekAtLastError();
    TicketRef ticket = latest_of(*event);
    if (ticket) submit(*stream, [ticket] { ticket->wait(); });
    return cudaSuccess;
}

LAB_API cudaError_t cudaEventSynchronize(cudaEvent_t handle)
{
    Event *event = from_handle(handle, "cudaEventSynchronize");
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    TicketRef ticket = latest_of(*event);
    if (ticket) ticket->wait();
    LAB_MAY_FAIL(cudaErrorUnknown);
    return cudaSuccess;
}

LAB_API cudaError_t cudaEventQuery(cudaEvent_t handle)
{
    Event *event = from_handle(handle, "cudaEventQuery");
    if (event == nullptr) return cudaErrorInvalidResourceHandle;
    TicketRef ticket = latest_of(*event);
    return !ticket || ticket->poll() ? cudaSuccess : cudaErrorNotReady;
}

LAB_API cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    Event *events[2] = {from_handle(from, "cudaEventElapsedTime"),
                        from_handle(to, "cudaEventElapsedTime")};
    TicketRef tickets[2];
    for (int i = 0; i < 2; i++) {
        if (events[i] == nullptr) return cudaErrorInvalidResourceHandle;
        tickets[i] = latest_of(*events[i]);
        if (!events[i]->has_timing || !tickets[i])
            return fail(cudaErrorInvalidResourceHandle, "cudaEventElapsedTime: an event %s",
                        events[i]->has_timing ? "was never recorded" : "was made without timing");
    }
    if (!tickets[0]->poll() || !tickets[1]->poll()) return cudaErrorNotReady;
    *ms = static_cast<float>(tickets[1]->time_ms() - tickets[0]->time_ms());
    return cudaSuccess;
}
