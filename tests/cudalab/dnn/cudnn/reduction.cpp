// Reductions along the dimensions in which the result has length one.
#include "operations.h"
#include <cmath>

namespace lab
{
namespace
{
double start_of(cudnnReduceTensorOp_t operation)
{
    switch (operation) {
    case CUDNN_REDUCE_TENSOR_MUL:
    case CUDNN_REDUCE_TENSOR_MUL_NO_ZEROS:
        return 1;
    case CUDNN_REDUCE_TENSOR_MIN:
        return INFINITY;
    case CUDNN_REDUCE_TENSOR_MAX:
        return -INFINITY;
    default:
        return 0;
    }
}

// The larger; NaN if one is.
double larger(double a, double b)
{
    return std::isnan(a) || a > b ? a : b;
}

double combined(cudnnReduceTensorOp_t operation, double sum, double value)
{
    switch (operation) {
    case CUDNN_REDUCE_TENSOR_MUL:
        return sum * value;
    case CUDNN_REDUCE_TENSOR_MUL_NO_ZEROS:
        return value != 0 ? sum * value : sum;
    case CUDNN_REDUCE_TENSOR_MIN:
        return -larger(-sum, -value);
    case CUDNN_REDUCE_TENSOR_MAX:
        return larger(sum, value);
    case CUDNN_REDUCE_TENSOR_AMAX:
        return larger(sum, fabs(value));
    case CUDNN_REDUCE_TENSOR_NORM1:
        return sum + fabs(value);
    case CUDNN_REDUCE_TENSOR_NORM2:
        return sum + value * value;
    default:
        return sum + value; // a sum, or a mean's
    }
}
} // namespace

void run_reduction(Execution &execution, const ShadowPtr &operation)
{
    const ShadowPtr source = link_of(operation, CUDNN_ATTR_OPERATION_REDUCTION_XDESC);
    const ShadowPtr result = link_of(operation, CUDNN_ATTR_OPERATION_REDUCTION_YDESC);
    const cudnnReduceTensorOp_t kind =
        value_of(link_of(operation, CUDNN_ATTR_OPERATION_REDUCTION_DESC),
                 CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_REDUCE_TENSOR_ADD);
    const Integers full = tensor_of(source).dims;
    const Integers reduced = tensor_of(result).dims;
    const Values &x = execution.input(source);
    Values y((size_t)product_of(reduced), start_of(kind));

    walk(full, broadcast_strides(reduced, full), [&](int64_t k, int64_t to) {
        y[(size_t)to] = combined(kind, y[(size_t)to], x[(size_t)k]);
    });
    for (double &value : y) {
        if (kind == CUDNN_REDUCE_TENSOR_AVG) value /= (double)(x.size() / y.size());
        if (kind == CUDNN_REDUCE_TENSOR_NORM2) value = sqrt(value);
    }
    execution.output(result, std::move(y));
}
} // namespace lab
