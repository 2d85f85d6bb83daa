// Code that comes with the toolkit: CUB, cuRAND's device side, printf and assert.
#include <cassert>
#include <cmath>
#include <cstdint>

#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>
#include <curand_kernel.h>

#include "check.h"

static __global__ void cub_kernel(const float *a, float *sum, int *scan)
{
    using Reduce = cub::BlockReduce<float, 128>;
    using Scan = cub::BlockScan<int, 128>;
    __shared__ typename Reduce::TempStorage reduce_storage;
    __shared__ typename Scan::TempStorage scan_storage;
    float total = Reduce(reduce_storage).Sum(a[threadIdx.x]);
    if (threadIdx.x == 0) *sum = total;
    int before;
    Scan(scan_storage).ExclusiveSum(static_cast<int>(threadIdx.x & 3), before);
    scan[threadIdx.x] = before;
}

CHECK(sum_and_scan_of_cub)
{
    std::vector<float> a(128);
    for (int i = 0; i < 128; i++) a[i] = i;
    check::Buffer<float> dev_a(a), dev_sum(1);
    check::Buffer<int> dev_scan(128);
    cub_kernel<<<1, 128>>>(dev_a, dev_sum, dev_scan);
    check::expect(dev_sum.get()[0] == 127 * 64, "the sum is %g", dev_sum.get()[0]);
    auto scan = dev_scan.get();
    for (int i = 0, before = 0; i < 128; before += i & 3, i++)
        check::expect(scan[i] == before, "scan %d", i);
}

static __global__ void philox_kernel(float *out, unsigned long long seed)
{
    curandStatePhilox4_32_10_t state;
    curand_init(seed, threadIdx.x, 0, &state);
    float4 value = curand_uniform4(&state);
    out[threadIdx.x] = value.x + value.y * 10 + value.z * 100 + value.w * 1000;
}

// Philox 4x32-10, after its paper (Salmon et al., 2011).
static void reference_philox(uint32_t counter[4], uint32_t key0, uint32_t key1)
{
    for (int round = 0; round < 10; round++) {
        uint64_t a = 0xD2511F53ull * counter[0], b = 0xCD9E8D57ull * counter[2];
        uint32_t next[4] = {
            static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(b),
            static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(a)};
        for (int i = 0; i < 4; i++) counter[i] = next[i];
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

CHECK(random_numbers_of_philox)
{
    const unsigned seed = 1234;
    check::Buffer<float> dev_out(64);
    philox_kernel<<<1, 64>>>(dev_out, seed);
    auto out = dev_out.get();
    for (unsigned thread = 0; thread < 64; thread++) {
        uint32_t counter[4] = {0, 0, thread, 0};
        reference_philox(counter, seed, 0);
        float ref = 0, weight = 1;
        for (uint32_t word : counter) {
            ref += (word * 0x1p-32f + 0x1p-33f) * weight;
            weight *= 10;
        }
        check::expect(std::fabs(out[thread] - ref) < 1e-2f, "thread %u: %g, not %g", thread,
                      out[thread], ref);
    }
}

static __global__ void print_kernel(float *a)
{
    if (threadIdx.x == 0) printf("the lab prints nothing of this: %f\n", a[0]);
    assert(a[0] > -1e9f);
    a[threadIdx.x] += 1;
}

CHECK(printf_and_assert_that_hold)
{
    check::Buffer<float> dev_a(std::vector<float>(32, 2));
    print_kernel<<<1, 32>>>(dev_a);
    check::expect(dev_a.get()[5] == 3, "%g", dev_a.get()[5]);
}
