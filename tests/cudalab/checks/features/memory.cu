// Vectors of four floats, arrays in local memory, branches of a switch.
#include <cmath>

#include "check.h"

static __global__ void float4_kernel(const float4 *a, float4 *b, int n)
{
    int i = threadIdx.x + blockIdx.x * blockDim.x;
    if (i >= n) return;
    float4 value = a[i];
    value.x += 1;
    value.w *= 2;
    b[i] = value;
}

CHECK(vectors_of_four)
{
    const int n = 100;
    std::vector<float4> a(n);
    for (int i = 0; i < n; i++) a[i] = make_float4(i, 2 * i, 3 * i, 4 * i);
    check::Buffer<float4> dev_a(a), dev_b(a);
    float4_kernel<<<2, 64>>>(dev_a, dev_b, n);
    auto b = dev_b.get();
    for (int i = 0; i < n; i++)
        check::expect(b[i].x == i + 1 && b[i].y == 2 * i && b[i].z == 3 * i && b[i].w == 8 * i,
                      "element %d", i);
}

// A histogram that each thread has for itself: its indices are only known when it runs, so it is
// local memory.
static __host__ __device__ int hash_of_counts(const int *a, int thread)
{
    int counts[16], sum = 0;
    for (int i = 0; i < 16; i++) counts[i] = 0;
    for (int i = 0; i < 64; i++) counts[a[i + thread] & 15]++;
    for (int i = 0; i < 16; i++) sum = sum * 3 + counts[(i + thread) & 15];
    return sum;
}

static __global__ void local_array_kernel(const int *a, int *out)
{
    out[threadIdx.x] = hash_of_counts(a, threadIdx.x);
}

CHECK(array_in_local_memory)
{
    std::vector<int> a(200);
    for (int i = 0; i < 200; i++) a[i] = i * 7919 % 101;
    check::Buffer<int> dev_a(a), dev_out(64);
    local_array_kernel<<<1, 64>>>(dev_a, dev_out);
    auto out = dev_out.get();
    for (int i = 0; i < 64; i++)
        check::expect(out[i] == hash_of_counts(a.data(), i), "thread %d", i);
}

static __host__ __device__ float switched(int i)
{
    float value = i;
    switch (i & 7) {
    case 0:
        return sqrtf(value);
    case 1:
        return value * value;
    case 2:
        return 1 / value;
    case 3:
        return -value;
    case 4:
        return value + 3;
    case 5:
        return expf(value);
    case 6:
        return value - 7;
    default:
        return 0;
    }
}

static __global__ void switch_kernel(const int *a, float *out)
{
    out[threadIdx.x] = switched(a[threadIdx.x]);
}

CHECK(switch_of_eight_cases)
{
    std::vector<int> a(64);
    for (int i = 0; i < 64; i++) a[i] = i;
    check::Buffer<int> dev_a(a);
    check::Buffer<float> dev_out(64);
    switch_kernel<<<1, 64>>>(dev_a, dev_out);
    auto out = dev_out.get();
    for (int i = 0; i < 64; i++) {
        float ref = switched(i);
        check::expect(std::fabs(out[i] - ref) <= 1e-5f * std::fabs(ref) + 1e-6f,
                      "case %d: %g, not %g", i, out[i], ref);
    }
}
