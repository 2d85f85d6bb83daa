#include "gemm.h"
#include "../common/machine.h"
#include "../common/product.h"
#include "../common/race.h"
#include "../common/values.h"
#include <algorithm>
#include <cstring>

namespace lab
{
namespace
{
char *start_of(const Matrix &matrix, int64_t batch)
{
    const int64_t n_bytes = bits_of(number_of(matrix.type)) / 8;

    return (char *)matrix.start + batch * matrix.batch_stride * n_bytes;
}

// f(column in memory, index, its bytes)
template <class F>
void for_each_column(const Matrix &matrix, const Stored &shape, int64_t batch, F f)
{
    const int64_t n_bytes = bits_of(number_of(matrix.type)) / 8;
    char *start = start_of(matrix, batch);

    for (int64_t j = 0; j < shape.n_cols; j++)
        f(start + j * matrix.leading * n_bytes, j, (size_t)(shape.n_rows * n_bytes));
}

// By columns, as it lies, without what is between them.
Values read_matrix(const Matrix &matrix, const Stored &shape, int64_t batch, bool is_tf32)
{
    Values values((size_t)(shape.n_rows * shape.n_cols));

    for_each_column(matrix, shape, batch, [&](char *column, int64_t j, size_t n_bytes) {
        tell_read(column, n_bytes);
        load_run(column, number_of(matrix.type), shape.n_rows, values.data() + j * shape.n_rows);
    });
    if (is_tf32)
        for (double &value : values) value = rounded_to_tf32(value);
    return values;
}

void write_matrix(const Matrix &matrix, const Stored &shape, int64_t batch, const Values &values)
{
    for_each_column(matrix, shape, batch, [&](char *column, int64_t j, size_t n_bytes) {
        tell_write(column, n_bytes);
        store_run(column, number_of(matrix.type), shape.n_rows, values.data() + j * shape.n_rows);
    });
}

// [rows, cols] -> [cols, rows]
Values turned(const Values &values, int64_t n_rows, int64_t n_cols)
{
    Values result(values.size());

    for (int64_t i = 0; i < n_rows; i++)
        for (int64_t j = 0; j < n_cols; j++)
            result[(size_t)(j * n_rows + i)] = values[(size_t)(i * n_cols + j)];
    return result;
}

void run_one(const Gemm &gemm, int64_t batch)
{
    const Stored a_shape = stored(gemm.a, gemm.m, gemm.k);
    const Stored b_shape = stored(gemm.b, gemm.k, gemm.n);
    const Stored c_shape = {gemm.m, gemm.n};
    Values a = read_matrix(gemm.a, a_shape, batch, gemm.is_tf32);
    const Values b = read_matrix(gemm.b, b_shape, batch, gemm.is_tf32);
    Values c((size_t)(gemm.m * gemm.n), 0.0);

    // By rows, these are the transposed matrices: c^T = op(b)^T * op(a)^T, whose right factor must
    // lie [k, m].
    if (gemm.a.is_transposed) a = turned(a, gemm.m, gemm.k);
    const Left left = gemm.b.is_transposed ? Left{b.data(), 1, gemm.n} : Left{b.data(), gemm.k, 1};
    add_product(gemm.n, gemm.m, gemm.k, left, a.data(), gemm.m, c.data(), gemm.m);
    for (double &value : c) value *= gemm.alpha;
    if (gemm.beta != 0) {
        const Values old = read_matrix(gemm.c, c_shape, batch, false);
        for (size_t i = 0; i < c.size(); i++) c[i] += gemm.beta * old[i];
    }
    write_matrix(gemm.c, c_shape, batch, c);
}
} // namespace

Number number_of(cudaDataType type)
{
    switch (type) {
    case CUDA_R_32F:
        return Number::f32;
    case CUDA_R_64F:
        return Number::f64;
    case CUDA_R_16F:
        return Number::f16;
    case CUDA_R_16BF:
        return Number::bf16;
    default:
        return Number::none;
    }
}

Stored stored(const Matrix &matrix, int64_t n_rows, int64_t n_cols)
{
    if (matrix.is_transposed) return {n_cols, n_rows};
    return {n_rows, n_cols};
}

void run_gemm(const Gemm &gemm)
{
    demand_device("labcublas", gemm.device);
    // Two streams that share a workspace must be ordered. Its beginning shows it: all of the usual
    // 32 MiB would cost ThreadSanitizer more than the product.
    const size_t n_shown = std::min(gemm.workspace_bytes, (size_t)1 << 16);
    if (n_shown > 0) {
        tell_write(gemm.workspace, n_shown);
        memset(gemm.workspace, 0xFF, n_shown);
    }
    for (int64_t batch = 0; batch < gemm.n_batch; batch++) run_one(gemm, batch);
}
} // namespace lab
