// What a product refuses.
#include "../common/machine.h"
#include "gemm.h"
#include <algorithm>
#include <cstdint>

namespace lab
{
namespace
{
struct Extent {
    uintptr_t start;
    size_t n_bytes;
};

Extent extent_of(const Matrix &matrix, const Stored &shape, int64_t n_batch)
{
    const int64_t n_elements =
        (n_batch - 1) * matrix.batch_stride + (shape.n_cols - 1) * matrix.leading + shape.n_rows;

    return {(uintptr_t)matrix.start,
            shape.n_rows && shape.n_cols
                ? (size_t)n_elements * (size_t)bits_of(number_of(matrix.type)) / 8
                : 0};
}

bool overlaps(const Extent &a, const Extent &b)
{
    return a.start < b.start + b.n_bytes && b.start < a.start + a.n_bytes;
}

cublasStatus_t check_memory(const char *name, const Matrix &matrix, const Extent &extent,
                            int device)
{
    const size_t element = (size_t)bits_of(number_of(matrix.type)) / 8;
    const Bytes bytes = find_bytes(matrix.start, extent.n_bytes, device);

    if (extent.n_bytes == 0) return CUBLAS_STATUS_SUCCESS; // k is 0: c is only scaled
    if (extent.start % element != 0)
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "%s: %p is not aligned to its elements", name,
                      matrix.start);
    if (bytes.place == Place::elsewhere)
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "%s: memory of device %d used on device %d",
                      name, bytes.device, device);
    if (bytes.place != Place::fine)
        return refuse(CUBLAS_STATUS_INVALID_VALUE,
                      "%s: %p and %zu bytes are not inside a device allocation", name, matrix.start,
                      extent.n_bytes);
    return CUBLAS_STATUS_SUCCESS;
}

bool is_too_narrow(const Matrix &matrix, const Stored &shape)
{
    return matrix.leading < std::max<int64_t>(1, shape.n_rows);
}
} // namespace

// The combinations of cublasGemmEx's table that have real numbers and float or double products.
cublasStatus_t check_types(const Gemm &gemm, cublasComputeType_t compute)
{
    const cudaDataType a = gemm.a.type, b = gemm.b.type, c = gemm.c.type;
    const bool is_half = a == CUDA_R_16BF || a == CUDA_R_16F;
    bool is_fine = false;

    if (compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_PEDANTIC)
        is_fine = a == b && (a == CUDA_R_32F ? c == a : is_half && (c == a || c == CUDA_R_32F));
    if (compute == CUBLAS_COMPUTE_32F_FAST_TF32) is_fine = a == CUDA_R_32F && b == a && c == a;
    if (compute == CUBLAS_COMPUTE_64F) is_fine = a == CUDA_R_64F && b == a && c == a;
    if (is_fine) return CUBLAS_STATUS_SUCCESS;
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "types %d x %d -> %d with compute type %d", (int)a,
                  (int)b, (int)c, (int)compute);
}

cublasStatus_t check_gemm(const Gemm &gemm)
{
    const Stored a = stored(gemm.a, gemm.m, gemm.k);
    const Stored b = stored(gemm.b, gemm.k, gemm.n);
    const Stored c = {gemm.m, gemm.n};
    const int64_t one_c = (gemm.n - 1) * gemm.c.leading + gemm.m;

    if (gemm.m < 0 || gemm.n < 0 || gemm.k < 0 || gemm.n_batch < 0)
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "a negative size");
    if (is_too_narrow(gemm.a, a) || is_too_narrow(gemm.b, b) || is_too_narrow(gemm.c, c))
        return refuse(CUBLAS_STATUS_INVALID_VALUE,
                      "a leading dimension is too small (m %ld n %ld k %ld, leading %ld %ld %ld)",
                      (long)gemm.m, (long)gemm.n, (long)gemm.k, (long)gemm.a.leading,
                      (long)gemm.b.leading, (long)gemm.c.leading);
    if (gemm.m == 0 || gemm.n == 0 || gemm.n_batch == 0) return CUBLAS_STATUS_SUCCESS;
    if (gemm.n_batch > 1 && gemm.c.batch_stride < one_c)
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "results of a batch overlap (stride %ld)",
                      (long)gemm.c.batch_stride);
    const Extent of_a = extent_of(gemm.a, a, gemm.n_batch);
    const Extent of_b = extent_of(gemm.b, b, gemm.n_batch);
    const Extent of_c = extent_of(gemm.c, c, gemm.n_batch);
    cublasStatus_t status = check_memory("A", gemm.a, of_a, gemm.device);
    if (status == CUBLAS_STATUS_SUCCESS) status = check_memory("B", gemm.b, of_b, gemm.device);
    if (status == CUBLAS_STATUS_SUCCESS) status = check_memory("C", gemm.c, of_c, gemm.device);
    if (status == CUBLAS_STATUS_SUCCESS && (overlaps(of_c, of_a) || overlaps(of_c, of_b)))
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "C overlaps a factor in memory");
    return status;
}
} // namespace lab
