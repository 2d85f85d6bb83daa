// Batched matrix products. a: [batch, m, k], b: [batch, k, n], c: [batch, m, n]; one of a and b may
// have a batch of one.
#include "../common/product.h"
#include "operations.h"

namespace lab
{
const char *why_no_matmul(const ShadowPtr &operation)
{
    const ShadowPtr result = link_of(operation, CUDNN_ATTR_OPERATION_MATMUL_CDESC);

    return tensor_of(result).dims.size() == 3 ? nullptr
                                              : "a product of other than three dimensions";
}

void run_matmul(Execution &execution, const ShadowPtr &operation)
{
    const ShadowPtr left = link_of(operation, CUDNN_ATTR_OPERATION_MATMUL_ADESC);
    const ShadowPtr right = link_of(operation, CUDNN_ATTR_OPERATION_MATMUL_BDESC);
    const ShadowPtr result = link_of(operation, CUDNN_ATTR_OPERATION_MATMUL_CDESC);
    const Integers a_dims = tensor_of(left).dims;
    const Integers b_dims = tensor_of(right).dims;
    const Integers dims = tensor_of(result).dims;
    const int64_t m = dims[1], n = dims[2], k = a_dims[2];
    const Values a = execution.product_input(left);
    const Values b = execution.product_input(right);
    Values c((size_t)product_of(dims), 0.0);

    for (int64_t batch = 0; batch < dims[0]; batch++) {
        const int64_t of_a = a_dims[0] == 1 ? 0 : batch * m * k;
        const int64_t of_b = b_dims[0] == 1 ? 0 : batch * k * n;
        add_product(m, n, k, {&a[(size_t)of_a], k, 1}, &b[(size_t)of_b], n,
                    &c[(size_t)(batch * m * n)], n);
    }
    execution.output(result, std::move(c));
}
} // namespace lab
