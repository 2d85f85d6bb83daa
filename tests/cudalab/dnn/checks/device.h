// Tensors in the memory of a device, filled and read as doubles in the order n, c, h, w; four
// dimensions lie there as n, h, w, c.
#pragma once
#include "check.h"
#include <cstdint>
#include <cuda_runtime_api.h>
#include <cudnn.h>

namespace check
{
typedef std::vector<int64_t> Integers;

enum class Kind { f32, bf16, i8, bit, i64 }; // bits are only allocated, i64 is by value
cudnnDataType_t cudnn_type(Kind kind);
double rounded(double value, Kind kind);

Integers channels_last(const Integers &dims); // strides; three dimensions lie as written
int64_t product_of(const Integers &dims);

class Tensor
{
  public:
    Tensor(const Integers &dims, Kind kind); // what lies there is not defined
    Tensor(const Integers &dims, Kind kind, const Numbers &values);
    ~Tensor();
    Tensor(const Tensor &) = delete;
    Tensor &operator=(const Tensor &) = delete;

    Numbers read() const; // waits for its device
    void *memory() const
    {
        return start;
    }
    size_t n_elements() const
    {
        return (size_t)product_of(dims);
    }

    const Integers dims;
    const Kind kind;

  private:
    size_t place_of(size_t element) const;
    size_t n_bytes() const;
    void *start;
};

// The same numbers at each run, between middle - spread and middle + spread, rounded to the kind.
Numbers random_numbers(size_t n, Kind kind, double spread = 1, double middle = 0);

// A call that must succeed: ends the program, without what it checks, if it does not.
void demand(cudaError_t status, const char *what);

// A stream that no other waits for.
cudaStream_t new_stream(int device = 0);
} // namespace check
