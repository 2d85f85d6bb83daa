// c = alpha * op(a) * op(b) + beta * c, as cuBLAS has it: matrices by columns, in stream order.
#pragma once
#include "../common/number.h"
#include "handle.h"

namespace lab
{
struct Matrix {
    void *start;
    cudaDataType type;
    int64_t leading;      // from one column to the next
    int64_t batch_stride; // from one matrix to the next
    bool is_transposed;
};

struct Gemm {
    int64_t m, n, k; // c: m x n, op(a): m x k, op(b): k x n
    int64_t n_batch;
    Matrix a, b, c;
    double alpha, beta;
    bool is_tf32;
    int device;
    void *workspace;
    size_t workspace_bytes;
};

cublasStatus_t check_gemm(const Gemm &gemm); // shapes, types, memory
cublasStatus_t check_types(const Gemm &gemm, cublasComputeType_t compute);
void run_gemm(const Gemm &gemm); // in the stream

Number number_of(cudaDataType type); // none if it is not emulated

// A matrix as it lies in memory.
struct Stored {
    int64_t n_rows, n_cols;
};
Stored stored(const Matrix &matrix, int64_t n_rows,
              int64_t n_cols); // of op(matrix): n_rows x n_cols
} // namespace lab
