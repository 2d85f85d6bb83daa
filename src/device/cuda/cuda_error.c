/* Foreign errors become ours, once, where they are seen. */
#include "core/log.h"
#include "device/cuda/cuda.h"

/* What a user can do about a GPU that is full. */
static adn_status out_of_memory(const cuda_device *gpu, const char *call, const char *file,
                                int line)
{
    size_t free_bytes = 0, bytes = 0;

    if (cudaMemGetInfo(&free_bytes, &bytes) != cudaSuccess) free_bytes = bytes = 0;
    return adn_fail(ADN_NOMEM, file, line,
                    "%s (%s): out of memory in %s: %.1f of %.1f MiB are free; lower data.batch, "
                    "edge.slots or the blocks on this GPU",
                    gpu->name, gpu->model, call, (double)free_bytes / 0x1p20,
                    (double)bytes / 0x1p20);
}

adn_status adn_cuda_failed(const cuda_device *gpu, cudaError_t e, const char *call,
                           const char *file, int line)
{
    (void)cudaGetLastError(); /* else the next launch would be blamed for it */
    if (e == cudaErrorMemoryAllocation) return out_of_memory(gpu, call, file, line);
    return adn_fail(ADN_DEVICE, file, line, "%s (%s): %s: %s (CUDA error %d)", gpu->name,
                    gpu->model, call, cudaGetErrorString(e), (int)e);
}

adn_status adn_cublas_failed(const cuda_device *gpu, cublasStatus_t e, const char *call,
                             const char *file, int line)
{
    if (e == CUBLAS_STATUS_ALLOC_FAILED) return out_of_memory(gpu, call, file, line);
    return adn_fail(ADN_DEVICE, file, line, "%s (%s): %s: %s (cuBLAS)", gpu->name, gpu->model, call,
                    cublasGetStatusString(e));
}

adn_status adn_cudnn_failed(const cuda_device *gpu, cudnnStatus_t e, const char *call,
                            const char *file, int line)
{
    char text[512] = "";

    if (e == CUDNN_STATUS_ALLOC_FAILED) return out_of_memory(gpu, call, file, line);
    cudnnGetLastErrorString(text, sizeof(text));
    return adn_fail(ADN_DEVICE, file, line, "%s (%s): %s: %s%s%s (cuDNN)", gpu->name, gpu->model,
                    call, cudnnGetErrorString(e), text[0] != '\0' ? ": " : "", text);
}
