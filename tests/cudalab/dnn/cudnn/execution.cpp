#include "execution.h"
#include <cstdlib>

namespace lab
{
void Execution::place(int64_t uid, void *start)
{
    memory[uid] = start;
}

bool Execution::has(int64_t uid) const
{
    return memory.count(uid) > 0;
}

void *Execution::memory_of(int64_t uid) const
{
    return memory.at(uid);
}

void Execution::set_scalar(int64_t uid, double value)
{
    values[uid] = Values(1, value);
}

const Values &Execution::input(const ShadowPtr &descriptor)
{
    const Tensor tensor = tensor_of(descriptor);
    const auto found = values.find(tensor.uid);

    if (found != values.end()) return found->second;
    return values[tensor.uid] = read_tensor(tensor, memory.at(tensor.uid));
}

double Execution::scalar(const ShadowPtr &tensor)
{
    return input(tensor)[0];
}

Values Execution::product_input(const ShadowPtr &tensor)
{
    static const bool is_tf32 = getenv("CUDALAB_TF32") != nullptr;
    Values result = input(tensor);

    if (is_tf32 && tensor_of(tensor).type == Number::f32)
        for (double &value : result) value = rounded_to_tf32(value);
    return result;
}

void Execution::output(const ShadowPtr &descriptor, Values result)
{
    const Tensor tensor = tensor_of(descriptor);

    if (!tensor.is_virtual) write_tensor(tensor, memory.at(tensor.uid), result);
    round_run(tensor.type, (int64_t)result.size(), result.data());
    values[tensor.uid] = std::move(result);
}
} // namespace lab
