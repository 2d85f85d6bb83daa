// The engine: which operations are emulated, what each writes, and in which order a graph is
// walked.
#pragma once
#include "execution.h"

namespace lab
{
bool is_output(const ShadowPtr &operation, int attribute); // else it is read
const char *why_not_emulated(const ShadowPtr &operation);  // null if it is
// Each operation behind those whose results it reads; empty if there is no such order.
std::vector<ShadowPtr> operations_in_order(const ShadowPtr &graph);
void run_operation(Execution &execution, const ShadowPtr &operation);

// f(attribute, tensor) for every tensor of an operation.
template <class F> void for_each_tensor(const ShadowPtr &operation, F f)
{
    for (const auto &link : operation->links)
        for (const ShadowPtr &target : link.second)
            if (target && target->type == CUDNN_BACKEND_TENSOR_DESCRIPTOR) f(link.first, target);
}
} // namespace lab
