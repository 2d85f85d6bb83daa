// The operations of a network, as descriptors.
#pragma once
#include "graph.h"

namespace check
{
struct Window {
    int64_t pad, stride, dilation;
};
Descriptor convolution(Descriptor x, Descriptor w, Descriptor y, Window window, double alpha = 1,
                       double beta = 0);
Descriptor convolution_data(Descriptor dx, Descriptor w, Descriptor dy, Window window,
                            double alpha = 1, double beta = 0);
Descriptor convolution_filter(Descriptor x, Descriptor dw, Descriptor dy, Window window,
                              double alpha = 1, double beta = 0);

Descriptor pointwise(cudnnPointwiseMode_t mode, Descriptor x, Descriptor b, Descriptor y);
Descriptor pointwise_backward(cudnnPointwiseMode_t mode, Descriptor dy, Descriptor x,
                              Descriptor dx);

// Null where a tensor is not wanted.
struct Norm {
    Descriptor x, y, scale, bias, mean, inverse_deviation;
    Descriptor epsilon, factor, running_mean, running_variance;
    Descriptor new_running_mean, new_running_variance;
};
Descriptor norm_training(const Norm &norm);
Descriptor norm_inference(const Norm &norm);
struct NormGradient {
    Descriptor x, dy, dx, scale, mean, inverse_deviation, dscale, dbias;
};
Descriptor norm_backward(const NormGradient &norm);

// From a convolution's sums to what normalises its output.
struct NormSums {
    Descriptor sum, square_sum, scale, bias, running_mean, running_variance;
    Descriptor count, epsilon, factor;
    Descriptor mean, inverse_deviation, new_scale, new_bias, new_running_mean, new_running_variance;
};
Descriptor norm_finalize(const NormSums &norm);

Descriptor pool(cudnnResampleMode_t mode, int64_t window, int64_t pad, int64_t stride);
Descriptor pool_forward(Descriptor pool, Descriptor x, Descriptor y, Descriptor index);
Descriptor pool_backward(Descriptor pool, Descriptor dy, Descriptor dx, Descriptor index);

Descriptor matmul(Descriptor a, Descriptor b, Descriptor c);
Descriptor reduction(cudnnReduceTensorOp_t operation, Descriptor x, Descriptor y);
Descriptor statistics(Descriptor x, Descriptor sum, Descriptor square_sum);
} // namespace check
