#include "graph.h"
#include <cstring>

namespace check
{
namespace
{
std::string first_problem;
int64_t last_uid = 0;

void note(cudnnStatus_t status, const char *what)
{
    char why[1024] = "";

    if (status == CUDNN_STATUS_SUCCESS || !first_problem.empty()) return;
    cudnnGetLastErrorString(why, sizeof why);
    first_problem = std::string(what) + ": " + cudnnGetErrorString(status) + ": " + why;
}

Descriptor create(cudnnBackendDescriptorType_t type)
{
    Descriptor descriptor = nullptr;

    note(cudnnBackendCreateDescriptor(type, &descriptor), "create");
    return descriptor;
}

cudnnStatus_t set(Descriptor descriptor, const Setting &setting)
{
    if (setting.count == 0) return CUDNN_STATUS_SUCCESS;
    return cudnnBackendSetAttribute(descriptor, setting.name, setting.type, setting.count,
                                    setting.bytes.data());
}

Descriptor make_tensor(const Integers &dims, const Integers &strides, Kind kind, int64_t uid,
                       bool is_virtual, bool is_by_value)
{
    return make(CUDNN_BACKEND_TENSOR_DESCRIPTOR,
                {choice(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, cudnn_type(kind)),
                 numbers(CUDNN_ATTR_TENSOR_DIMENSIONS, dims),
                 numbers(CUDNN_ATTR_TENSOR_STRIDES, strides),
                 numbers(CUDNN_ATTR_TENSOR_UNIQUE_ID, {uid}),
                 numbers(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {16}),
                 choice(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, is_virtual),
                 choice(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, is_by_value)});
}

std::vector<Descriptor> configurations(Descriptor graph, cudnnBackendHeurMode_t mode)
{
    const auto type = CUDNN_TYPE_BACKEND_DESCRIPTOR;
    const Descriptor heuristic =
        make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR,
             {link(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph),
              choice(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode)});
    int64_t count = 0;
    std::vector<Descriptor> found;

    note(cudnnBackendGetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS, type, 0, &count,
                                  nullptr),
         "heuristics");
    for (int64_t i = 0; i < count; i++) found.push_back(create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
    if (count > 0)
        note(cudnnBackendGetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS, type, count, &count,
                                      found.data()),
             "heuristics");
    return found;
}

// Not by make: a configuration that cannot be finished is no failure, another may be.
Descriptor try_plan(Descriptor configuration, cudnnHandle_t handle)
{
    const Descriptor plan = create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);

    note(set(plan, link(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration)), "plan");
    note(set(plan, choice(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle)), "plan");
    return cudnnBackendFinalize(plan) == CUDNN_STATUS_SUCCESS ? plan : nullptr;
}
} // namespace

Setting elements(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                 const void *values, size_t n_bytes)
{
    const char *bytes = (const char *)values;

    return {name, type, count, std::vector<char>(bytes, bytes + n_bytes)};
}

Setting numbers(cudnnBackendAttributeName_t name, const Integers &values)
{
    return elements(name, CUDNN_TYPE_INT64, (int64_t)values.size(), values.data(),
                    values.size() * sizeof(int64_t));
}

Setting real(cudnnBackendAttributeName_t name, double value)
{
    return choice(name, CUDNN_TYPE_DOUBLE, value);
}

Setting link(cudnnBackendAttributeName_t name, Descriptor target)
{
    return elements(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, target ? 1 : 0, &target, sizeof target);
}

Descriptor make(cudnnBackendDescriptorType_t type, const std::vector<Setting> &settings)
{
    const Descriptor descriptor = create(type);

    for (const Setting &setting : settings) note(set(descriptor, setting), "set");
    note(cudnnBackendFinalize(descriptor), "finalize");
    return descriptor;
}

Descriptor virtual_tensor(const Integers &dims, Kind kind)
{
    return make_tensor(dims, channels_last(dims), kind, ++last_uid, true, false);
}

Graph::~Graph()
{
    cudaFree(workspace);
}

Descriptor Graph::add(const Integers &dims, const Integers &strides, Kind kind, void *memory,
                      bool is_by_value)
{
    uids.push_back(++last_uid);
    addresses.push_back(memory);
    return make_tensor(dims, strides, kind, last_uid, false, is_by_value);
}

Descriptor Graph::tensor(Tensor &tensor)
{
    return add(tensor.dims, channels_last(tensor.dims), tensor.kind, tensor.memory(), false);
}

Descriptor Graph::tensor(Tensor &tensor, const Integers &dims, const Integers &strides)
{
    return add(dims, strides, tensor.kind, tensor.memory(), false);
}

Descriptor Graph::scalar(float *value)
{
    return add({1, 1, 1, 1}, {1, 1, 1, 1}, Kind::f32, value, true);
}

Descriptor Graph::scalar(int64_t *value)
{
    return add({1, 1, 1, 1}, {1, 1, 1, 1}, Kind::i64, value, true);
}

bool Graph::plan(const std::string &name, const std::vector<Descriptor> &operations)
{
    const Descriptor graph =
        make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
             {elements(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                       (int64_t)operations.size(), operations.data(),
                       operations.size() * sizeof(Descriptor)),
              choice(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle)});
    int64_t count;

    for (auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
        if (finished || !first_problem.empty()) break;
        for (Descriptor configuration : configurations(graph, mode))
            if (!finished) finished = try_plan(configuration, handle);
    }
    if (!finished) {
        that(false, name, first_problem.empty() ? "no plan" : first_problem);
        first_problem.clear();
        return false;
    }
    note(cudnnBackendGetAttribute(finished, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                  CUDNN_TYPE_INT64, 1, &count, &workspace_bytes),
         "workspace");
    if (workspace_bytes > 0) cudaMalloc(&workspace, (size_t)workspace_bytes);
    return true;
}

bool Graph::reload()
{
    const auto name = CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION;
    int64_t size = 0;
    Descriptor loaded = create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);

    note(cudnnBackendGetAttribute(finished, name, CUDNN_TYPE_CHAR, 0, &size, nullptr), "its size");
    std::vector<char> text((size_t)size + 1, 0);
    note(cudnnBackendGetAttribute(finished, name, CUDNN_TYPE_CHAR, size, &size, text.data()),
         "its text");
    cudnnBackendDestroyDescriptor(finished);
    // The handle first: the real library looks at it while it reads the text.
    note(set(loaded, choice(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle)), "load");
    note(set(loaded,
             elements(name, CUDNN_TYPE_CHAR, (int64_t)text.size(), text.data(), text.size())),
         "load");
    finished = loaded;
    return cudnnBackendFinalize(loaded) == CUDNN_STATUS_SUCCESS && first_problem.empty();
}

cudnnStatus_t Graph::execute()
{
    const Descriptor pack = make(
        CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
        {numbers(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, uids),
         elements(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
                  (int64_t)addresses.size(), addresses.data(), addresses.size() * sizeof(void *)),
         choice(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace)});
    const cudnnStatus_t status = cudnnBackendExecute(handle, finished, pack);

    cudnnBackendDestroyDescriptor(pack); // an execution under way needs none
    return status;
}

void Graph::run(const std::string &name, const std::vector<Descriptor> &operations)
{
    if (plan(name, operations) && execute() != CUDNN_STATUS_SUCCESS) {
        char why[1024] = "";
        cudnnGetLastErrorString(why, sizeof why);
        that(false, name, why);
    }
}
} // namespace check
