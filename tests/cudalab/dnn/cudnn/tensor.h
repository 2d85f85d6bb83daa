// A tensor descriptor, read; and its elements, in memory and as values.
//
// Values are all elements of a tensor, rounded to its type. Four dimensions n, c, h, w lie as n, h,
// w, c, so that every loop over channels is one over neighbours; any others lie as they are
// written.
#pragma once
#include "../common/number.h"
#include "../common/values.h"
#include "shadow.h"

namespace lab
{
struct Tensor {
    int64_t uid;
    Number type; // none if it is not emulated
    int cudnn_type;
    Integers dims;
    Integers strides; // in elements
    int64_t alignment;
    bool is_virtual;  // between two operations of a graph, never in memory
    bool is_by_value; // one element in host memory, read when the graph is executed

    int64_t n_elements() const;
    int64_t n_spanned() const; // from the first element to behind the last, in elements
    size_t n_bytes() const;    // the same
};

Tensor tensor_of(const ShadowPtr &descriptor);
Values read_tensor(const Tensor &tensor, const void *memory);
void write_tensor(const Tensor &tensor, void *memory, const Values &values);

// The dimensions from the outermost in Values to the innermost, and the strides of Values in
// `dims`' order.
Integers order_of_values(size_t n_dims);
Integers strides_of_values(const Integers &dims);
// Strides that read Values of `dims` in a walk over `full`: 0 along what is broadcast.
Integers broadcast_strides(const Integers &dims, const Integers &full);

int64_t product_of(const Integers &dims);

// Calls f(k, offset) for every element of `dims` in the order of Values, k = 0, 1, ...
template <class F> void walk(const Integers &dims, const Integers &strides, F f)
{
    const Integers order = order_of_values(dims.size());
    const int64_t n = product_of(dims);
    Integers at(dims.size(), 0);
    int64_t offset = 0;

    for (int64_t k = 0; k < n; k++) {
        f(k, offset);
        for (size_t i = order.size(); i-- > 0;) {
            const size_t dim = (size_t)order[i];
            offset += strides[dim];
            if (++at[dim] < dims[dim]) break;
            offset -= strides[dim] * dims[dim];
            at[dim] = 0;
        }
    }
}
} // namespace lab
