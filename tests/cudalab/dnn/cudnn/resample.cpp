// Pooling: the maximum of a window with its place, or the mean.
#include "operations.h"
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace lab
{
namespace
{
// x: [n, h, w, c], y: [n, p, q, c]
struct Pool {
    cudnnResampleMode_t mode;
    int64_t n, h, w, c, p, q;
    int64_t window_h, window_w, pad_h, pad_w, stride_h, stride_w;

    int64_t n_in_window() const
    {
        return window_h * window_w;
    }
};

cudnnResampleMode_t mode_of(const ShadowPtr &description)
{
    return value_of(description, CUDNN_ATTR_RESAMPLE_MODE, CUDNN_RESAMPLE_NEAREST);
}

Pool pool_of(const ShadowPtr &description, const Integers &x, const Integers &y)
{
    const auto pair = [&](int name) { return whole_fractions_of(description, name); };
    const Integers window = pair(CUDNN_ATTR_RESAMPLE_WINDOW_DIMS);
    const Integers pads = pair(CUDNN_ATTR_RESAMPLE_PRE_PADDINGS);
    const Integers strides = pair(CUDNN_ATTR_RESAMPLE_STRIDES);
    Pool pool;

    pool.mode = mode_of(description);
    pool.n = x[0], pool.c = x[1], pool.h = x[2], pool.w = x[3];
    pool.p = y[2], pool.q = y[3];
    pool.window_h = window[0], pool.window_w = window[1];
    pool.pad_h = pads[0], pool.pad_w = pads[1];
    pool.stride_h = strides[0], pool.stride_w = strides[1];
    return pool;
}

// Where a window's element lies in x; -1 in the padding.
int64_t place_in_window(const Pool &pool, int64_t n, int64_t p, int64_t q, int64_t c, int64_t at)
{
    const int64_t h = p * pool.stride_h - pool.pad_h + at / pool.window_w;
    const int64_t w = q * pool.stride_w - pool.pad_w + at % pool.window_w;

    if (h < 0 || w < 0 || h >= pool.h || w >= pool.w) return -1;
    return ((n * pool.h + h) * pool.w + w) * pool.c + c;
}

// f(element of y, place) where place(i) is the window's i-th element in x or -1.
template <class F> void for_each_window(const Pool &pool, F f)
{
    size_t k = 0;

    for (int64_t n = 0; n < pool.n; n++)
        for (int64_t p = 0; p < pool.p; p++)
            for (int64_t q = 0; q < pool.q; q++)
                for (int64_t c = 0; c < pool.c; c++, k++)
                    f(k, [&, n, p, q, c](int64_t at) {
                        return place_in_window(pool, n, p, q, c, at);
                    });
}

// What a mean divides by.
template <class PlaceOf> int64_t n_averaged(const Pool &pool, PlaceOf place)
{
    int64_t n = 0;

    if (pool.mode == CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING) return pool.n_in_window();
    for (int64_t at = 0; at < pool.n_in_window(); at++) n += place(at) >= 0;
    return n;
}
} // namespace

const char *why_no_resample(const ShadowPtr &operation)
{
    const bool is_forward = operation->type == CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR;
    const ShadowPtr description =
        link_of(operation, is_forward ? CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC
                                      : CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC);
    const ShadowPtr x = link_of(operation, is_forward ? CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC
                                                      : CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC);
    const cudnnResampleMode_t mode = mode_of(description);

    if (mode != CUDNN_RESAMPLE_MAXPOOL && mode != CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING &&
        mode != CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING)
        return "a resampling other than pooling";
    if (tensor_of(x).dims.size() != 4) return "pooling over other than two dimensions";
    if (!is_forward && mode == CUDNN_RESAMPLE_MAXPOOL &&
        !link_of(operation, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_IDXDESC))
        return "a maximum's gradient without its indices";
    return nullptr;
}

void run_resample_forward(Execution &execution, const ShadowPtr &operation)
{
    const ShadowPtr source = link_of(operation, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC);
    const ShadowPtr result = link_of(operation, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC);
    const ShadowPtr indices = link_of(operation, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_IDXDESC);
    const Pool pool = pool_of(link_of(operation, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC),
                              tensor_of(source).dims, tensor_of(result).dims);
    const bool is_max = pool.mode == CUDNN_RESAMPLE_MAXPOOL;
    const Values &x = execution.input(source);
    Values y((size_t)(pool.n * pool.p * pool.q * pool.c)), index(y.size(), 0.0);

    for_each_window(pool, [&](size_t k, auto place) {
        double best = -INFINITY, sum = 0;
        for (int64_t at = 0; at < pool.n_in_window(); at++) {
            const int64_t i = place(at);
            if (i < 0) continue;
            const double value = x[(size_t)i];
            sum += value;
            if (value > best || std::isnan(value)) {
                best = value;
                index[k] = (double)at;
            }
        }
        y[k] = is_max ? best : sum / (double)n_averaged(pool, place);
    });
    execution.output(result, std::move(y));
    if (indices) execution.output(indices, std::move(index));
}

void run_resample_backward(Execution &execution, const ShadowPtr &operation)
{
    const ShadowPtr source = link_of(operation, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DYDESC);
    const ShadowPtr result = link_of(operation, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC);
    const ShadowPtr indices = link_of(operation, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_IDXDESC);
    const Pool pool = pool_of(link_of(operation, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC),
                              tensor_of(result).dims, tensor_of(source).dims);
    const bool is_max = pool.mode == CUDNN_RESAMPLE_MAXPOOL;
    const Values &dy = execution.input(source);
    const Values &index = is_max ? execution.input(indices) : dy;
    Values dx((size_t)(pool.n * pool.h * pool.w * pool.c), 0.0);

    for_each_window(pool, [&](size_t k, auto place) {
        if (is_max) {
            const int64_t at = (int64_t)index[k];
            const int64_t i = at < 0 || at >= pool.n_in_window() ? -1 : place(at);
            if (i < 0) {
                fprintf(stderr, "labcudnn: a maximum's index %ld is outside its window\n",
                        (long)at);
                abort();
            }
            dx[(size_t)i] += dy[k];
            return;
        }
        const double share = dy[k] / (double)n_averaged(pool, place);
        for (int64_t at = 0; at < pool.n_in_window(); at++)
            if (place(at) >= 0) dx[(size_t)place(at)] += share;
    });
    execution.output(result, std::move(dx));
}
} // namespace lab
