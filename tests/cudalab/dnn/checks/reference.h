// What a network computes, in the plainest loops: n, c, h, w, no channels last, no blocks, results
// rounded to a kind.
#pragma once
#include "device.h"

namespace check
{
struct Shape { // x: [n, c, h, w], filter: [k, c / n_groups, r, r], y: [n, k, p, q]
    int64_t n, c, h, w, k, r;
    int64_t pad, stride, dilation, n_groups;

    int64_t p() const
    {
        return (h + 2 * pad - dilation * (r - 1) - 1) / stride + 1;
    }
    int64_t q() const
    {
        return (w + 2 * pad - dilation * (r - 1) - 1) / stride + 1;
    }
    Integers x_dims() const
    {
        return {n, c, h, w};
    }
    Integers w_dims() const
    {
        return {k, c / n_groups, r, r};
    }
    Integers y_dims() const
    {
        return {n, k, p(), q()};
    }
};

Numbers convolved(const Shape &shape, const Numbers &x, const Numbers &w, Kind kind);
Numbers convolved_data(const Shape &shape, const Numbers &w, const Numbers &dy, Kind kind);
Numbers convolved_filter(const Shape &shape, const Numbers &x, const Numbers &dy, Kind kind);

struct Normed { // of x: [n, c, pixels]
    Numbers y, mean, inverse_deviation, variance;
};
Normed normed(const Numbers &x, int64_t n_channels, int64_t n_pixels, const Numbers &scale,
              const Numbers &bias, double epsilon, Kind kind);
struct NormedGradient {
    Numbers dx, dscale, dbias;
};
NormedGradient normed_gradient(const Numbers &x, const Numbers &dy, int64_t n_channels,
                               int64_t n_pixels, const Numbers &scale, const Normed &forward,
                               Kind kind);

Numbers relu(const Numbers &x);
Numbers relu_gradient(const Numbers &dy, const Numbers &x); // 0 where x is not positive
// [m, k] x [k, n]; a transposed factor is given as [k, m] or [n, k].
Numbers product(int64_t m, int64_t n, int64_t k, const Numbers &a, bool is_a_transposed,
                const Numbers &b, bool is_b_transposed, Kind kind);
} // namespace check
