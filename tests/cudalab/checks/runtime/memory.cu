// Memory: copies that overrun or go the wrong way, freeing, what is not initialised.
#include <cmath>
#include <cstdint>

#include "check.h"

CHECK(copies_must_stay_inside_their_allocation)
{
    char host[256] = {};
    char *device, *other;
    MUST(cudaMalloc(&device, 100));
    MUST(cudaMalloc(&other, 100));
    MUST(cudaMemcpy(device, host, 100, cudaMemcpyHostToDevice));
    MUST(cudaMemcpy(device + 50, host, 50, cudaMemcpyDefault));
    check::expect(cudaMemcpy(device, host, 101, cudaMemcpyHostToDevice) == cudaErrorInvalidValue,
                  "into");
    check::expect(cudaMemcpy(host, device + 50, 51, cudaMemcpyDeviceToHost) ==
                      cudaErrorInvalidValue,
                  "out of");
    check::expect(cudaMemcpy(device, other, 101, cudaMemcpyDefault) == cudaErrorInvalidValue,
                  "between");
    check::expect(cudaMemset(device + 100, 0, 1) == cudaErrorInvalidValue, "a fill behind it");
    check::expect(cudaMemcpy2DAsync(device, 30, host, 16, 10, 5, cudaMemcpyHostToDevice, nullptr) ==
                      cudaErrorInvalidValue,
                  "rows behind it");
    check::expect(cudaMemcpy2DAsync(device, 30, host, 16, 10, 4, cudaMemcpyHostToDevice, nullptr) ==
                      cudaSuccess,
                  "rows inside it");
    check::expect(cudaMemcpy2DAsync(device, 8, host, 16, 10, 4, cudaMemcpyHostToDevice, nullptr) ==
                      cudaErrorInvalidValue,
                  "rows that overlap");
    cudaGetLastError();
    MUST(cudaFree(device));
    MUST(cudaFree(other));
}

CHECK(copies_must_go_the_way_they_say)
{
    char host[16] = {};
    char *device, *pinned;
    MUST(cudaMalloc(&device, 16));
    MUST(cudaMallocHost(&pinned, 16));
    check::expect(cudaMemcpy(host, device, 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue,
                  "into the host");
    check::expect(cudaMemcpy(pinned, device, 16, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue,
                  "into pinned");
    check::expect(cudaMemset(host, 0, 16) == cudaErrorInvalidValue, "a fill of the host's");
    MUST(cudaMemcpy(pinned, device, 16, cudaMemcpyDeviceToHost));
    MUST(cudaFree(device));
    check::expect(cudaMemcpy(device, host, 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue,
                  "into freed memory");
    check::expect(cudaGetLastError() == cudaErrorInvalidValue, "the error is kept");
    check::expect(cudaGetLastError() == cudaSuccess, "and forgotten when it was asked for");
    MUST(cudaFreeHost(pinned));
}

CHECK(memory_is_freed_once_and_as_what_it_is)
{
    char *device, *pinned;
    MUST(cudaMalloc(&device, 0));
    MUST(cudaMallocHost(&pinned, 16));
    check::expect(cudaFree(pinned) == cudaErrorInvalidValue, "pinned memory is not the device's");
    check::expect(cudaFreeHost(device) == cudaErrorInvalidValue, "device memory is not the host's");
    check::expect(cudaFree(device + 1) == cudaErrorInvalidValue, "no allocation starts there");
    MUST(cudaFree(device));
    check::expect(cudaFree(device) == cudaErrorInvalidValue, "twice");
    MUST(cudaFree(nullptr));
    MUST(cudaFreeHost(pinned));
    cudaGetLastError();
}

CHECK(fresh_device_memory_is_nan)
{
    float value = 0;
    float *device;
    MUST(cudaMalloc(&device, sizeof(value)));
    MUST(cudaMemcpy(&value, device, sizeof(value), cudaMemcpyDeviceToHost));
    check::expect(std::isnan(value), "%g", value);
    MUST(cudaFree(device));
}
