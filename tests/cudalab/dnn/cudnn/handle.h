// Handles, which the real library refuses to make without a GPU.
#pragma once
#include <cuda_runtime_api.h>
#include <cudnn.h>

namespace lab
{
struct CudnnHandle {
    int device;
    cudaStream_t stream;
};

CudnnHandle *handle_of(cudnnHandle_t handle); // null if it is none of ours, or destroyed
} // namespace lab

#define LAB_API extern "C" __attribute__((visibility("default")))
