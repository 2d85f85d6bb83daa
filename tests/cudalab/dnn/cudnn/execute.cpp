// cudnnBackendExecute: everything is checked in the call; the stream then walks the graph.
#include "../common/machine.h"
#include "../common/race.h"
#include "handle.h"
#include "pace.h"
#include "real.h"
#include "variant_pack.h"
#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

namespace
{
using lab::ShadowPtr;

struct Task {
    lab::Execution execution;
    std::vector<ShadowPtr> operations;
    lab::Workspace workspace;
    bool is_slow;
};

// A plan writes its workspace: two that share one must be ordered, and nothing outlives a plan
// there. The first megabyte shows it.
void use_workspace(const lab::Workspace &workspace)
{
    const size_t n_shown = 1 << 20;

    if (workspace.n_bytes <= 0) return;
    lab::tell_write(workspace.start, (size_t)workspace.n_bytes);
    memset(workspace.start, 0xFF, std::min((size_t)workspace.n_bytes, n_shown));
}

void run_task(void *argument)
{
    lab::Unseen unseen;
    const std::unique_ptr<Task> task((Task *)argument);

    lab::demand_device("labcudnn", task->execution.device);
    if (task->is_slow) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    use_workspace(task->workspace);
    for (const ShadowPtr &operation : task->operations)
        lab::run_operation(task->execution, operation);
}

lab::Workspace workspace_of(cudnnBackendDescriptor_t plan, const ShadowPtr &pack)
{
    lab::Workspace workspace = {
        lab::value_of<void *>(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, nullptr), 0};
    int64_t count;

    LAB_REAL(cudnnBackendGetAttribute)
    (plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count,
     &workspace.n_bytes);
    return workspace;
}

bool is_finished(const ShadowPtr &shadow, cudnnBackendDescriptorType_t type)
{
    return shadow && shadow->is_finished && shadow->type == type;
}
} // namespace

LAB_API cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                          cudnnBackendDescriptor_t variant_pack)
{
    lab::Unseen unseen;
    const lab::CudnnHandle *own = lab::handle_of(handle);
    const ShadowPtr shadow = lab::shadow_of(plan);
    const ShadowPtr pack = lab::shadow_of(variant_pack);

    if (!own) return lab::refuse(CUDNN_STATUS_BAD_PARAM, "Execute: not a handle");
    if (!is_finished(shadow, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR))
        return lab::refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "Execute: not a finished plan");
    if (!is_finished(pack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR))
        return lab::refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
                           "Execute: not a finished variant pack");
    if (!shadow->graph)
        return lab::refuse(CUDNN_STATUS_NOT_SUPPORTED, "Execute: the plan's graph is not known");
    std::unique_ptr<Task> task(new Task{lab::Execution(own->device),
                                        lab::operations_in_order(shadow->graph),
                                        workspace_of(plan, pack), lab::is_slow(shadow)});
    cudnnStatus_t status = lab::check_operations(task->operations);
    if (status == CUDNN_STATUS_SUCCESS)
        status = lab::take_variant_pack(pack, task->operations, task->workspace, task->execution);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    const bool is_launched =
        cudaLaunchHostFunc(own->stream, run_task, task.release()) == cudaSuccess;
    return is_launched ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}
