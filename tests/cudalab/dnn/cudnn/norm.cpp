// Batch normalisation: statistics of each channel, both passes, and the step from sums to
// statistics.
#include "operations.h"
#include <cmath>

namespace lab
{
namespace
{
// x: [n, h, w, c]: rows of channels.
struct Rows {
    size_t n_rows, n_channels;
};

Rows rows_of(const ShadowPtr &tensor)
{
    const Integers dims = tensor_of(tensor).dims;
    const size_t n_channels = (size_t)dims[1];

    return {(size_t)product_of(dims) / n_channels, n_channels};
}

// f(channel, element) for every element, channels innermost.
template <class F> void for_each(const Rows &rows, F f)
{
    for (size_t row = 0, i = 0; row < rows.n_rows; row++)
        for (size_t c = 0; c < rows.n_channels; c++, i++) f(c, i);
}

void output_if_wanted(Execution &execution, const ShadowPtr &tensor, const Values &values)
{
    if (tensor) execution.output(tensor, values);
}

// A running variance is the unbiased one.
double unbiased(double variance, double n)
{
    return n > 1 ? variance * n / (n - 1) : variance;
}

void average_in(Values &running, double factor, const Values &latest)
{
    for (size_t c = 0; c < running.size(); c++)
        running[c] = (1 - factor) * running[c] + factor * latest[c];
}

// Two passes: the square of a large mean would swallow a small variance.
void find_statistics(const Rows &rows, const Values &x, Values &mean, Values &variance)
{
    const double n = (double)rows.n_rows;

    mean.assign(rows.n_channels, 0);
    variance.assign(rows.n_channels, 0);
    for_each(rows, [&](size_t c, size_t i) { mean[c] += x[i]; });
    for (double &value : mean) value /= n;
    for_each(rows, [&](size_t c, size_t i) { variance[c] += (x[i] - mean[c]) * (x[i] - mean[c]); });
    for (double &value : variance) value /= n;
}

void update_running(Execution &execution, const ShadowPtr &operation, double n, const Values &mean,
                    Values variance)
{
    const auto tensor = [&](int name) { return link_of(operation, name); };
    const ShadowPtr factor = tensor(CUDNN_ATTR_OPERATION_NORM_FWD_EXP_AVG_FACTOR_DESC);

    if (!factor) return;
    const double weight = execution.scalar(factor);
    Values running_mean =
        execution.input(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_INPUT_RUNNING_MEAN_DESC));
    Values running_variance =
        execution.input(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_INPUT_RUNNING_VAR_DESC));
    for (double &value : variance) value = unbiased(value, n);
    average_in(running_mean, weight, mean);
    average_in(running_variance, weight, variance);
    execution.output(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_MEAN_DESC),
                     std::move(running_mean));
    execution.output(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_VAR_DESC),
                     std::move(running_variance));
}
} // namespace

const char *why_no_norm(const ShadowPtr &operation)
{
    const bool is_forward = operation->type == CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR;
    const int mode =
        is_forward ? CUDNN_ATTR_OPERATION_NORM_FWD_MODE : CUDNN_ATTR_OPERATION_NORM_BWD_MODE;
    const int x =
        is_forward ? CUDNN_ATTR_OPERATION_NORM_FWD_XDESC : CUDNN_ATTR_OPERATION_NORM_BWD_XDESC;

    if (value_of(operation, mode, CUDNN_BATCH_NORM) != CUDNN_BATCH_NORM)
        return "a norm other than batch norm";
    if (tensor_of(link_of(operation, x)).dims.size() != 4)
        return "a norm over other than two dimensions";
    return nullptr;
}

void run_statistics(Execution &execution, const ShadowPtr &operation)
{
    const ShadowPtr tensor = link_of(operation, CUDNN_ATTR_OPERATION_GENSTATS_XDESC);
    const Rows rows = rows_of(tensor);
    const Values &x = execution.input(tensor);
    Values sum(rows.n_channels, 0.0), square_sum(rows.n_channels, 0.0);

    for_each(rows, [&](size_t c, size_t i) {
        sum[c] += x[i];
        square_sum[c] += x[i] * x[i];
    });
    execution.output(link_of(operation, CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC), std::move(sum));
    execution.output(link_of(operation, CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC),
                     std::move(square_sum));
}

void run_norm_forward(Execution &execution, const ShadowPtr &operation)
{
    const auto tensor = [&](int name) { return link_of(operation, name); };
    const ShadowPtr mean_tensor = tensor(CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC);
    const ShadowPtr deviation_tensor = tensor(CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC);
    const Rows rows = rows_of(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_XDESC));
    const Values &x = execution.input(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_XDESC));
    const Values &scale = execution.input(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC));
    const Values &bias = execution.input(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC));
    const cudnnBackendNormFwdPhase_t phase =
        value_of(operation, CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_NORM_FWD_TRAINING);
    Values mean, inverse_deviation, y(x.size());

    if (phase == CUDNN_NORM_FWD_INFERENCE) {
        mean = execution.input(mean_tensor);
        inverse_deviation = execution.input(deviation_tensor);
    } else {
        const double epsilon = execution.scalar(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC));
        Values variance;
        find_statistics(rows, x, mean, variance);
        for (double value : variance) inverse_deviation.push_back(1 / sqrt(value + epsilon));
        update_running(execution, operation, (double)rows.n_rows, mean, variance);
        output_if_wanted(execution, mean_tensor, mean);
        output_if_wanted(execution, deviation_tensor, inverse_deviation);
    }
    for_each(rows, [&](size_t c, size_t i) {
        y[i] = (x[i] - mean[c]) * inverse_deviation[c] * scale[c] + bias[c];
    });
    execution.output(tensor(CUDNN_ATTR_OPERATION_NORM_FWD_YDESC), std::move(y));
}

