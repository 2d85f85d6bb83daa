#include "device.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace check
{
namespace
{
uint16_t bf16_of(double value)
{
    const float single = (float)value;
    uint32_t bits;

    memcpy(&bits, &single, sizeof bits);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

double of_bf16(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float single;

    memcpy(&single, &bits, sizeof single);
    return single;
}
} // namespace

void demand(cudaError_t status, const char *what)
{
    if (status == cudaSuccess) return;
    printf("FAILED: %s: %s\n", what, cudaGetErrorString(status));
    exit(1);
}

cudnnDataType_t cudnn_type(Kind kind)
{
    switch (kind) {
    case Kind::bf16:
        return CUDNN_DATA_BFLOAT16;
    case Kind::i8:
        return CUDNN_DATA_INT8;
    case Kind::bit:
        return CUDNN_DATA_BOOLEAN;
    case Kind::i64:
        return CUDNN_DATA_INT64;
    default:
        return CUDNN_DATA_FLOAT;
    }
}

double rounded(double value, Kind kind)
{
    return kind == Kind::bf16 ? of_bf16(bf16_of(value)) : (double)(float)value;
}

int64_t product_of(const Integers &dims)
{
    int64_t product = 1;

    for (int64_t dim : dims) product *= dim;
    return product;
}

Integers channels_last(const Integers &dims)
{
    if (dims.size() == 3) return {dims[1] * dims[2], dims[2], 1};
    return {dims[1] * dims[2] * dims[3], 1, dims[3] * dims[1], dims[1]};
}

Tensor::Tensor(const Integers &dims, Kind kind) : dims(dims), kind(kind)
{
    demand(cudaMalloc(&start, n_bytes()), "cudaMalloc");
}

Tensor::Tensor(const Integers &dims, Kind kind, const Numbers &values) : Tensor(dims, kind)
{
    std::vector<char> bytes(n_bytes());

    for (size_t i = 0; i < values.size(); i++)
        if (kind == Kind::bf16)
            ((uint16_t *)bytes.data())[place_of(i)] = bf16_of(values[i]);
        else
            ((float *)bytes.data())[place_of(i)] = (float)values[i];
    demand(cudaMemcpy(start, bytes.data(), bytes.size(), cudaMemcpyHostToDevice), "cudaMemcpy");
}

Tensor::~Tensor()
{
    cudaFree(start);
}

size_t Tensor::n_bytes() const
{
    switch (kind) {
    case Kind::f32:
        return n_elements() * 4;
    case Kind::bf16:
        return n_elements() * 2;
    default:
        return n_elements();
    }
}

size_t Tensor::place_of(size_t element) const
{
    const Integers strides = channels_last(dims);
    size_t place = 0;

    for (size_t i = dims.size(); i-- > 0;) {
        place += element % (size_t)dims[i] * (size_t)strides[i];
        element /= (size_t)dims[i];
    }
    return place;
}

Numbers Tensor::read() const
{
    std::vector<char> bytes(n_bytes());
    Numbers values(n_elements());

    demand(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    demand(cudaMemcpy(bytes.data(), start, bytes.size(), cudaMemcpyDeviceToHost), "cudaMemcpy");
    for (size_t i = 0; i < values.size(); i++)
        values[i] = kind == Kind::bf16 ? of_bf16(((uint16_t *)bytes.data())[place_of(i)])
                                       : ((float *)bytes.data())[place_of(i)];
    return values;
}

Numbers random_numbers(size_t n, Kind kind, double spread, double middle)
{
    static uint32_t state = 1;
    Numbers numbers(n);

    for (double &number : numbers) {
        state = state * 1664525u + 1013904223u;
        number = rounded(middle + spread * ((state >> 8) / 8388608.0 - 1), kind);
    }
    return numbers;
}

cudaStream_t new_stream(int device)
{
    cudaStream_t stream;

    demand(cudaSetDevice(device), "cudaSetDevice");
    demand(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return stream;
}
} // namespace check
