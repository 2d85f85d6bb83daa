// Products: a tiled matrix product, and dot products of bytes.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "check.h"

const int TILE = 16;

// c = a b; a block a tile of c, tiles of a and b in shared memory (one column more: no bank
// conflicts).
static __global__ void gemm_kernel(const float *a, const float *b, float *c, int m, int n, int k)
{
    __shared__ float tile_a[TILE][TILE + 1], tile_b[TILE][TILE + 1];
    int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
    float sum = 0;
    for (int begin = 0; begin < k; begin += TILE) {
        int col_a = begin + threadIdx.x, row_b = begin + threadIdx.y;
        tile_a[threadIdx.y][threadIdx.x] = row < m && col_a < k ? a[row * k + col_a] : 0;
        tile_b[threadIdx.y][threadIdx.x] = row_b < k && col < n ? b[row_b * n + col] : 0;
        __syncthreads();
        for (int i = 0; i < TILE; i++) sum += tile_a[threadIdx.y][i] * tile_b[i][threadIdx.x];
        __syncthreads();
    }
    if (row < m && col < n) c[row * n + col] = sum;
}

CHECK(product_of_matrices_by_tiles)
{
    const int m = 50, n = 37, k = 70;
    auto a = check::random_normal(m * k), b = check::random_normal(k * n);
    check::Buffer<float> dev_a(a), dev_b(b), dev_c(m * n);
    gemm_kernel<<<dim3((n + TILE - 1) / TILE, (m + TILE - 1) / TILE), dim3(TILE, TILE)>>>(
        dev_a, dev_b, dev_c, m, n, k);

    auto c = dev_c.get();
    double error = 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++) sum += static_cast<double>(a[i * k + l]) * b[l * n + j];
            error = std::max(error, std::fabs(sum - c[i * n + j]));
        }
    check::expect(error <= 1e-4, "error %g", error);
}

static __global__ void dot4_kernel(const int *a, const int *b, int n, int *out)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = __dp4a(a[i], b[i], 7);
}

static int random_word()
{
    return check::random_int(1 << 16) |
           static_cast<int>(static_cast<unsigned>(check::random_int(1 << 16)) << 16);
}

CHECK(dot_products_of_bytes)
{
    const int n = 1000;
    std::vector<int> a(n), b(n), ref(n, 7);
    for (int i = 0; i < n; i++) {
        a[i] = random_word();
        b[i] = random_word();
        for (int k = 0; k < 4; k++)
            ref[i] += static_cast<int8_t>(a[i] >> 8 * k) * static_cast<int8_t>(b[i] >> 8 * k);
    }
    check::Buffer<int> dev_a(a), dev_b(b), dev_out(n);
    dot4_kernel<<<8, 128>>>(dev_a, dev_b, n, dev_out);
    check::expect(dev_out.get() == ref, "a product differs");
}
