// Convolutions and their two gradients, as products of one output row's pixels with the filter's
// taps.
#include "../common/product.h"
#include "operations.h"
#include <algorithm>

namespace lab
{
namespace
{
// The attributes of one direction; what it computes is among x, w and y.
struct Names {
    int x, w, y, window, alpha, beta;
};
const Names forward = {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
const Names backward_data = {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
const Names backward_filter = {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};

const Names &names_of(const ShadowPtr &operation)
{
    switch (operation->type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        return backward_data;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return backward_filter;
    default:
        return forward;
    }
}

// x: [n, h, w, c], y: [n, p, q, k], filter: [k, r, s, c of a group]. A row of x is read with its
// padding around it: then every tap of every pixel lies in memory.
struct Window {
    int64_t n, h, w, c, k, r, s, p, q;
    int64_t n_groups, group_c, group_k;
    int64_t pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
    int64_t padded_h, padded_w;

    int64_t x_row() const // from one pixel's window to the next one's
    {
        return stride_w * c;
    }
    int64_t filter_size() const
    {
        return r * s * group_c;
    }
};

Window window_of(const ShadowPtr &operation, const Names &names)
{
    const Integers x = tensor_of(link_of(operation, names.x)).dims;
    const Integers w = tensor_of(link_of(operation, names.w)).dims;
    const Integers y = tensor_of(link_of(operation, names.y)).dims;
    const ShadowPtr shape = link_of(operation, names.window);
    const Integers pads = integers_of(shape, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
    const Integers strides = integers_of(shape, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
    const Integers dilations = integers_of(shape, CUDNN_ATTR_CONVOLUTION_DILATIONS);
    Window window;

    window.n = x[0], window.c = x[1], window.h = x[2], window.w = x[3];
    window.k = w[0], window.group_c = w[1], window.r = w[2], window.s = w[3];
    window.p = y[2], window.q = y[3];
    window.n_groups = window.c / window.group_c;
    window.group_k = window.k / window.n_groups;
    window.pad_h = pads[0], window.pad_w = pads[1];
    window.stride_h = strides[0], window.stride_w = strides[1];
    window.dilation_h = dilations[0], window.dilation_w = dilations[1];
    window.padded_h = std::max(window.pad_h + window.h, (window.p - 1) * window.stride_h +
                                                            (window.r - 1) * window.dilation_h + 1);
    window.padded_w = std::max(window.pad_w + window.w, (window.q - 1) * window.stride_w +
                                                            (window.s - 1) * window.dilation_w + 1);
    return window;
}

int64_t padded_row(const Window &window, int64_t n, int64_t h)
{
    return ((n * window.padded_h + h + window.pad_h) * window.padded_w + window.pad_w) * window.c;
}

bool is_padded(const Window &window)
{
    return window.padded_h != window.h || window.padded_w != window.w;
}

Values padded(const Window &window, Values x)
{
    if (!is_padded(window)) return x;
    Values result((size_t)(window.n * window.padded_h * window.padded_w * window.c), 0.0);
    const int64_t length = window.w * window.c;

    for (int64_t n = 0; n < window.n; n++)
        for (int64_t h = 0; h < window.h; h++)
            std::copy_n(x.begin() + (n * window.h + h) * length, length,
                        result.begin() + padded_row(window, n, h));
    return result;
}

Values unpadded(const Window &window, Values x)
{
    if (!is_padded(window)) return x;
    Values result((size_t)(window.n * window.h * window.w * window.c));
    const int64_t length = window.w * window.c;

    for (int64_t n = 0; n < window.n; n++)
        for (int64_t h = 0; h < window.h; h++)
            std::copy_n(x.begin() + padded_row(window, n, h), length,
                        result.begin() + (n * window.h + h) * length);
    return result;
}

// One product: a row of q pixels, one group of channels, some taps of one row of the filter.
struct Part {
    int64_t x;      // where the first pixel's window begins, at the first of the taps
    int64_t y;      // the first pixel
    int64_t tap;    // the first tap in a filter
    int64_t k;      // the group's first filter
    int64_t n_taps; // neighbours in x and in the filter, with their channels
};

// A filter's row is one part if its taps are neighbours in x; `is_split` makes each tap one of its
// own.
template <class F> void for_each_part(const Window &window, bool is_split, F f)
{
    const bool is_whole = !is_split && window.dilation_w == 1 && window.n_groups == 1;
    const int64_t n_taps = is_whole ? window.s : 1;

    for (int64_t n = 0; n < window.n; n++)
        for (int64_t p = 0; p < window.p; p++)
            for (int64_t group = 0; group < window.n_groups; group++)
                for (int64_t r = 0; r < window.r; r++)
                    for (int64_t s = 0; s < window.s; s += n_taps) {
                        const int64_t h = p * window.stride_h + r * window.dilation_h;
                        const int64_t w = s * window.dilation_w;
                        Part part;
                        part.x = ((n * window.padded_h + h) * window.padded_w + w) * window.c +
                                 group * window.group_c;
                        part.y = (n * window.p + p) * window.q * window.k + group * window.group_k;
                        part.tap = (r * window.s + s) * window.group_c;
                        part.k = group * window.group_k;
                        part.n_taps = n_taps;
                        f(part);
                    }
}

// [k, tap] -> [tap, k]: the forward's inner loop goes over the filters.
Values transposed(const Window &window, const Values &filter)
{
    const int64_t size = window.filter_size();
    Values result(filter.size());

    for (int64_t k = 0; k < window.k; k++)
        for (int64_t tap = 0; tap < size; tap++)
            result[(size_t)(tap * window.k + k)] = filter[(size_t)(k * size + tap)];
    return result;
}

// alpha * computed + beta * what was there
void output_scaled(Execution &execution, const ShadowPtr &operation, const ShadowPtr &tensor,
                   const Names &names, Values computed)
{
    const double alpha = real_of(operation, names.alpha, 1);
    const double beta = real_of(operation, names.beta, 0);

    if (alpha != 1)
        for (double &value : computed) value *= alpha;
    if (beta != 0) {
        const Values &old = execution.input(tensor);
        for (size_t i = 0; i < computed.size(); i++) computed[i] += beta * old[i];
    }
    execution.output(tensor, std::move(computed));
}
} // namespace

const char *why_no_convolution(const ShadowPtr &operation)
{
    const Names &names = names_of(operation);
    const cudnnConvolutionMode_t mode =
        value_of(link_of(operation, names.window), CUDNN_ATTR_CONVOLUTION_CONV_MODE,
                 CUDNN_CROSS_CORRELATION);

    if (mode != CUDNN_CROSS_CORRELATION) return "a convolution that turns its filter";
    if (tensor_of(link_of(operation, names.x)).dims.size() != 4)
        return "a convolution over other than two dimensions";
    return nullptr;
}

void run_convolution_forward(Execution &execution, const ShadowPtr &operation)
{
    const Window window = window_of(operation, forward);
    const ShadowPtr result = link_of(operation, forward.y);
    const Values x = padded(window, execution.product_input(link_of(operation, forward.x)));
    const Values w = transposed(window, execution.product_input(link_of(operation, forward.w)));
    Values y((size_t)(window.n * window.p * window.q * window.k), 0.0);

    for_each_part(window, false, [&](const Part &part) {
        add_product(window.q, window.group_k, part.n_taps * window.group_c,
                    {&x[(size_t)part.x], window.x_row(), 1},
                    &w[(size_t)(part.tap * window.k + part.k)], window.k, &y[(size_t)part.y],
                    window.k);
    });
    output_scaled(execution, operation, result, forward, std::move(y));
}

void run_convolution_backward_data(Execution &execution, const ShadowPtr &operation)
{
    const Window window = window_of(operation, backward_data);
    const ShadowPtr result = link_of(operation, backward_data.x);
    const Values y = execution.product_input(link_of(operation, backward_data.y));
    const Values w = execution.product_input(link_of(operation, backward_data.w));
    Values x((size_t)(window.n * window.padded_h * window.padded_w * window.c), 0.0);
    const int64_t size = window.filter_size();

    // Split: the windows of two pixels overlap in x, their single taps do not.
    for_each_part(window, true, [&](const Part &part) {
        add_product(window.q, window.group_c, window.group_k, {&y[(size_t)part.y], window.k, 1},
                    &w[(size_t)(part.k * size + part.tap)], size, &x[(size_t)part.x],
                    window.x_row());
    });
    output_scaled(execution, operation, result, backward_data, unpadded(window, std::move(x)));
}

void run_convolution_backward_filter(Execution &execution, const ShadowPtr &operation)
{
    const Window window = window_of(operation, backward_filter);
    const ShadowPtr result = link_of(operation, backward_filter.w);
    const Values x = padded(window, execution.product_input(link_of(operation, backward_filter.x)));
    const Values y = execution.product_input(link_of(operation, backward_filter.y));
    const int64_t size = window.filter_size();
    Values w((size_t)(window.k * size), 0.0);

    for_each_part(window, false, [&](const Part &part) {
        add_product(window.group_k, part.n_taps * window.group_c, window.q,
                    {&y[(size_t)part.y], 1, window.k}, &x[(size_t)part.x], window.x_row(),
                    &w[(size_t)(part.k * size + part.tap)], size);
    });
    output_scaled(execution, operation, result, backward_filter, std::move(w));
}
} // namespace lab
