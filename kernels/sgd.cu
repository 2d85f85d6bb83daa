/* SGD over a flat array in one pass, in PyTorch's order of operations. */
#include "common.cuh"

template <int V>
static __device__ __forceinline__ void step(const adn_k_sgd &how, float *weight, float *momentum,
                                            const float *grad)
{
    const pack<V> g = load<V>(grad);
    pack<V> w = load<V>(weight), m = {};

    if (!how.is_first) m = load<V>(momentum);
#pragma unroll
    for (int i = 0; i < V; i++) {
        const float by = g.x[i] + how.decay * w.x[i];
        m.x[i] = how.is_first ? by : how.momentum * m.x[i] + by;
        w.x[i] -= how.lr * (how.nesterov ? by + how.momentum * m.x[i] : m.x[i]);
    }
    store<V>(momentum, m);
    store<V>(weight, w);
}

/* A thread owns 16 bytes of each array, or one element, and strides over the rest. Read 12 n,
 * written 8 n bytes, seven operations an element: 25 million parameters 500 MB, 149 us on an H100
 * of 3.35 TB/s (computed, not measured). Nothing is read but halt once that is set. */
template <int V>
static __global__ void sgd_kernel(const adn_k_sgd how, float *__restrict__ weight,
                                  float *__restrict__ momentum, const float *__restrict__ grad,
                                  const int32_t *__restrict__ halt, size_t n)
{
    const size_t first = (size_t)blockIdx.x * BLOCK + threadIdx.x,
                 stride = (size_t)gridDim.x * BLOCK;
    const size_t n_pack = n / V;

    if (*halt != 0) return;
    for (size_t k = first; k < n_pack; k += stride)
        step<V>(how, weight + k * V, momentum + k * V, grad + k * V);
    for (size_t k = n_pack * V + first; k < n; k += stride)
        step<1>(how, weight + k, momentum + k, grad + k);
}

extern "C" cudaError_t adn_k_sgd_step(const adn_k_sgd *how, float *weight, float *momentum,
                                      const float *grad, const int32_t *halt, size_t n,
                                      cudaStream_t stream)
{
    if (n == 0) return cudaSuccess;
    const bool packed = is_aligned(weight) && is_aligned(momentum) && is_aligned(grad);
    const unsigned blocks = flat_blocks(packed ? ceil_div(n, PACK<float>) : n);
    (packed ? sgd_kernel<PACK<float>>
            : sgd_kernel<1>)<<<blocks, BLOCK, 0, stream>>>(*how, weight, momentum, grad, halt, n);
    return cudaGetLastError();
}
