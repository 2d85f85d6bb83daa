#include "variant_pack.h"
#include "../common/machine.h"
#include "real.h"

namespace lab
{
namespace
{
struct Extent {
    uintptr_t start, end;
    int64_t uid;
    bool is_output;

    bool overlaps(const Extent &other) const
    {
        return start < other.end && other.start < end;
    }
};

cudnnStatus_t check_memory(const char *what, int64_t uid, const void *start, size_t n_bytes,
                           int64_t alignment, int device)
{
    if (!start)
        return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "Execute: %s %ld: null pointer", what,
                      (long)uid);
    if (alignment > 1 && (uintptr_t)start % (uintptr_t)alignment != 0)
        return refuse(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER,
                      "Execute: %s %ld: %p is not aligned to %ld bytes as declared", what,
                      (long)uid, start, (long)alignment);
    const Bytes bytes = find_bytes(start, n_bytes, device);
    switch (bytes.place) {
    case Place::nowhere:
        return refuse(CUDNN_STATUS_BAD_PARAM, "Execute: %s %ld: %p is in no device allocation",
                      what, (long)uid, start);
    case Place::too_small:
        return refuse(CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND,
                      "Execute: %s %ld: needs %zu bytes, its allocation has %zu from there", what,
                      (long)uid, n_bytes, bytes.n_left);
    case Place::elsewhere:
        return refuse(CUDNN_STATUS_BAD_PARAM,
                      "Execute: %s %ld: memory of device %d used on device %d", what, (long)uid,
                      bytes.device, device);
    case Place::fine:
        break;
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t take_addresses(const ShadowPtr &pack, Execution &execution)
{
    const Integers uids = integers_of(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    const Integers addresses = integers_of(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);

    if (uids.size() != addresses.size())
        return refuse(CUDNN_STATUS_BAD_PARAM, "Execute: %zu uids but %zu pointers", uids.size(),
                      addresses.size());
    for (size_t i = 0; i < uids.size(); i++) execution.place(uids[i], (void *)addresses[i]);
    return CUDNN_STATUS_SUCCESS;
}

// A scalar by value is read now, from host memory; a tensor in memory goes to `extents`.
cudnnStatus_t take_tensor(const Tensor &tensor, bool is_written, Execution &execution,
                          std::vector<Extent> &extents)
{
    if (tensor.type == Number::none)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE,
                      "Execute: tensor %ld: data type %d is not emulated", (long)tensor.uid,
                      tensor.cudnn_type);
    if (!execution.has(tensor.uid))
        return refuse(CUDNN_STATUS_BAD_PARAM, "Execute: tensor uid %ld is not in the variant pack",
                      (long)tensor.uid);
    void *memory = execution.memory_of(tensor.uid);
    if (tensor.is_by_value) {
        if (!memory)
            return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
                          "Execute: by-value tensor %ld is null", (long)tensor.uid);
        execution.set_scalar(tensor.uid, load(memory, 0, tensor.type));
        return CUDNN_STATUS_SUCCESS;
    }
    const cudnnStatus_t status = check_memory("tensor", tensor.uid, memory, tensor.n_bytes(),
                                              tensor.alignment, execution.device);
    if (status == CUDNN_STATUS_SUCCESS)
        extents.push_back(
            {(uintptr_t)memory, (uintptr_t)memory + tensor.n_bytes(), tensor.uid, is_written});
    return status;
}

// In place is allowed where every kernel reads an element before it writes it: in a lone pointwise
// operation, and for a norm's running statistics.
bool may_share(const Extent &output, const Extent &other, const std::vector<ShadowPtr> &operations)
{
    const bool is_in_place = output.start == other.start && !other.is_output;
    const cudnnBackendDescriptorType_t first = operations[0]->type;

    if (first == CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR) return is_in_place;
    return is_in_place && operations.size() == 1 &&
           first == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
}

cudnnStatus_t check_overlaps(const std::vector<Extent> &extents,
                             const std::vector<ShadowPtr> &operations)
{
    for (const Extent &output : extents)
        for (const Extent &other : extents)
            if (output.is_output && output.uid != other.uid && output.overlaps(other) &&
                !may_share(output, other, operations))
                return refuse(CUDNN_STATUS_BAD_PARAM,
                              "Execute: output tensor %ld overlaps tensor %ld in memory",
                              (long)output.uid, (long)other.uid);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t check_workspace(const Workspace &workspace, const std::vector<Extent> &extents,
                              int device)
{
    const uintptr_t start = (uintptr_t)workspace.start;
    const Extent own = {start, start + (uintptr_t)workspace.n_bytes, -1, true};

    if (workspace.n_bytes <= 0) return CUDNN_STATUS_SUCCESS;
    const cudnnStatus_t status = check_memory("workspace of", workspace.n_bytes, workspace.start,
                                              (size_t)workspace.n_bytes, 1, device);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    for (const Extent &extent : extents)
        if (extent.overlaps(own))
            return refuse(CUDNN_STATUS_BAD_PARAM, "Execute: the workspace overlaps tensor %ld",
                          (long)extent.uid);
    return CUDNN_STATUS_SUCCESS;
}
} // namespace

cudnnStatus_t check_operations(const std::vector<ShadowPtr> &operations)
{
    if (operations.empty()) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "Execute: cyclic graph");
    for (const ShadowPtr &operation : operations)
        if (const char *why = why_not_emulated(operation))
            return refuse(CUDNN_STATUS_NOT_SUPPORTED, "Execute: %s is not emulated (type %d)", why,
                          (int)operation->type);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t take_variant_pack(const ShadowPtr &pack, const std::vector<ShadowPtr> &operations,
                                const Workspace &workspace, Execution &execution)
{
    std::vector<Extent> extents;
    cudnnStatus_t status = take_addresses(pack, execution);

    for (const ShadowPtr &operation : operations)
        for_each_tensor(operation, [&](int attribute, const ShadowPtr &descriptor) {
            const Tensor tensor = tensor_of(descriptor);
            if (status == CUDNN_STATUS_SUCCESS && !tensor.is_virtual)
                status = take_tensor(tensor, is_output(operation, attribute), execution, extents);
        });
    if (status == CUDNN_STATUS_SUCCESS) status = check_overlaps(extents, operations);
    if (status == CUDNN_STATUS_SUCCESS)
        status = check_workspace(workspace, extents, execution.device);
    return status;
}
} // namespace lab
