// Reductions: a block's sum by a tree, a histogram by atomics, softmax and cross entropy by warps.
#include <algorithm>
#include <cmath>

#include "check.h"
#include "warp_sum.cuh"

static __global__ void sum_kernel(const float *x, int n, float *out)
{
    __shared__ float part[256];
    float sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        sum += x[i];
    part[threadIdx.x] = sum;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half >>= 1) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) atomicAdd(out, part[0]);
}

CHECK(sum_by_a_tree_in_shared_memory)
{
    const int n = 50000;
    auto x = check::random_normal(n);
    double ref = 0;
    for (float &value : x) {
        value = std::fabs(value);
        ref += value;
    }
    check::Buffer<float> dev_x(x), dev_sum(1);
    sum_kernel<<<32, 256>>>(dev_x, n, dev_sum);
    double error = std::fabs(dev_sum.get()[0] - ref) / ref;
    check::expect(error <= 1e-5, "error %g", error);
}

// Atomics in shared and global memory; the float maximum is a loop around a compare-and-swap.
static __global__ void histogram_kernel(const int *x, int n, int n_bin, int *histogram,
                                        int *max_int, float *max_float)
{
    __shared__ int own[64];
    for (int i = threadIdx.x; i < n_bin; i += blockDim.x) own[i] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        atomicAdd(&own[x[i] % n_bin], 1);
        atomicMax(max_int, x[i]);
        float value = static_cast<float>(x[i]) * 0.5f;
        int *bits = reinterpret_cast<int *>(max_float), old = *bits;
        while (__int_as_float(old) < value) {
            int expected = old;
            old = atomicCAS(bits, expected, __float_as_int(value));
            if (old == expected) break;
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < n_bin; i += blockDim.x)
        if (own[i]) atomicAdd(&histogram[i], own[i]);
}

CHECK(histogram_by_atomics)
{
    const int n = 20000, n_bin = 50;
    std::vector<int> x(n), ref(n_bin);
    for (int &value : x) {
        value = check::random_int(100000);
        ref[value % n_bin]++;
    }
    int max = *std::max_element(x.begin(), x.end());
    check::Buffer<int> dev_x(x), dev_histogram(n_bin), dev_max(1);
    check::Buffer<float> dev_max_float(1);
    histogram_kernel<<<8, 128>>>(dev_x, n, n_bin, dev_histogram, dev_max, dev_max_float);
    check::expect(dev_histogram.get() == ref, "the histogram differs");
    check::expect(dev_max.get()[0] == max, "maximum %d, not %d", dev_max.get()[0], max);
    check::expect(dev_max_float.get()[0] == max * 0.5f, "maximum %g", dev_max_float.get()[0]);
}

// A warp a row; lane 0 broadcasts maximum and sum.
static __global__ void cross_entropy_kernel(const float *logits, const int *labels, int n_row,
                                            int n_class, float *loss, float *grad)
{
    int row = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (row >= n_row) return;
    const float *x = logits + static_cast<size_t>(row) * n_class;
    float max = -3.4e38f, sum = 0;
    for (int i = lane; i < n_class; i += 32) max = fmaxf(max, x[i]);
    for (int distance = 16; distance > 0; distance >>= 1)
        max = fmaxf(max, __shfl_down_sync(0xffffffffu, max, distance));
    max = __shfl_sync(0xffffffffu, max, 0);
    for (int i = lane; i < n_class; i += 32) sum += expf(x[i] - max);
    sum = __shfl_sync(0xffffffffu, warp_sum(sum), 0);
    for (int i = lane; i < n_class; i += 32)
        grad[static_cast<size_t>(row) * n_class + i] =
            expf(x[i] - max) / sum - (i == labels[row] ? 1 : 0);
    if (lane == 0) loss[row] = logf(sum) + max - x[labels[row]];
}

CHECK(cross_entropy_of_rows)
{
    const int n_row = 37, n_class = 1000;
    auto logits = check::random_normal(n_row * n_class, 3);
    std::vector<int> labels(n_row);
    for (int &label : labels) label = check::random_int(n_class);
    check::Buffer<float> dev_logits(logits), dev_loss(n_row), dev_grad(n_row * n_class);
    check::Buffer<int> dev_labels(labels);
    cross_entropy_kernel<<<10, 128>>>(dev_logits, dev_labels, n_row, n_class, dev_loss, dev_grad);

    std::vector<double> ref_loss(n_row), ref_grad(n_row * n_class);
    for (int row = 0; row < n_row; row++) {
        const float *x = &logits[row * n_class];
        double max = *std::max_element(x, x + n_class), sum = 0;
        for (int i = 0; i < n_class; i++) sum += std::exp(x[i] - max);
        for (int i = 0; i < n_class; i++)
            ref_grad[row * n_class + i] = std::exp(x[i] - max) / sum - (i == labels[row]);
        ref_loss[row] = std::log(sum) + max - x[labels[row]];
    }
    double error = std::max(check::largest_error(dev_loss.get(), ref_loss),
                            check::largest_error(dev_grad.get(), ref_grad));
    check::expect(error <= 1e-4, "error %g", error);
}
