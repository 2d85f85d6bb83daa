#include "tensor.h"
#include "../common/race.h"

namespace lab
{
namespace
{
Number number_of(cudnnDataType_t type)
{
    switch (type) {
    case CUDNN_DATA_FLOAT:
        return Number::f32;
    case CUDNN_DATA_DOUBLE:
        return Number::f64;
    case CUDNN_DATA_HALF:
        return Number::f16;
    case CUDNN_DATA_BFLOAT16:
        return Number::bf16;
    case CUDNN_DATA_INT8:
        return Number::i8;
    case CUDNN_DATA_UINT8:
        return Number::u8;
    case CUDNN_DATA_INT32:
        return Number::i32;
    case CUDNN_DATA_UINT32:
        return Number::u32;
    case CUDNN_DATA_INT64:
        return Number::i64;
    case CUDNN_DATA_BOOLEAN:
        return Number::bit;
    default:
        return Number::none;
    }
}

// No two elements of a layout share a place, and none is left between them: one run, in some order.
bool is_packed(const Tensor &tensor)
{
    return tensor.n_elements() == tensor.n_spanned();
}

bool lies_as_values(const Tensor &tensor)
{
    const Integers strides = strides_of_values(tensor.dims);

    for (size_t i = 0; i < strides.size(); i++)
        if (tensor.dims[i] > 1 && tensor.strides[i] != strides[i]) return false;
    return true;
}

template <class Tell> void tell_tensor(const Tensor &tensor, const char *memory, Tell tell)
{
    const int bits = bits_of(tensor.type);

    if (!is_watched()) return;
    if (is_packed(tensor) || bits < 8) {
        tell(memory, tensor.n_bytes());
        return;
    }
    walk(tensor.dims, tensor.strides,
         [&](int64_t, int64_t offset) { tell(memory + offset * (bits / 8), (size_t)bits / 8); });
}
} // namespace

int64_t product_of(const Integers &dims)
{
    int64_t product = 1;

    for (int64_t dim : dims) product *= dim;
    return product;
}

int64_t Tensor::n_elements() const
{
    return product_of(dims);
}

int64_t Tensor::n_spanned() const
{
    int64_t end = 1;

    for (size_t i = 0; i < dims.size(); i++) end += (dims[i] - 1) * strides[i];
    return end;
}

size_t Tensor::n_bytes() const
{
    return ((size_t)n_spanned() * (size_t)bits_of(type) + 7) / 8;
}

Tensor tensor_of(const ShadowPtr &descriptor)
{
    Tensor tensor;
    const cudnnDataType_t type =
        value_of(descriptor, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_FLOAT);

    tensor.uid = value_of<int64_t>(descriptor, CUDNN_ATTR_TENSOR_UNIQUE_ID, -1);
    tensor.type = number_of(type);
    tensor.cudnn_type = type;
    tensor.dims = integers_of(descriptor, CUDNN_ATTR_TENSOR_DIMENSIONS);
    tensor.strides = integers_of(descriptor, CUDNN_ATTR_TENSOR_STRIDES);
    tensor.alignment = value_of<int64_t>(descriptor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 1);
    tensor.is_virtual = value_of(descriptor, CUDNN_ATTR_TENSOR_IS_VIRTUAL, false);
    tensor.is_by_value = value_of(descriptor, CUDNN_ATTR_TENSOR_IS_BY_VALUE, false);
    return tensor;
}

Integers order_of_values(size_t n_dims)
{
    Integers order;

    if (n_dims == 4) return {0, 2, 3, 1};
    for (size_t i = 0; i < n_dims; i++) order.push_back((int64_t)i);
    return order;
}

Integers strides_of_values(const Integers &dims)
{
    const Integers order = order_of_values(dims.size());
    Integers strides(dims.size());
    int64_t stride = 1;

    for (size_t i = order.size(); i-- > 0;) {
        strides[(size_t)order[i]] = stride;
        stride *= dims[(size_t)order[i]];
    }
    return strides;
}

Integers broadcast_strides(const Integers &dims, const Integers &full)
{
    const Integers own = strides_of_values(dims);
    const size_t n_missing = full.size() - dims.size(); // dimensions that only `full` has, in front
    Integers strides(full.size(), 0);

    for (size_t i = 0; i < dims.size(); i++) strides[i + n_missing] = dims[i] == 1 ? 0 : own[i];
    return strides;
}

Values read_tensor(const Tensor &tensor, const void *memory)
{
    Values values((size_t)tensor.n_elements());

    tell_tensor(tensor, (const char *)memory, tell_read);
    if (lies_as_values(tensor) && tensor.type != Number::bit)
        load_run(memory, tensor.type, tensor.n_elements(), values.data());
    else
        walk(tensor.dims, tensor.strides, [&](int64_t k, int64_t offset) {
            values[(size_t)k] = load(memory, offset, tensor.type);
        });
    return values;
}

void write_tensor(const Tensor &tensor, void *memory, const Values &values)
{
    tell_tensor(tensor, (const char *)memory,
                [](const char *at, size_t n) { tell_write(const_cast<char *>(at), n); });
    if (lies_as_values(tensor) && tensor.type != Number::bit)
        store_run(memory, tensor.type, tensor.n_elements(), values.data());
    else
        walk(tensor.dims, tensor.strides, [&](int64_t k, int64_t offset) {
            store(memory, offset, tensor.type, values[(size_t)k]);
        });
}
} // namespace lab
