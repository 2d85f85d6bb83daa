// A cuBLAS handle: what its calls take from it.
#pragma once
#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cstddef>

namespace lab
{
struct CublasHandle {
    int device = 0;
    cudaStream_t stream = nullptr;
    cublasMath_t math = CUBLAS_DEFAULT_MATH;
    cublasPointerMode_t pointer_mode = CUBLAS_POINTER_MODE_HOST;
    void *workspace = nullptr; // the program's own, else the library's
    size_t workspace_bytes = 0;
};

CublasHandle *handle_of(cublasHandle_t handle); // null if it is none of ours, or destroyed

// Says a refusal on stderr, returns it.
cublasStatus_t refuse(cublasStatus_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
} // namespace lab

#define LAB_API extern "C" __attribute__((visibility("default")))
