// Graphs of cuDNN's backend: descriptors, a plan, its execution.
#pragma once
#include "device.h"

namespace check
{
typedef cudnnBackendDescriptor_t Descriptor;

// One attribute of a descriptor; none if its count is 0.
struct Setting {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t count;
    std::vector<char> bytes;
};
Setting numbers(cudnnBackendAttributeName_t name, const Integers &values);
Setting real(cudnnBackendAttributeName_t name, double value);
Setting link(cudnnBackendAttributeName_t name, Descriptor target); // none if there is no target
Setting elements(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                 const void *values, size_t n_bytes);
template <class E>
Setting choice(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, E value)
{
    return elements(name, type, 1, &value, sizeof value);
}

// A finished descriptor. The first failure is kept for Graph::plan to tell.
Descriptor make(cudnnBackendDescriptorType_t type, const std::vector<Setting> &settings);
Descriptor virtual_tensor(const Integers &dims, Kind kind);

class Graph
{
  public:
    explicit Graph(cudnnHandle_t handle) : handle(handle)
    {
    }
    ~Graph();

    Descriptor tensor(Tensor &tensor);
    Descriptor tensor(Tensor &tensor, const Integers &dims, const Integers &strides);
    Descriptor scalar(float *value); // by value
    Descriptor scalar(int64_t *value);

    // The first plan of the heuristics that can be finished, with its workspace; false, and a
    // failed check, if there is none.
    bool plan(const std::string &name, const std::vector<Descriptor> &operations);
    // Through its text and back, as a cache of plans keeps it.
    bool reload();
    cudnnStatus_t execute();
    void run(const std::string &name, const std::vector<Descriptor> &operations); // both

    // For misuse.
    std::vector<void *> addresses; // in the order of the tensors
    Integers uids;
    void *workspace = nullptr;
    int64_t workspace_bytes = 0;

  private:
    Descriptor add(const Integers &dims, const Integers &strides, Kind kind, void *memory,
                   bool is_by_value);
    const cudnnHandle_t handle;
    Descriptor finished = nullptr;
};
} // namespace check
