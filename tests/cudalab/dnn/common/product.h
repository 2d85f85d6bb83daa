// The one inner loop: c += a * b in doubles. Convolutions, matmul and cuBLAS are made of it.
#pragma once
#include <cstdint>

namespace lab
{
// Element (i, d) lies at start[i * row_stride + d * depth_stride]: transposed or not, strided or
// not.
struct Left {
    const double *start;
    int64_t row_stride;
    int64_t depth_stride;
};

// c: [n_rows, n_cols], row i at c + i * c_stride; b: [depth, n_cols], row d at b + d * b_stride.
// Rows of c must not overlap; rows of a and b may, as those of a convolution's windows do.
void add_product(int64_t n_rows, int64_t n_cols, int64_t depth, Left a, const double *b,
                 int64_t b_stride, double *c, int64_t c_stride);
} // namespace lab
