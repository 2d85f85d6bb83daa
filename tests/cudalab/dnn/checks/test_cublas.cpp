// Products by cuBLAS: types, transpositions, math modes, workspaces; and what is refused.
#include "device.h"
#include "reference.h"
#include <cmath>
#include <cublas_v2.h>

using namespace check;

namespace
{
const int m = 7, n = 6, k = 13;

cudaDataType cuda_type(Kind kind)
{
    return kind == Kind::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

// A matrix by columns, with two more rows than it has between its columns.
struct Matrix {
    Matrix(int n_rows, int n_cols, Kind kind)
        : leading(n_rows + 2), values(random_numbers((size_t)(leading * n_cols), kind)),
          memory({1, n_cols, leading}, kind, values)
    {
    }
    Numbers rows(const Numbers &from, int n_rows, int n_cols) const
    {
        Numbers result;
        for (int i = 0; i < n_rows; i++)
            for (int j = 0; j < n_cols; j++) result.push_back(from[(size_t)(j * leading + i)]);
        return result;
    }
    const int leading;
    const Numbers values;
    Tensor memory;
};

struct Case {
    const char *name;
    Kind factors, result;
    cublasComputeType_t compute;
    cublasMath_t math;
    bool is_tf32;
};
const Case cases[] = {
    {"fp32", Kind::f32, Kind::f32, CUBLAS_COMPUTE_32F, CUBLAS_DEFAULT_MATH, false},
    {"fp32, TF32 math", Kind::f32, Kind::f32, CUBLAS_COMPUTE_32F, CUBLAS_TF32_TENSOR_OP_MATH, true},
    {"fp32, pedantic math", Kind::f32, Kind::f32, CUBLAS_COMPUTE_32F, CUBLAS_PEDANTIC_MATH, false},
    {"fp32, TF32 asked for", Kind::f32, Kind::f32, CUBLAS_COMPUTE_32F_FAST_TF32,
     CUBLAS_DEFAULT_MATH, true},
    {"fp32, pedantic over TF32 math", Kind::f32, Kind::f32, CUBLAS_COMPUTE_32F_PEDANTIC,
     CUBLAS_TF32_TENSOR_OP_MATH, false},
    {"bf16 -> bf16", Kind::bf16, Kind::bf16, CUBLAS_COMPUTE_32F, CUBLAS_DEFAULT_MATH, false},
    {"bf16 -> fp32", Kind::bf16, Kind::f32, CUBLAS_COMPUTE_32F, CUBLAS_TF32_TENSOR_OP_MATH, false},
    {"bf16 -> fp32, pedantic", Kind::bf16, Kind::f32, CUBLAS_COMPUTE_32F_PEDANTIC,
     CUBLAS_DEFAULT_MATH, false},
};

Numbers as_tf32(Numbers numbers)
{
    for (double &number : numbers) {
        int exponent;
        const double mantissa = std::frexp(number, &exponent);
        number = std::ldexp(std::nearbyint(std::ldexp(mantissa, 11)), exponent - 11);
    }
    return numbers;
}

void try_case(cublasHandle_t cublas, const Case &tried, bool is_a_transposed, bool is_b_transposed,
              float beta)
{
    Matrix a(is_a_transposed ? k : m, is_a_transposed ? m : k, tried.factors);
    Matrix b(is_b_transposed ? n : k, is_b_transposed ? k : n, tried.factors);
    Matrix c(m, n, tried.result);
    const float alpha = 0.5f;
    const std::string name = std::string(tried.name) + ": " + (is_a_transposed ? "A^T " : "A ") +
                             (is_b_transposed ? "B^T" : "B") + (beta != 0 ? " + C" : "");
    const cudaDataType factor = cuda_type(tried.factors), result = cuda_type(tried.result);

    cublasSetMathMode(cublas, tried.math);
    const cublasStatus_t status = cublasGemmEx(
        cublas, is_a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
        is_b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k, &alpha, a.memory.memory(), factor,
        a.leading, b.memory.memory(), factor, b.leading, &beta, c.memory.memory(), result,
        c.leading, tried.compute, CUBLAS_GEMM_DEFAULT);
    if (!that(status == CUBLAS_STATUS_SUCCESS, name + " is computed", cublasGetStatusName(status)))
        return;
    Numbers left = a.rows(a.values, is_a_transposed ? k : m, is_a_transposed ? m : k);
    Numbers right = b.rows(b.values, is_b_transposed ? n : k, is_b_transposed ? k : n);
    if (tried.is_tf32) left = as_tf32(left), right = as_tf32(right);
    Numbers expected = product(m, n, k, left, is_a_transposed, right, is_b_transposed, Kind::f32);
    const Numbers old = c.rows(c.values, m, n), got = c.memory.read();
    for (size_t i = 0; i < expected.size(); i++) expected[i] = alpha * expected[i] + beta * old[i];
    close(name, c.rows(got, m, n), expected, tried.result == Kind::bf16 ? 1e-2 : 1e-6);
    bool is_kept = true; // what lies between the columns
    for (size_t i = 0; i < got.size(); i++)
        if ((int)i % c.leading >= m) is_kept &= got[i] == c.values[i];
    that(is_kept, name + " leaves alone what is between the columns");
}

void try_batch(cublasHandle_t cublas)
{
    const int n_batch = 3;
    const Numbers a = random_numbers(n_batch * m * k, Kind::f32);
    const Numbers b = random_numbers(k * n, Kind::f32); // one for all: stride 0
    Tensor on_a({n_batch, k, m}, Kind::f32, a), on_b({1, n, k}, Kind::f32, b);
    Tensor on_c({n_batch, n, m}, Kind::f32);
    const float one = 1, zero = 0;
    Numbers expected;

    cublasSetMathMode(cublas, CUBLAS_DEFAULT_MATH);
    that(cublasSgemmStridedBatched(cublas, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one,
                                   (float *)on_a.memory(), m, m * k, (float *)on_b.memory(), k, 0,
                                   &zero, (float *)on_c.memory(), m, m * n,
                                   n_batch) == CUBLAS_STATUS_SUCCESS,
         "a batch is computed");
    for (int batch = 0; batch < n_batch; batch++) {
        // By rows, all are transposed: c^T = b^T a^T.
        const Numbers one_a(a.begin() + batch * m * k, a.begin() + (batch + 1) * m * k);
        const Numbers one_c = product(n, m, k, b, false, one_a, false, Kind::f32);
        expected.insert(expected.end(), one_c.begin(), one_c.end());
    }
    close("a batch", on_c.read(), expected, 1e-6);
}

// A sound 4 x 4 product of bf16 or fp32, in which a refusal changes one thing.
struct Call {
    int m = 4, n = 4, k = 4, lda = 4, ldb = 4, ldc = 4;
    cudaDataType a_type = CUDA_R_32F, b_type = CUDA_R_32F, c_type = CUDA_R_32F;
    cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
    void *a, *b, *c;

    cublasStatus_t run(cublasHandle_t cublas) const
    {
        const float one = 1, zero = 0;
        return cublasGemmEx(cublas, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, a_type, lda, b,
                            b_type, ldb, &zero, c, c_type, ldc, compute, CUBLAS_GEMM_DEFAULT);
    }
};

template <class Change>
void refused(cublasHandle_t cublas, Call call, const std::string &name, cublasStatus_t expected,
             Change change)
{
    change(call);
    that(call.run(cublas) == expected, name + " is refused");
}

void refusals(cublasHandle_t cublas)
{
    const cublasStatus_t invalid = CUBLAS_STATUS_INVALID_VALUE;
    const cublasStatus_t unsupported = CUBLAS_STATUS_NOT_SUPPORTED;
    Tensor a({1, 4, 4}, Kind::f32), b({1, 4, 4}, Kind::f32), c({1, 4, 4}, Kind::f32);
    float host[16];
    Call call;
    void *elsewhere;

    cudaSetDevice(1);
    cudaMalloc(&elsewhere, 1 << 12);
    cudaSetDevice(0);
    call.a = a.memory(), call.b = b.memory(), call.c = c.memory();
    const auto try_one = [&](const std::string &name, cublasStatus_t expected, auto change) {
        refused(cublas, call, name, expected, change);
    };
    try_one("a leading dimension that is too small", invalid, [](Call &one) { one.ldb = 3; });
    try_one("a negative size", invalid, [](Call &one) { one.k = -1; });
    try_one("a matrix larger than its memory", invalid, [](Call &one) { one.n = 5; });
    try_one("memory of the host", invalid, [&](Call &one) { one.a = host; });
    try_one("memory of another device", invalid, [&](Call &one) { one.b = elsewhere; });
    try_one("a misaligned matrix", invalid, [](Call &one) { one.a = (char *)one.a + 2; });
    try_one("a result over a factor", invalid, [](Call &one) { one.c = one.b; });
    try_one("bf16 times fp32", unsupported, [](Call &one) { one.a_type = CUDA_R_16BF; });
    try_one("fp32 -> bf16", unsupported, [](Call &one) { one.c_type = CUDA_R_16BF; });
    try_one("TF32 on bf16", unsupported, [](Call &one) {
        one.a_type = one.b_type = CUDA_R_16BF;
        one.compute = CUBLAS_COMPUTE_32F_FAST_TF32;
    });
    that(call.run(cublas) == CUBLAS_STATUS_SUCCESS, "the same product, made right, is not");
    that(cublasSetWorkspace(cublas, host, sizeof host) == invalid,
         "a workspace of the host is refused");
    that(cublasSetWorkspace(cublas, (char *)elsewhere, 1 << 12) == invalid,
         "a workspace of another device is refused");
    that(cublasSetWorkspace(cublas, (char *)a.memory() + 16, 16) == invalid,
         "a misaligned workspace is refused");
    cudaFree(elsewhere);
}

void workspaces(cublasHandle_t cublas, cudaStream_t stream)
{
    Matrix a(m, k, Kind::f32), b(k, n, Kind::f32), c(m, n, Kind::f32);
    Tensor space({1, 1, 1024}, Kind::f32, Numbers(1024, 1.0));
    const float one = 1, zero = 0;
    const auto multiply = [&] {
        cublasSgemm(cublas, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, (float *)a.memory.memory(),
                    a.leading, (float *)b.memory.memory(), b.leading, &zero,
                    (float *)c.memory.memory(), c.leading);
        return space.read()[0];
    };

    that(cublasSetWorkspace(cublas, space.memory(), 4096) == CUBLAS_STATUS_SUCCESS,
         "a workspace is taken");
    cublasSetStream(cublas, stream);
    that(multiply() == 1, "a new stream gives the workspace back");
    cublasSetWorkspace(cublas, space.memory(), 4096);
    that(std::isnan(multiply()), "a product writes its workspace");
    cublasSetWorkspace(cublas, nullptr, 0);
}
} // namespace

int main()
{
    const cudaStream_t stream = new_stream();
    cublasHandle_t cublas;

    that(cublasCreate(&cublas) == CUBLAS_STATUS_SUCCESS &&
             cublasSetStream(cublas, stream) == CUBLAS_STATUS_SUCCESS,
         "cuBLAS opens");
    for (const Case &tried : cases)
        for (bool is_a_transposed : {false, true})
            for (bool is_b_transposed : {false, true})
                try_case(cublas, tried, is_a_transposed, is_b_transposed,
                         is_a_transposed ? 2.f : 0.f);
    try_batch(cublas);
    refusals(cublas);
    workspaces(cublas, stream);
    cublasDestroy(cublas);
    that(cublasSetStream(cublas, stream) == CUBLAS_STATUS_NOT_INITIALIZED,
         "a closed handle is refused");
    return status();
}
