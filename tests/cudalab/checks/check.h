// Checks that run on the device and compare with the CPU. A file says CHECK(name) { ... }; the
// program runs all of them and prints a line for each.
#pragma once
#include <cstddef>
#include <cstdio>
#include <vector>

#include <cuda_runtime.h>

namespace check
{

struct Registration {
    Registration(const char *name, void (*body)());
};

// Notes that the running check has failed, and why; the check goes on.
void expect(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Ends the program where a call of CUDA's fails that must not.
void must(cudaError_t code, const char *call);

std::vector<float> random_normal(size_t n, float scale = 1.0f);
int random_int(int n); // in [0, n)

// The largest |a - b| / (1e-3 + |b|), NaN if there is one.
double largest_error(const std::vector<float> &a, const std::vector<double> &b);

// Device memory with a vector's values; freed with it.
template <class T> class Buffer
{
  public:
    explicit Buffer(const std::vector<T> &values) : n(values.size())
    {
        must(cudaMalloc(&p, n * sizeof(T)), "cudaMalloc");
        must(cudaMemcpy(p, values.data(), n * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
    }
    explicit Buffer(size_t n_value) : Buffer(std::vector<T>(n_value))
    {
    }
    ~Buffer()
    {
        cudaFree(p);
    }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;

    operator T *()
    {
        return p;
    }
    std::vector<T> get() const
    {
        std::vector<T> values(n);
        must(cudaMemcpy(values.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
        return values;
    }

  private:
    T *p = nullptr;
    const size_t n;
};

} // namespace check

#define CHECK(name)                                                                                \
    static void name();                                                                            \
    static const check::Registration registration_of_##name(#name, name);                          \
    static void name()

#define MUST(call) check::must(call, #call)
