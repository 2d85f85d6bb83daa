// The table of streams, and cudaStream*.
#include "streams.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "device.h"
#include "error.h"
#include "fault.h"

namespace lab
{

namespace
{

struct StreamTable {
    QuietLock lock;
    std::vector<std::unique_ptr<Stream>> created;
    std::unique_ptr<Stream> legacy[MAX_DEVICES]; // each made when first used
};

StreamTable &table()
{
    static StreamTable *streams = new StreamTable; // never freed: threads may outlive main
    return *streams;
}

Stream &legacy_stream(int device)
{
    QuietGuard guard(table().lock);
    std::unique_ptr<Stream> &stream = table().legacy[device];
    if (!stream) stream = std::make_unique<Stream>(device, true, true);
    return *stream;
}

void wait_for(const std::vector<TicketRef> &tickets)
{
    for (const TicketRef &ticket : tickets) ticket->wait();
}

} // namespace

Stream *find_stream(cudaStream_t handle, const char *caller)
{
    if (n_device() == 0) {
        fail(cudaErrorNoDevice, "%s: there is no device", caller);
        return nullptr;
    }
    if (handle == nullptr || handle == cudaStreamLegacy) return &legacy_stream(current_device());
    if (handle == cudaStreamPerThread) {
        fail(cudaErrorNotSupported, "%s: the lab has no default stream per thread", caller);
        return nullptr;
    }
    {
        QuietGuard guard(table().lock);
        for (const auto &stream : table().created)
            if (reinterpret_cast<cudaStream_t>(stream.get()) == handle) return stream.get();
    }
    fail(cudaErrorInvalidResourceHandle, "%s: no stream has the handle %p (destroyed?)", caller,
         static_cast<void *>(handle));
    return nullptr;
}

void submit(Stream &stream, Task task)
{
    if (!stream.is_legacy) {
        stream.push(std::move(task));
        return;
    }
    QuietGuard guard(table().lock); // the list must not change, nor another thread come between
    std::vector<Stream *> blocking;
    std::vector<TicketRef> earlier;
    for (const auto &other : table().created)
        if (other->is_blocking && other->device == stream.device) blocking.push_back(other.get());
    for (Stream *other : blocking) earlier.push_back(other->mark());
    stream.push([earlier, task = std::move(task)] {
        wait_for(earlier);
        task();
    });
    TicketRef done = stream.mark();
    for (Stream *other : blocking) other->push([done] { done->wait(); });
}

void wait_for_device(int device)
{
    std::vector<TicketRef> tickets;
    {
        QuietGuard guard(table().lock);
        for (const auto &stream : table().created)
            if (stream->device == device) tickets.push_back(stream->mark());
        if (table().legacy[device]) tickets.push_back(table().legacy[device]->mark());
    }
    wait_for(tickets);
}

void wait_for_all_devices()
{
    for (int device = 0; device < n_device(); device++) wait_for_device(device);
}

} // namespace lab

using namespace lab;

LAB_API cudaError_t cudaStreamCreateWithFlags(cudaStream_t *handle, unsigned flags)
{
    LAB_MAY_FAIL(cudaErrorUnknown);
    if ((flags & ~static_cast<unsigned>(cudaStreamNonBlocking)) != 0)
        return fail(cudaErrorInvalidValue, "cudaStreamCreateWithFlags: flags %#x", flags);
    if (n_device() == 0) return fail(cudaErrorNoDevice, "a stream, but there is no device");
    bool is_blocking = (flags & cudaStreamNonBlocking) == 0;
    auto stream = std::make_unique<Stream>(current_device(), is_blocking, false);
    *handle = reinterpret_cast<cudaStream_t>(stream.get());
    QuietGuard guard(table().lock);
    table().created.push_back(std::move(stream));
    return cudaSuccess;
}

LAB_API cudaError_t cudaStreamCreateWithPriority(cudaStream_t *handle, unsigned flags, int)
{
    return cudaStreamCreateWithFlags(handle, flags);
}

LAB_API cudaError_t cudaStreamCreate(cudaStream_t *handle)
{
    return cudaStreamCreateWithFlags(handle, 0);
}

// Returns when the stream's work is done, but promises no order: a program must not rely on it.
LAB_API cudaError_t cudaStreamDestroy(cudaStream_t handle)
{
    Stream *stream = find_stream(handle, "cudaStreamDestroy");
    if (stream == nullptr) return cudaPeekAtLastError();
    if (stream->is_legacy)
        return fail(cudaErrorInvalidResourceHandle, "cudaStreamDestroy: the default stream");

    stream->mark()->wait_unordered(); // still listed, for the work itself may wait for the list
    UnseenByTsan unseen;
    std::unique_ptr<Stream> removed; // ended after the lock is given up
    QuietGuard guard(table().lock);
    auto &created = table().created;
    auto place = std::find_if(created.begin(), created.end(),
                              [&](auto &other) { return other.get() == stream; });
    removed = std::move(*place);
    created.erase(place);
    return cudaSuccess;
}

LAB_API cudaError_t cudaStreamSynchronize(cudaStream_t handle)
{
    Stream *stream = find_stream(handle, "cudaStreamSynchronize");
    if (stream == nullptr) return cudaPeekAtLastError();
    stream->mark()->wait();
    LAB_MAY_FAIL(cudaErrorUnknown);
    return cudaSuccess;
}

LAB_API cudaError_t cudaDeviceSynchronize()
{
    wait_for_device(current_device());
    return cudaSuccess;
}

LAB_API cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void *data)
{
    Stream *stream = find_stream(handle, "cudaLaunchHostFunc");
    if (stream == nullptr) return cudaPeekAtLastError();
    submit(*stream, [=] { function(data); });
    return cudaSuccess;
}
