#include "../common/machine.h"
#include "calls.h"
#include <cstdio>
#include <mutex>

namespace lab
{
namespace
{
// In place: the same buffer, or a rank's own share of the larger one.
bool is_in_place(const Call &call)
{
    const char *source = (const char *)call.source;
    const char *target = (const char *)call.target;
    const size_t share = call.count * bytes_of(call.type) * (size_t)call.comm->rank;

    switch (call.kind) {
    case Kind::all_gather:
        return source == target + share;
    case Kind::reduce_scatter:
        return target == source + share;
    default:
        return source == target;
    }
}

bool overlaps(const Call &call)
{
    const uintptr_t source = (uintptr_t)call.source, target = (uintptr_t)call.target;
    const size_t element = bytes_of(call.type);

    return source < target + n_received(call) * element &&
           target < source + n_sent(call) * element && !is_in_place(call);
}

ncclResult_t check_buffer(const char *name, const void *start, size_t n_bytes, int device)
{
    const Bytes bytes = find_bytes(start, n_bytes, device);

    if (n_bytes == 0 || bytes.place == Place::fine) return ncclSuccess;
    if (bytes.place == Place::elsewhere)
        return refuse(ncclInvalidArgument, "the %s buffer is of device %d, not %d", name,
                      bytes.device, device);
    return refuse(ncclInvalidArgument, "the %s buffer, %p and %zu bytes, is in no allocation", name,
                  start, n_bytes);
}
} // namespace

size_t bytes_of(ncclDataType_t type)
{
    switch (type) {
    case ncclInt8:
    case ncclUint8:
        return 1;
    case ncclFloat16:
    case ncclBfloat16:
        return 2;
    case ncclInt32:
    case ncclUint32:
    case ncclFloat32:
        return 4;
    case ncclInt64:
    case ncclUint64:
    case ncclFloat64:
        return 8;
    default:
        return 0;
    }
}

bool is_collective(const Call &call)
{
    return call.kind != Kind::send && call.kind != Kind::receive;
}

size_t n_sent(const Call &call)
{
    const bool is_root = call.comm->rank == call.root;

    switch (call.kind) {
    case Kind::reduce_scatter:
        return call.count * (size_t)call.comm->world->n_ranks;
    case Kind::broadcast:
        return is_root ? call.count : 0;
    case Kind::receive:
        return 0;
    default:
        return call.count;
    }
}

size_t n_received(const Call &call)
{
    const bool is_root = call.comm->rank == call.root;

    switch (call.kind) {
    case Kind::all_gather:
        return call.count * (size_t)call.comm->world->n_ranks;
    case Kind::reduce:
        return is_root ? call.count : 0;
    case Kind::send:
        return 0;
    default:
        return call.count;
    }
}

ncclResult_t check_call(const Call &call)
{
    ncclResult_t status = check_communicator(call.comm);

    if (status != ncclSuccess) return status;
    const World &world = *call.comm->world;
    const size_t element = bytes_of(call.type);
    if (world.is_aborted) return world.error != ncclSuccess ? world.error.load() : ncclInvalidUsage;
    if (element == 0) return refuse(ncclInvalidArgument, "data type %d", (int)call.type);
    if (call.reduction < 0 || call.reduction >= ncclNumOps)
        return refuse(ncclInvalidArgument, "reduction %d", (int)call.reduction);
    if (call.root < 0 || call.root >= world.n_ranks || call.peer < 0 || call.peer >= world.n_ranks)
        return refuse(ncclInvalidArgument, "root %d or peer %d of %d ranks", call.root, call.peer,
                      world.n_ranks);
    status = check_buffer("send", call.source, n_sent(call) * element, call.comm->device);
    if (status == ncclSuccess)
        status =
            check_buffer("receive", call.target, n_received(call) * element, call.comm->device);
    if (status == ncclSuccess && overlaps(call))
        return refuse(ncclInvalidArgument, "the buffers overlap, and not as in place");
    return status;
}

void warn_of_one_thread(const Call &call)
{
    World &world = *call.comm->world;
    const long thread = syscall(SYS_gettid);
    std::lock_guard<QuietMonitor> guard(world.monitor);

    if (world.last_thread == thread && world.last_rank != call.comm->rank)
        fprintf(stderr,
                "labnccl: warning: one thread calls for ranks %d and %d outside of a group; "
                "the real library may hang\n",
                world.last_rank, call.comm->rank);
    world.last_thread = thread;
    world.last_rank = call.comm->rank;
}
} // namespace lab
