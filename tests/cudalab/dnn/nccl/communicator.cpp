#include "communicator.h"
#include "../common/machine.h"
#include "../common/race.h"
#include "group.h"
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>

namespace
{
using lab::World;

struct Registry {
    lab::QuietLock lock;
    std::map<std::string, std::shared_ptr<World>> worlds; // by their unique ids
    std::set<ncclComm *> alive;
    uint64_t n_ids = 0;
};

Registry &registry()
{
    static Registry *const all = new Registry;
    return *all;
}

const size_t max_refusal = 300;
thread_local char refusal[max_refusal] = "";
const size_t id_size = 32; // of the 128 bytes of an id

std::shared_ptr<World> world_of(const lab::Joining &joining)
{
    std::lock_guard<lab::QuietLock> guard(registry().lock);
    auto &world = registry().worlds[std::string(joining.id.internal, id_size)];

    if (!world) world = std::make_shared<World>(joining.n_ranks);
    return world;
}

void synchronize(int device)
{
    int current = 0;

    cudaGetDevice(&current);
    cudaSetDevice(device);
    cudaDeviceSynchronize();
    cudaSetDevice(current);
}

void forget(ncclComm *comm)
{
    std::lock_guard<lab::QuietLock> guard(registry().lock);

    registry().alive.erase(comm);
    delete comm;
}
} // namespace

int lab::time_limit_s()
{
    static const int limit = [] {
        const char *chosen = getenv("CUDALAB_NCCL_TIMEOUT_S");
        return chosen ? atoi(chosen) : 60;
    }();
    return limit;
}

ncclResult_t lab::refuse(ncclResult_t status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(refusal, sizeof refusal, format, arguments);
    va_end(arguments);
    fprintf(stderr, "labnccl: %s\n", refusal);
    return status;
}

ncclResult_t lab::check_communicator(ncclComm *comm)
{
    std::lock_guard<QuietLock> guard(registry().lock);

    if (registry().alive.count(comm)) return ncclSuccess;
    return refuse(ncclInvalidArgument, "not a communicator");
}

ncclResult_t lab::join_world(const Joining &joining)
{
    const int rank = joining.rank;

    if (joining.n_ranks < 1 || rank < 0 || rank >= joining.n_ranks)
        return refuse(ncclInvalidArgument, "rank %d of %d", rank, joining.n_ranks);
    if (joining.device < 0 || joining.device >= n_devices())
        return refuse(ncclInvalidArgument, "there is no device %d", joining.device);
    const std::shared_ptr<World> world = world_of(joining);
    {
        std::lock_guard<QuietMonitor> guard(world->monitor);
        if (world->n_ranks != joining.n_ranks || world->has_joined[(size_t)rank])
            return refuse(ncclInvalidArgument, "rank %d of %d joins a world of %d%s", rank,
                          joining.n_ranks, world->n_ranks,
                          world->has_joined[(size_t)rank] ? " twice" : "");
        world->has_joined[(size_t)rank] = true;
        world->n_joined++;
        world->monitor.notify();
    }
    std::lock_guard<QuietLock> guard(registry().lock);
    *joining.out = new ncclComm{world, rank, joining.device};
    registry().alive.insert(*joining.out);
    return ncclSuccess;
}

ncclResult_t lab::await_world(ncclComm *comm)
{
    World &world = *comm->world;
    std::lock_guard<QuietMonitor> guard(world.monitor);

    if (world.monitor.wait([&] { return world.n_joined == world.n_ranks; }, time_limit_s()))
        return ncclSuccess;
    return refuse(ncclSystemError,
                  "%d of %d ranks joined in time (one thread needs a group for several)",
                  world.n_joined, world.n_ranks);
}

LAB_API ncclResult_t ncclGetVersion(int *version)
{
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}

LAB_API ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    lab::Unseen unseen;
    std::lock_guard<lab::QuietLock> guard(registry().lock);

    *id = {};
    snprintf(id->internal, id_size, "lab-%d-%lu", (int)getpid(), (unsigned long)++registry().n_ids);
    return ncclSuccess;
}

