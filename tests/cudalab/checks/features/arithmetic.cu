// The math library, 64-bit integers, pairs of fp16.
#include <algorithm>
#include <cmath>

#include <cuda_fp16.h>

#include "check.h"

static __global__ void math_kernel(const float *a, float *out, double *out_double)
{
    float x = a[threadIdx.x];
    out[threadIdx.x] = sinf(x) + cosf(x) + powf(fabsf(x), 1.7f) + erff(x) + tanhf(x) +
                       expm1f(x * .01f) + log1pf(fabsf(x)) + cbrtf(x) + rsqrtf(fabsf(x) + 1) +
                       fmodf(x, 3) + roundf(x) + atan2f(x, 2);
    out_double[threadIdx.x] = exp(static_cast<double>(x) * .01) +
                              log(fabs(static_cast<double>(x)) + 1) +
                              sqrt(static_cast<double>(x) * x) / 3;
}

CHECK(functions_of_the_math_library)
{
    std::vector<float> a(64);
    for (int i = 0; i < 64; i++) a[i] = (i - 20) * 1.37f;
    a[60] += 1e6f; // large arguments of sine and cosine take another way
    a[61] += 3.3e9f;
    check::Buffer<float> dev_a(a), dev_out(64);
    check::Buffer<double> dev_double(64);
    math_kernel<<<1, 64>>>(dev_a, dev_out, dev_double);

    auto out = dev_out.get();
    auto out_double = dev_double.get();
    double error = 0, error_double = 0;
    for (int i = 0; i < 64; i++) {
        double x = a[i];
        double ref = std::sin(x) + std::cos(x) + std::pow(std::fabs(x), 1.7f) + std::erf(x) +
                     std::tanh(x) + std::expm1(static_cast<double>(a[i] * .01f)) +
                     std::log1p(std::fabs(x)) + std::cbrt(x) + 1 / std::sqrt(std::fabs(x) + 1) +
                     std::fmod(x, 3) + std::round(x) + std::atan2(x, 2);
        double ref_double = std::exp(x * .01) + std::log(std::fabs(x) + 1) + std::sqrt(x * x) / 3;
        if (ref < 1e30) error = std::max(error, std::fabs(ref - out[i]) / (1 + std::fabs(ref)));
        if (std::isfinite(ref_double))
            error_double =
                std::max(error_double, std::fabs(ref_double - out_double[i]) / (1 + ref_double));
    }
    check::expect(error < 2e-6, "error in fp32 %g", error);
    check::expect(error_double < 1e-14, "error in fp64 %g", error_double);
}

static __global__ void int64_kernel(const long long *a, long long *out, unsigned n)
{
    int i = threadIdx.x;
    out[i] = a[i] / 7 + a[i] % n + __mul64hi(a[i], a[i]) +
             __umulhi(static_cast<unsigned>(a[i]), n) + (a[i] >> 3) +
             (static_cast<unsigned long long>(a[i]) >> 60);
}

CHECK(integers_of_64_bits)
{
    const unsigned n = 12345;
    std::vector<long long> a(32);
    for (int i = 0; i < 32; i++) a[i] = (i - 16) * 0x123456789abcdLL;
    check::Buffer<long long> dev_a(a), dev_out(32);
    int64_kernel<<<1, 32>>>(dev_a, dev_out, n);
    auto out = dev_out.get();
    for (int i = 0; i < 32; i++) {
        auto high = static_cast<long long>(static_cast<__int128>(a[i]) * a[i] >> 64);
        auto unsigned_high = static_cast<unsigned>(
            static_cast<unsigned long long>(static_cast<unsigned>(a[i])) * n >> 32);
        auto ref = static_cast<long long>(a[i] / 7 + a[i] % n + high + unsigned_high + (a[i] >> 3) +
                                          (static_cast<unsigned long long>(a[i]) >> 60));
        check::expect(out[i] == ref, "element %d: %lld, not %lld", i, out[i], ref);
    }
}

static __global__ void half2_kernel(const __half2 *a, const __half2 *b, __half2 *c, __half *product)
{
    __half2 sum = __hfma2(a[threadIdx.x], b[threadIdx.x], c[threadIdx.x]);
    c[threadIdx.x] = __hadd2(sum, a[threadIdx.x]);
    product[threadIdx.x] = __hmul(__low2half(sum), __high2half(sum));
}

static float as_half(double value)
{
    return __half2float(__float2half_rn(static_cast<float>(value)));
}

CHECK(pairs_of_fp16)
{
    const int n = 32;
    std::vector<__half2> a(n), b(n), c(n);
    for (int i = 0; i < n; i++) {
        a[i] = __floats2half2_rn(i * .1f, -i * .3f);
        b[i] = __floats2half2_rn(1.5f - i, i * .25f);
        c[i] = __floats2half2_rn(i, 3);
    }
    check::Buffer<__half2> dev_a(a), dev_b(b), dev_c(c);
    check::Buffer<__half> dev_product(n);
    half2_kernel<<<1, n>>>(dev_a, dev_b, dev_c, dev_product);

    auto sums = dev_c.get();
    auto products = dev_product.get();
    for (int i = 0; i < n; i++) {
        float low =
            as_half(static_cast<double>(__low2float(a[i])) * __low2float(b[i]) + __low2float(c[i]));
        float high = as_half(static_cast<double>(__high2float(a[i])) * __high2float(b[i]) +
                             __high2float(c[i]));
        check::expect(__low2float(sums[i]) == as_half(low + __low2float(a[i])), "lower half %d", i);
        check::expect(__high2float(sums[i]) == as_half(high + __high2float(a[i])), "upper half %d",
                      i);
        check::expect(__half2float(products[i]) == as_half(low * high), "product %d", i);
    }
}
