// Atomics of all kinds, and what is built on them.
#include <algorithm>
#include <cmath>

#include <cuda/atomic>

#include "check.h"

static __global__ void atomics_kernel(double *sum, unsigned *words, unsigned long long *sum_long)
{
    atomicAdd(sum, static_cast<double>(threadIdx.x) * 0.5);
    atomicMin(&words[0], threadIdx.x + 3);
    atomicInc(&words[1], 7);
    atomicOr(&words[2], 1u << (threadIdx.x & 31));
    atomicExch(&words[3], threadIdx.x);
    atomicCAS(&words[4], 5, 6);
    atomicCAS(&words[5], 5, 6);
    atomicAdd(sum_long, static_cast<unsigned long long>(threadIdx.x));
}

CHECK(atomics_on_doubles_and_words)
{
    const int n = 64, sum_of_indices = 63 * 32;
    check::Buffer<double> dev_sum(std::vector<double>{1.5});
    check::Buffer<unsigned> dev_words(std::vector<unsigned>{100, 0, 0, 0, 4, 5});
    check::Buffer<unsigned long long> dev_long(std::vector<unsigned long long>{7});
    atomics_kernel<<<1, n>>>(dev_sum, dev_words, dev_long);
    auto words = dev_words.get();
    check::expect(dev_sum.get()[0] == 1.5 + .5 * sum_of_indices, "sum of doubles");
    check::expect(dev_long.get()[0] == 7 + sum_of_indices, "sum of long words");
    check::expect(words[0] == 3, "minimum %u", words[0]);
    check::expect(words[1] == 0, "%u, counted up to 7 and again from 0", words[1]);
    check::expect(words[2] == 0xffffffffu, "or %x", words[2]);
    check::expect(words[3] < n, "exchanged %u", words[3]);
    check::expect(words[4] == 4, "%u, which was not as compared", words[4]);
    check::expect(words[5] == 6, "%u, which was as compared", words[5]);
}

// The block that ends last adds up what all have left.
static __device__ unsigned n_ended;

static __global__ void last_block_kernel(const float *x, int n, float *parts, float *out)
{
    __shared__ float part[256];
    __shared__ bool is_last;
    float sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        sum += x[i];
    part[threadIdx.x] = sum;
    __syncthreads();
    for (int half = 128; half > 0; half >>= 1) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = part[0];
        __threadfence();
        is_last = atomicInc(&n_ended, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (!is_last || threadIdx.x > 0) return;
    sum = 0;
    for (int i = 0; i < gridDim.x; i++) sum += static_cast<volatile float *>(parts)[i];
    *out = sum;
}

CHECK(last_block_finishes_the_sum)
{
    const int n = 5000;
    std::vector<float> x(n);
    double ref = 0;
    for (int i = 0; i < n; i++) ref += x[i] = (i % 17) * .25f;
    check::Buffer<float> dev_x(x), dev_parts(8), dev_out(1);
    for (int repeat = 0; repeat < 3; repeat++) { // the counter is 0 again after each
        last_block_kernel<<<8, 256>>>(dev_x, n, dev_parts, dev_out);
        check::expect(std::fabs(dev_out.get()[0] - ref) < 1e-2, "repeat %d: %g, not %g", repeat,
                      dev_out.get()[0], ref);
    }
}

static __global__ void atomic_ref_kernel(int *p, int *out)
{
    cuda::atomic_ref<int, cuda::thread_scope_device> counter(*p);
    out[threadIdx.x] = counter.fetch_add(1, cuda::memory_order_acq_rel);
    __threadfence();
}

CHECK(atomic_ref_of_the_standard_library)
{
    check::Buffer<int> dev_counter(std::vector<int>{5}), dev_out(64);
    atomic_ref_kernel<<<1, 64>>>(dev_counter, dev_out);
    auto out = dev_out.get();
    std::sort(out.begin(), out.end());
    check::expect(dev_counter.get()[0] == 5 + 64, "the counter is %d", dev_counter.get()[0]);
    for (int i = 0; i < 64; i++) check::expect(out[i] == 5 + i, "ticket %d is %d", i, out[i]);
}
