#include "reference.h"
#include <algorithm>
#include <cmath>

namespace check
{
namespace
{
// f(element of x, of the filter, of y) for all that are multiplied.
template <class F> void for_each_term(const Shape &shape, F f)
{
    const int64_t group_c = shape.c / shape.n_groups, group_k = shape.k / shape.n_groups;

    for (int64_t n = 0; n < shape.n; n++)
        for (int64_t k = 0; k < shape.k; k++)
            for (int64_t i = 0; i < shape.p(); i++)
                for (int64_t j = 0; j < shape.q(); j++)
                    for (int64_t c = 0; c < group_c; c++)
                        for (int64_t r = 0; r < shape.r; r++)
                            for (int64_t s = 0; s < shape.r; s++) {
                                const int64_t h = i * shape.stride + r * shape.dilation - shape.pad;
                                const int64_t w = j * shape.stride + s * shape.dilation - shape.pad;
                                const int64_t channel = k / group_k * group_c + c;
                                if (h < 0 || w < 0 || h >= shape.h || w >= shape.w) continue;
                                f((size_t)(((n * shape.c + channel) * shape.h + h) * shape.w + w),
                                  (size_t)(((k * group_c + c) * shape.r + r) * shape.r + s),
                                  (size_t)(((n * shape.k + k) * shape.p() + i) * shape.q() + j));
                            }
}

Numbers all_rounded(Numbers numbers, Kind kind)
{
    for (double &number : numbers) number = rounded(number, kind);
    return numbers;
}

Numbers zeros(const Integers &dims)
{
    return Numbers((size_t)product_of(dims), 0.0);
}
} // namespace

Numbers convolved(const Shape &shape, const Numbers &x, const Numbers &w, Kind kind)
{
    Numbers y = zeros(shape.y_dims());

    for_each_term(shape, [&](size_t i, size_t j, size_t k) { y[k] += x[i] * w[j]; });
    return all_rounded(y, kind);
}

Numbers convolved_data(const Shape &shape, const Numbers &w, const Numbers &dy, Kind kind)
{
    Numbers dx = zeros(shape.x_dims());

    for_each_term(shape, [&](size_t i, size_t j, size_t k) { dx[i] += w[j] * dy[k]; });
    return all_rounded(dx, kind);
}

Numbers convolved_filter(const Shape &shape, const Numbers &x, const Numbers &dy, Kind kind)
{
    Numbers dw = zeros(shape.w_dims());

    for_each_term(shape, [&](size_t i, size_t j, size_t k) { dw[j] += x[i] * dy[k]; });
    return all_rounded(dw, kind);
}

Normed normed(const Numbers &x, int64_t n_channels, int64_t n_pixels, const Numbers &scale,
              const Numbers &bias, double epsilon, Kind kind)
{
    const size_t channels = (size_t)n_channels, pixels = (size_t)n_pixels;
    const double n = (double)(x.size() / channels);
    const auto channel_of = [&](size_t i) { return i / pixels % channels; };
    Normed result;

    result.mean = result.variance = Numbers(channels, 0.0);
    for (size_t i = 0; i < x.size(); i++) result.mean[channel_of(i)] += x[i] / n;
    for (size_t i = 0; i < x.size(); i++)
        result.variance[channel_of(i)] += std::pow(x[i] - result.mean[channel_of(i)], 2) / n;
    for (double variance : result.variance)
        result.inverse_deviation.push_back(1 / std::sqrt(variance + epsilon));
    for (size_t i = 0; i < x.size(); i++) {
        const size_t c = channel_of(i);
        result.y.push_back(scale[c] * (x[i] - result.mean[c]) * result.inverse_deviation[c] +
                           bias[c]);
    }
    result.y = all_rounded(result.y, kind);
    return result;
}

NormedGradient normed_gradient(const Numbers &x, const Numbers &dy, int64_t n_channels,
                               int64_t n_pixels, const Numbers &scale, const Normed &forward,
                               Kind kind)
{
    const size_t channels = (size_t)n_channels, pixels = (size_t)n_pixels;
    const double n = (double)(x.size() / channels);
    const auto channel_of = [&](size_t i) { return i / pixels % channels; };
    const auto normal = [&](size_t i) {
        return (x[i] - forward.mean[channel_of(i)]) * forward.inverse_deviation[channel_of(i)];
    };
    NormedGradient result = {Numbers(x.size()), Numbers(channels, 0.0), Numbers(channels, 0.0)};

    for (size_t i = 0; i < x.size(); i++) {
        result.dbias[channel_of(i)] += dy[i];
        result.dscale[channel_of(i)] += dy[i] * normal(i);
    }
    for (size_t i = 0; i < x.size(); i++) {
        const size_t c = channel_of(i);
        result.dx[i] = scale[c] * forward.inverse_deviation[c] / n *
                       (n * dy[i] - result.dbias[c] - normal(i) * result.dscale[c]);
    }
    result.dx = all_rounded(result.dx, kind);
    return result;
}

Numbers relu(const Numbers &x)
{
    Numbers y;

    for (double value : x) y.push_back(std::max(value, 0.0));
    return y;
}

Numbers relu_gradient(const Numbers &dy, const Numbers &x)
{
    Numbers dx;

    for (size_t i = 0; i < dy.size(); i++) dx.push_back(x[i] > 0 ? dy[i] : 0);
    return dx;
}

Numbers product(int64_t m, int64_t n, int64_t k, const Numbers &a, bool is_a_transposed,
                const Numbers &b, bool is_b_transposed, Kind kind)
{
    Numbers c((size_t)(m * n), 0.0);

    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t d = 0; d < k; d++)
                c[(size_t)(i * n + j)] += a[(size_t)(is_a_transposed ? d * m + i : i * k + d)] *
                                          b[(size_t)(is_b_transposed ? j * k + d : d * n + j)];
    return all_rounded(c, kind);
}
} // namespace check