LAB_API ncclResult_t ncclCommInitRank(ncclComm_t *comm, int n_ranks, ncclUniqueId id, int rank)
{
    lab::Unseen unseen;
    const lab::Joining joining = {comm, id, n_ranks, rank, lab::current_device()};

    *comm = nullptr;
    if (lab::is_in_group()) return lab::join_with_group(joining);
    const ncclResult_t status = lab::join_world(joining);
    return status == ncclSuccess ? lab::await_world(*comm) : status;
}

LAB_API ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int n_ranks, ncclUniqueId id,
                                            int rank, ncclConfig_t *)
{
    return ncclCommInitRank(comm, n_ranks, id, rank);
}

LAB_API ncclResult_t ncclCommInitAll(ncclComm_t *comms, int n_ranks, const int *devices)
{
    lab::Unseen unseen;
    ncclUniqueId id;
    std::set<int> taken;

    if (n_ranks < 1 || n_ranks > lab::n_devices())
        return lab::refuse(ncclInvalidArgument, "%d ranks on %d devices", n_ranks,
                           lab::n_devices());
    for (int rank = 0; devices && rank < n_ranks; rank++)
        if (!taken.insert(devices[rank]).second)
            return lab::refuse(ncclInvalidUsage, "device %d twice", devices[rank]);
    ncclResult_t status = ncclGetUniqueId(&id);
    for (int rank = 0; status == ncclSuccess && rank < n_ranks; rank++)
        status = lab::join_world({comms + rank, id, n_ranks, rank, devices ? devices[rank] : rank});
    return status;
}

LAB_API ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *error)
{
    lab::Unseen unseen;
    const ncclResult_t status = lab::check_communicator(comm);

    if (status == ncclSuccess) *error = comm->world->error;
    return status;
}

LAB_API ncclResult_t ncclCommAbort(ncclComm_t comm)
{
    lab::Unseen unseen;
    const ncclResult_t status = lab::check_communicator(comm);

    if (status != ncclSuccess) return status;
    {
        std::lock_guard<lab::QuietMonitor> guard(comm->world->monitor);
        comm->world->is_aborted = true;
        comm->world->monitor.notify();
    }
    synchronize(comm->device);
    forget(comm);
    return ncclSuccess;
}

LAB_API ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
    const ncclResult_t status = lab::check_communicator(comm);

    if (status == ncclSuccess) synchronize(comm->device);
    return status;
}

LAB_API ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
    const ncclResult_t status = ncclCommFinalize(comm);

    lab::Unseen unseen;
    if (status == ncclSuccess) forget(comm);
    return status;
}

LAB_API ncclResult_t ncclCommCount(const ncclComm_t comm, int *n_ranks)
{
    const ncclResult_t status = lab::check_communicator(comm);

    if (status == ncclSuccess) *n_ranks = comm->world->n_ranks;
    return status;
}

LAB_API ncclResult_t ncclCommUserRank(const ncclComm_t comm, int *rank)
{
    const ncclResult_t status = lab::check_communicator(comm);

    if (status == ncclSuccess) *rank = comm->rank;
    return status;
}

LAB_API ncclResult_t ncclCommCuDevice(const ncclComm_t comm, int *device)
{
    const ncclResult_t status = lab::check_communicator(comm);

    if (status == ncclSuccess) *device = comm->device;
    return status;
}

LAB_API const char *ncclGetErrorString(ncclResult_t status)
{
    switch (status) {
    case ncclSuccess:
        return "no error";
    case ncclUnhandledCudaError:
        return "unhandled cuda error";
    case ncclSystemError:
        return "unhandled system error";
    case ncclInternalError:
        return "internal error";
    case ncclInvalidArgument:
        return "invalid argument";
    case ncclInvalidUsage:
        return "invalid usage";
    case ncclRemoteError:
        return "remote process exited or there was a network error";
    case ncclInProgress:
        return "NCCL operation in progress";
    default:
        return "unknown result code";
    }
}

LAB_API const char *ncclGetLastError(ncclComm_t)
{
    return refusal;
}
