/* Sums over rows: the gradients of biases. */
#include "common.cuh"

/* A thread owns V channels of every strip_stride()-th row of its part, a block one part
 * (common.cuh: sum_rows). Read: rows c elements; written: parts c doubles, at most a 64th of the
 * rows. One addition an element. [131072, 128] in fp32 (a batch of 128 maps of 32x32): 67 MB, 20.0
 * us on an H100 of 3.35 TB/s (computed, not measured). */
template <class T, int V>
static __global__ void column_sums_kernel(const T *__restrict__ src, size_t rows, size_t c,
                                          double *__restrict__ parts)
{
    sum_rows<V, 1>(rows, c, parts, [=](size_t row, size_t channel, pack<V>(&sum)[1]) {
        const pack<V> x = load<V>(src + row * c + channel);
#pragma unroll
        for (int i = 0; i < V; i++) sum[0].x[i] += x.x[i];
    });
}

/* ADD_DEPTH threads own a channel. Read: parts c doubles: 512 KB there, 0.2 us (computed). */
static __global__ void column_sums_add_kernel(const double *__restrict__ parts, size_t n_part,
                                              size_t c, float *__restrict__ sums)
{
    size_t channel;
    double total[1];
    if (add_parts(parts, n_part, c, &channel, total)) sums[channel] = (float)total[0];
}

extern "C" size_t adn_k_column_sums_workspace(size_t rows, size_t c)
{
    return sum_parts(rows, c) * c * sizeof(double);
}

extern "C" cudaError_t adn_k_column_sums(adn_k_type type, const void *src, size_t rows, size_t c,
                                         float *sums, void *workspace, cudaStream_t stream)
{
    if (c == 0) return cudaSuccess;
    const size_t n_part = sum_parts(rows, c);
    double *parts = (double *)workspace;
    cudaError_t e = cudaSuccess;

    if (n_part > 0)
        e = by_way(type, is_packed(type, c) && is_aligned(src), [&](auto w) {
            typedef decltype(w) W;
            const strip s = strip_of_parts(n_part, c, W::V);
            column_sums_kernel<typename W::T, W::V>
                <<<s.grid, s.block, 0, stream>>>((const typename W::T *)src, rows, c, parts);
        });
    if (e != cudaSuccess) return e;
    column_sums_add_kernel<<<add_blocks(c), dim3(ADD_WIDTH, ADD_DEPTH), 0, stream>>>(parts, n_part,
                                                                                     c, sums);
    return cudaGetLastError();
}
