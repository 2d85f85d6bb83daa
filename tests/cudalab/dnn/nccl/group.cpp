#include "group.h"
#include "../common/machine.h"
#include "../common/race.h"
#include "calls.h"

namespace
{
using lab::Call;

struct Group {
    int depth = 0;
    ncclResult_t status = ncclSuccess; // the first refusal in it
    std::vector<Call> calls;
    std::vector<lab::Joining> joinings;
};
thread_local Group group;

// The calls of one group for one stream are one task: sends and receives of a group may depend on
// each other.
struct Batch {
    ncclComm *comm;
    cudaStream_t stream;
    std::vector<Call> calls;
};

void run_batch(void *argument)
{
    lab::Unseen unseen;
    const std::unique_ptr<Batch> batch((Batch *)argument);
    std::vector<std::shared_ptr<lab::Letter>> letters;

    lab::demand_device("labnccl", batch->comm->device);
    for (const Call &call : batch->calls)
        if (call.kind == lab::Kind::send) letters.push_back(lab::post_send(call));
    for (const Call &call : batch->calls) {
        bool is_done = true;
        if (call.kind == lab::Kind::receive)
            is_done = lab::run_receive(call);
        else if (call.kind != lab::Kind::send)
            is_done = lab::run_collective(call);
        if (!is_done) return; // the world has failed
    }
    for (const std::shared_ptr<lab::Letter> &letter : letters)
        lab::await_taken(*batch->comm->world, *letter);
}

ncclResult_t launch(const std::vector<Call> &calls)
{
    std::vector<std::unique_ptr<Batch>> batches;
    ncclResult_t status = ncclSuccess;
    const int current = lab::current_device();

    for (const Call &call : calls) {
        Batch *batch = nullptr;
        for (const auto &other : batches)
            if (other->comm == call.comm && other->stream == call.stream) batch = other.get();
        if (!batch) {
            batches.emplace_back(new Batch{call.comm, call.stream, {}});
            batch = batches.back().get();
        }
        batch->calls.push_back(call);
    }
    for (auto &batch : batches) {
        const cudaStream_t stream = batch->stream;
        cudaSetDevice(batch->comm->device); // the null stream is that of the communicator's device
        if (cudaLaunchHostFunc(stream, run_batch, batch.release()) != cudaSuccess)
            status = ncclUnhandledCudaError;
    }
    cudaSetDevice(current);
    return status;
}

// All join before any waits for the others.
ncclResult_t join_all(const std::vector<lab::Joining> &joinings)
{
    ncclResult_t status = ncclSuccess;

    for (const lab::Joining &joining : joinings)
        if (status == ncclSuccess) status = lab::join_world(joining);
    for (const lab::Joining &joining : joinings)
        if (status == ncclSuccess) status = lab::await_world(*joining.out);
    return status;
}
} // namespace

bool lab::is_in_group()
{
    return group.depth > 0;
}

ncclResult_t lab::join_with_group(const Joining &joining)
{
    group.joinings.push_back(joining);
    return ncclSuccess;
}

ncclResult_t lab::issue(Call call)
{
    Unseen unseen;
    const ncclResult_t status = check_call(call);

    if (status != ncclSuccess) {
        if (is_in_group() && group.status == ncclSuccess) group.status = status;
        return status;
    }
    if (is_collective(call)) {
        if (!is_in_group()) warn_of_one_thread(call);
        call.round = call.comm->n_rounds++;
    }
    if (!is_in_group()) return launch({call});
    group.calls.push_back(call);
    return ncclSuccess;
}

LAB_API ncclResult_t ncclGroupStart()
{
    group.depth++;
    return ncclSuccess;
}

// A group in which a call was refused begins nothing: the others would wait for that call.
LAB_API ncclResult_t ncclGroupEnd()
{
    lab::Unseen unseen;

    if (group.depth == 0) return lab::refuse(ncclInvalidUsage, "no group to end");
    if (--group.depth > 0) return ncclSuccess;
    Group ended;
    std::swap(ended, group);
    if (ended.status != ncclSuccess) return ended.status;
    const ncclResult_t status = join_all(ended.joinings);
    return status == ncclSuccess ? launch(ended.calls) : status;
}
