// What each operation of a graph computes. Each takes its operation's descriptor, reads its inputs
// from the execution and leaves its outputs there.
#pragma once
#include "execution.h"

namespace lab
{
void run_convolution_forward(Execution &execution, const ShadowPtr &operation);
void run_convolution_backward_data(Execution &execution, const ShadowPtr &operation);
void run_convolution_backward_filter(Execution &execution, const ShadowPtr &operation);
void run_pointwise(Execution &execution, const ShadowPtr &operation);
void run_statistics(Execution &execution, const ShadowPtr &operation);
void run_norm_forward(Execution &execution, const ShadowPtr &operation);
void run_norm_backward(Execution &execution, const ShadowPtr &operation);
void run_norm_finalize(Execution &execution, const ShadowPtr &operation);
void run_resample_forward(Execution &execution, const ShadowPtr &operation);
void run_resample_backward(Execution &execution, const ShadowPtr &operation);
void run_reduction(Execution &execution, const ShadowPtr &operation);
void run_matmul(Execution &execution, const ShadowPtr &operation);

// Why such an operation is not emulated as it is set up; null if it is.
const char *why_no_convolution(const ShadowPtr &operation);
const char *why_no_pointwise(const ShadowPtr &operation);
const char *why_no_norm(const ShadowPtr &operation);
const char *why_no_resample(const ShadowPtr &operation);
const char *why_no_matmul(const ShadowPtr &operation);
} // namespace lab
