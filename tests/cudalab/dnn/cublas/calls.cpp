// The products a program can call: all are one.
#include "../common/race.h"
#include "gemm.h"
#include <memory>

namespace
{
using lab::Gemm;
using lab::Matrix;

double scalar(const void *value, cublasComputeType_t compute)
{
    return compute == CUBLAS_COMPUTE_64F ? *(const double *)value : *(const float *)value;
}

bool is_tf32(const lab::CublasHandle &handle, cublasComputeType_t compute, cudaDataType type)
{
    const bool is_asked = (handle.math & 0xf) == CUBLAS_TF32_TENSOR_OP_MATH || // 3, not a bit
                          compute == CUBLAS_COMPUTE_32F_FAST_TF32;

    return type == CUDA_R_32F && is_asked && compute != CUBLAS_COMPUTE_32F_PEDANTIC;
}

void run_task(void *argument)
{
    lab::Unseen unseen;
    const std::unique_ptr<Gemm> gemm((Gemm *)argument);

    lab::run_gemm(*gemm);
}

// The caller fills sizes and matrices; the transposition, scalars and the handle's part are filled
// in here.
cublasStatus_t launch(cublasHandle_t handle, Gemm gemm, cublasOperation_t a, cublasOperation_t b,
                      const void *alpha, const void *beta, cublasComputeType_t compute)
{
    lab::Unseen unseen;
    const lab::CublasHandle *own = lab::handle_of(handle);

    if (!own) return lab::refuse(CUBLAS_STATUS_NOT_INITIALIZED, "not a handle");
    if (own->pointer_mode != CUBLAS_POINTER_MODE_HOST)
        return lab::refuse(CUBLAS_STATUS_NOT_SUPPORTED, "scalars in device memory");
    gemm.a.is_transposed = a != CUBLAS_OP_N;
    gemm.b.is_transposed = b != CUBLAS_OP_N;
    gemm.device = own->device;
    gemm.workspace = own->workspace;
    gemm.workspace_bytes = own->workspace_bytes;
    cublasStatus_t status = lab::check_types(gemm, compute);
    if (status == CUBLAS_STATUS_SUCCESS) status = lab::check_gemm(gemm);
    if (status != CUBLAS_STATUS_SUCCESS || gemm.m == 0 || gemm.n == 0 || gemm.n_batch == 0)
        return status;
    gemm.alpha = scalar(alpha, compute);
    gemm.beta = scalar(beta, compute);
    gemm.is_tf32 = is_tf32(*own, compute, gemm.a.type);
    const bool is_launched =
        cudaLaunchHostFunc(own->stream, run_task, new Gemm(gemm)) == cudaSuccess;
    return is_launched ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

Matrix matrix(const void *start, cudaDataType type, int64_t leading, int64_t batch_stride)
{
    return {const_cast<void *>(start), type, leading, batch_stride, false};
}

Gemm sizes(int64_t m, int64_t n, int64_t k, int64_t n_batch)
{
    Gemm gemm = {};

    gemm.m = m, gemm.n = n, gemm.k = k;
    gemm.n_batch = n_batch;
    return gemm;
}
} // namespace

LAB_API cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t op_a,
                                    cublasOperation_t op_b, int m, int n, int k, const void *alpha,
                                    const void *a, cudaDataType a_type, int lda, const void *b,
                                    cudaDataType b_type, int ldb, const void *beta, void *c,
                                    cudaDataType c_type, int ldc, cublasComputeType_t compute,
                                    cublasGemmAlgo_t)
{
    Gemm gemm = sizes(m, n, k, 1);

    gemm.a = matrix(a, a_type, lda, 0);
    gemm.b = matrix(b, b_type, ldb, 0);
    gemm.c = matrix(c, c_type, ldc, 0);
    return launch(handle, gemm, op_a, op_b, alpha, beta, compute);
}

LAB_API cublasStatus_t cublasGemmStridedBatchedEx(
    cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n, int k,
    const void *alpha, const void *a, cudaDataType a_type, int lda, long long a_stride,
    const void *b, cudaDataType b_type, int ldb, long long b_stride, const void *beta, void *c,
    cudaDataType c_type, int ldc, long long c_stride, int n_batch, cublasComputeType_t compute,
    cublasGemmAlgo_t)
{
    Gemm gemm = sizes(m, n, k, n_batch);

    gemm.a = matrix(a, a_type, lda, a_stride);
    gemm.b = matrix(b, b_type, ldb, b_stride);
    gemm.c = matrix(c, c_type, ldc, c_stride);
    return launch(handle, gemm, op_a, op_b, alpha, beta, compute);
}

LAB_API cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t op_a,
                                      cublasOperation_t op_b, int m, int n, int k,
                                      const float *alpha, const float *a, int lda, const float *b,
                                      int ldb, const float *beta, float *c, int ldc)
{
    return cublasGemmEx(handle, op_a, op_b, m, n, k, alpha, a, CUDA_R_32F, lda, b, CUDA_R_32F, ldb,
                        beta, c, CUDA_R_32F, ldc, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}

LAB_API cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a,
                                                 cublasOperation_t op_b, int m, int n, int k,
                                                 const float *alpha, const float *a, int lda,
                                                 long long a_stride, const float *b, int ldb,
                                                 long long b_stride, const float *beta, float *c,
                                                 int ldc, long long c_stride, int n_batch)
{
    return cublasGemmStridedBatchedEx(handle, op_a, op_b, m, n, k, alpha, a, CUDA_R_32F, lda,
                                      a_stride, b, CUDA_R_32F, ldb, b_stride, beta, c, CUDA_R_32F,
                                      ldc, c_stride, n_batch, CUBLAS_COMPUTE_32F,
                                      CUBLAS_GEMM_DEFAULT);
}