void run_norm_backward(Execution &execution, const ShadowPtr &operation)
{
    const auto input = [&](int name) -> const Values & {
        return execution.input(link_of(operation, name));
    };
    const Rows rows = rows_of(link_of(operation, CUDNN_ATTR_OPERATION_NORM_BWD_XDESC));
    const double n = (double)rows.n_rows;
    const Values &x = input(CUDNN_ATTR_OPERATION_NORM_BWD_XDESC);
    const Values &dy = input(CUDNN_ATTR_OPERATION_NORM_BWD_DYDESC);
    const Values &scale = input(CUDNN_ATTR_OPERATION_NORM_BWD_SCALE_DESC);
    const Values &mean = input(CUDNN_ATTR_OPERATION_NORM_BWD_MEAN_DESC);
    const Values &inverse = input(CUDNN_ATTR_OPERATION_NORM_BWD_INV_VARIANCE_DESC);
    Values dscale(rows.n_channels, 0.0), dbias(rows.n_channels, 0.0), dx(x.size());

    for_each(rows, [&](size_t c, size_t i) {
        dbias[c] += dy[i];
        dscale[c] += dy[i] * (x[i] - mean[c]) * inverse[c];
    });
    for_each(rows, [&](size_t c, size_t i) {
        const double normal = (x[i] - mean[c]) * inverse[c];
        dx[i] = scale[c] * inverse[c] * (dy[i] - (dbias[c] + normal * dscale[c]) / n);
    });
    execution.output(link_of(operation, CUDNN_ATTR_OPERATION_NORM_BWD_DXDESC), std::move(dx));
    execution.output(link_of(operation, CUDNN_ATTR_OPERATION_NORM_BWD_DSCALE_DESC),
                     std::move(dscale));
    execution.output(link_of(operation, CUDNN_ATTR_OPERATION_NORM_BWD_DBIAS_DESC),
                     std::move(dbias));
}

// From a convolution's sums to what normalises its output: scale and bias of a pointwise operation.
void run_norm_finalize(Execution &execution, const ShadowPtr &operation)
{
    const auto tensor = [&](int name) { return link_of(operation, name); };
    const double n = execution.scalar(tensor(CUDNN_ATTR_OPERATION_BN_FINALIZE_ACCUM_COUNT_DESC));
    const double epsilon = execution.scalar(tensor(CUDNN_ATTR_OPERATION_BN_FINALIZE_EPSILON_DESC));
    const double factor =
        execution.scalar(tensor(CUDNN_ATTR_OPERATION_BN_FINALIZE_EXP_AVERATE_FACTOR_DESC));
    const Values &sum = execution.input(tensor(CUDNN_ATTR_OPERATION_BN_FINALIZE_Y_SUM_DESC));
    const Values &square_sum =
        execution.input(tensor(CUDNN_ATTR_OPERATION_BN_FINALIZE_Y_SQ_SUM_DESC));
    const Values &scale = execution.input(tensor(CUDNN_ATTR_OPERATION_BN_FINALIZE_SCALE_DESC));
    const Values &bias = execution.input(tensor(CUDNN_ATTR_OPERATION_BN_FINALIZE_BIAS_DESC));
    Values running_mean =
        execution.input(tensor(CUDNN_ATTR_OPERATION_BN_FINALIZE_PREV_RUNNING_MEAN_DESC));
    Values running_variance =
        execution.input(tensor(CUDNN_ATTR_OPERATION_BN_FINALIZE_PREV_RUNNING_VAR_DESC));
    Values mean(sum), variance(sum), inverse(sum), new_scale(sum), new_bias(sum);

    for (size_t c = 0; c < sum.size(); c++) {
        mean[c] = sum[c] / n;
        const double biased = square_sum[c] / n - mean[c] * mean[c];
        inverse[c] = 1 / sqrt(biased + epsilon);
        new_scale[c] = scale[c] * inverse[c];
        new_bias[c] = bias[c] - mean[c] * new_scale[c];
        variance[c] = unbiased(biased, n);
    }
    average_in(running_mean, factor, mean);
    average_in(running_variance, factor, variance);
    const auto output = [&](int name, const Values &values) {
        output_if_wanted(execution, tensor(name), values);
    };
    output(CUDNN_ATTR_OPERATION_BN_FINALIZE_SAVED_MEAN_DESC, mean);
    output(CUDNN_ATTR_OPERATION_BN_FINALIZE_SAVED_INV_STD_DESC, inverse);
    output(CUDNN_ATTR_OPERATION_BN_FINALIZE_EQ_SCALE_DESC, new_scale);
    output(CUDNN_ATTR_OPERATION_BN_FINALIZE_EQ_BIAS_DESC, new_bias);
    output(CUDNN_ATTR_OPERATION_BN_FINALIZE_UPDATED_RUNNING_MEAN_DESC, running_mean);
    output(CUDNN_ATTR_OPERATION_BN_FINALIZE_UPDATED_RUNNING_VAR_DESC, running_variance);
}
} // namespace lab
