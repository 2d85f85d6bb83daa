// Optimizer steps: SGD with momentum and weight decay, and LARS.
#include <algorithm>
#include <cmath>

#include "check.h"
#include "warp_sum.cuh"

// Elementwise, grid-stride.
static __global__ void sgd_kernel(float *w, float *m, const float *g, int n, float lr,
                                  float momentum, float decay)
{
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        float step = momentum * m[i] + g[i] + decay * w[i];
        m[i] = step;
        w[i] -= lr * step;
    }
}

CHECK(sgd_in_one_pass)
{
    const int n = 20000;
    const float lr = .1f, momentum = .9f, decay = 1e-2f;
    auto w = check::random_normal(n), m = check::random_normal(n), g = check::random_normal(n);
    check::Buffer<float> dev_w(w), dev_m(m), dev_g(g);
    sgd_kernel<<<64, 256>>>(dev_w, dev_m, dev_g, n, lr, momentum, decay);

    std::vector<double> ref_w(n), ref_m(n);
    for (int i = 0; i < n; i++) {
        ref_m[i] = static_cast<double>(momentum) * m[i] + g[i] + static_cast<double>(decay) * w[i];
        ref_w[i] = w[i] - static_cast<double>(lr) * ref_m[i];
    }
    double error = std::max(check::largest_error(dev_w.get(), ref_w),
                            check::largest_error(dev_m.get(), ref_m));
    check::expect(error <= 2e-4, "error %g", error);
}

// A block a layer: both norms by shuffles and dynamic shared memory (two floats a warp), then the
// update.
static __global__ void lars_kernel(float *w, float *m, const float *g, const int *offsets, float lr,
                                   float momentum, float decay, float eta)
{
    extern __shared__ float norms[];
    int begin = offsets[blockIdx.x], end = offsets[blockIdx.x + 1];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, n_warp = blockDim.x >> 5;
    float sum_w = 0, sum_g = 0;
    for (int i = begin + threadIdx.x; i < end; i += blockDim.x) {
        sum_w += w[i] * w[i];
        sum_g += g[i] * g[i];
    }
    sum_w = warp_sum(sum_w);
    sum_g = warp_sum(sum_g);
    if (lane == 0) {
        norms[warp] = sum_w;
        norms[n_warp + warp] = sum_g;
    }
    __syncthreads();
    if (warp == 0) {
        sum_w = warp_sum(lane < n_warp ? norms[lane] : 0);
        sum_g = warp_sum(lane < n_warp ? norms[n_warp + lane] : 0);
        __syncwarp();
        if (lane == 0) {
            norms[0] = sqrtf(sum_w);
            norms[1] = sqrtf(sum_g);
        }
    }
    __syncthreads();
    float norm_w = norms[0], norm_g = norms[1];
    float trust = norm_w > 0 && norm_g > 0 ? eta * norm_w / (norm_g + decay * norm_w) : 1;
    for (int i = begin + threadIdx.x; i < end; i += blockDim.x) {
        float step = momentum * m[i] + lr * trust * (g[i] + decay * w[i]);
        m[i] = step;
        w[i] -= step;
    }
}

CHECK(lars_with_norms_of_layers)
{
    const std::vector<int> offsets = {0,    1000, 1001,
                                      5001, 5001, 9000}; // one of a single weight, one of none
    const int n = 9000, n_layer = 5;
    const float lr = .5f, momentum = .9f, decay = 1e-3f, eta = .02f;
    auto w = check::random_normal(n, .1f), m = check::random_normal(n, .01f),
         g = check::random_normal(n, .02f);
    w[1000] = w[1001] = w[1002] = 0; // the first is a whole layer: its norm is 0
    check::Buffer<float> dev_w(w), dev_m(m), dev_g(g);
    check::Buffer<int> dev_offsets(offsets);
    lars_kernel<<<n_layer, 256, 2 * 8 * sizeof(float)>>>(dev_w, dev_m, dev_g, dev_offsets, lr,
                                                         momentum, decay, eta);

    std::vector<double> ref_w(n), ref_m(n);
    for (int layer = 0; layer < n_layer; layer++) {
        double norm_w = 0, norm_g = 0;
        for (int i = offsets[layer]; i < offsets[layer + 1]; i++) {
            norm_w += static_cast<double>(w[i]) * w[i];
            norm_g += static_cast<double>(g[i]) * g[i];
        }
        norm_w = std::sqrt(norm_w);
        norm_g = std::sqrt(norm_g);
        double trust = norm_w > 0 && norm_g > 0 ? eta * norm_w / (norm_g + decay * norm_w) : 1;
        for (int i = offsets[layer]; i < offsets[layer + 1]; i++) {
            ref_m[i] = momentum * m[i] + lr * trust * (g[i] + static_cast<double>(decay) * w[i]);
            ref_w[i] = w[i] - ref_m[i];
        }
    }
    double error = std::max(check::largest_error(dev_w.get(), ref_w),
                            check::largest_error(dev_m.get(), ref_m));
    check::expect(error <= 5e-4, "error %g", error);
}
