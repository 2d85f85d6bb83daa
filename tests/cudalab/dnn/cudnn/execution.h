// One execution of a graph: where its tensors lie, and the values of those already read or
// computed.
#pragma once
#include "tensor.h"

namespace lab
{
class Execution
{
  public:
    explicit Execution(int device) : device(device)
    {
    }

    void place(int64_t uid, void *memory);
    bool has(int64_t uid) const;
    void *memory_of(int64_t uid) const;
    void set_scalar(int64_t uid, double value); // a tensor by value

    // In the order of Values; a tensor in memory is read once.
    const Values &input(const ShadowPtr &tensor);
    double scalar(const ShadowPtr &tensor);
    // The same rounded to TF32 if the lab is asked for it (CUDALAB_TF32) and the tensor is fp32.
    Values product_input(const ShadowPtr &tensor);
    // Written to memory unless virtual, and kept, rounded to its type, for the operations behind
    // it.
    void output(const ShadowPtr &tensor, Values values);

    const int device;

  private:
    std::map<int64_t, void *> memory;
    std::map<int64_t, Values> values;
};
} // namespace lab
