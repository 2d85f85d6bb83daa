/* Element-wise operations. A thread owns 16 bytes of elements of every array, or one element, and
 * strides over the rest; neighbours own neighbours. Times are of [128, 32, 32, 128] in fp32, 67 MB
 * an array, on an H100 of 3.35 TB/s: computed from bytes, not measured. */
#include "common.cuh"

/* The thread's first pack, and how far its next one is. */
static __device__ __forceinline__ size_t flat_first()
{
    return (size_t)blockIdx.x * BLOCK + threadIdx.x;
}

static __device__ __forceinline__ size_t flat_stride()
{
    return (size_t)gridDim.x * BLOCK;
}

/* Calls each(element, width): the packs of V, then what is left of n one by one. */
template <int V, class F> static __device__ __forceinline__ void flat_each(size_t n, F each)
{
    const size_t n_pack = n / V;
    for (size_t k = flat_first(); k < n_pack; k += flat_stride()) each(k * V, way<void, V>());
    for (size_t k = n_pack * V + flat_first(); k < n; k += flat_stride()) each(k, way<void, 1>());
}

/* ---- activations ---- */

/* Read n, written n elements. 40.1 us. */
template <class T, int V>
static __global__ void relu_kernel(const T *__restrict__ src, T *__restrict__ dst, size_t n)
{
    flat_each<V>(n, [=](size_t k, auto w) {
        constexpr int N = decltype(w)::V;
        pack<N> x = load<N>(src + k);
#pragma unroll
        for (int i = 0; i < N; i++) x.x[i] = relu(x.x[i]);
        store<N>(dst + k, x);
    });
}

extern "C" cudaError_t adn_k_relu(adn_k_type type, const void *src, void *dst, size_t n,
                                  cudaStream_t stream)
{
    if (n == 0) return cudaSuccess;
    return by_way(type, is_aligned(src) && is_aligned(dst), [&](auto w) {
        typedef decltype(w) W;
        typedef typename W::T T;
        relu_kernel<T, W::V>
            <<<flat_blocks(ceil_div(n, W::V)), BLOCK, 0, stream>>>((const T *)src, (T *)dst, n);
    });
}

/* Read 2 n, written n elements; grad_src may be grad_dst. 60.1 us. */
template <class T, int V>
static __global__ void relu_grad_kernel(const T *__restrict__ dst, const T *grad_dst, T *grad_src,
                                        size_t n)
{
    flat_each<V>(n, [=](size_t k, auto w) {
        constexpr int N = decltype(w)::V;
        const pack<N> y = load<N>(dst + k);
        pack<N> g = load<N>(grad_dst + k);
#pragma unroll
        for (int i = 0; i < N; i++) g.x[i] = y.x[i] <= 0 ? 0 : g.x[i];
        store<N>(grad_src + k, g);
    });
}

extern "C" cudaError_t adn_k_relu_grad(adn_k_type type, const void *dst, const void *grad_dst,
                                       void *grad_src, size_t n, cudaStream_t stream)
{
    if (n == 0) return cudaSuccess;
    const bool packed = is_aligned(dst) && is_aligned(grad_dst) && is_aligned(grad_src);
    return by_way(type, packed, [&](auto w) {
        typedef decltype(w) W;
        typedef typename W::T T;
        relu_grad_kernel<T, W::V><<<flat_blocks(ceil_div(n, W::V)), BLOCK, 0, stream>>>(
            (const T *)dst, (const T *)grad_dst, (T *)grad_src, n);
    });
}

/* Read 2 n, written n elements; dst may be a. 60.1 us. */
template <class T, int V>
static __global__ void add_kernel(const T *a, const T *__restrict__ b, T *dst, bool has_relu,
                                  size_t n)
{
    flat_each<V>(n, [=](size_t k, auto w) {
        constexpr int N = decltype(w)::V;
        const pack<N> y = load<N>(b + k);
        pack<N> x = load<N>(a + k);
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float sum = x.x[i] + y.x[i];
            x.x[i] = has_relu ? relu(sum) : sum;
        }
        store<N>(dst + k, x);
    });
}

extern "C" cudaError_t adn_k_add(adn_k_type type, const void *a, const void *b, void *dst, int relu,
                                 size_t n, cudaStream_t stream)
{
    if (n == 0) return cudaSuccess;
    return by_way(type, is_aligned(a) && is_aligned(b) && is_aligned(dst), [&](auto w) {
        typedef decltype(w) W;
        typedef typename W::T T;
        add_kernel<T, W::V><<<flat_blocks(ceil_div(n, W::V)), BLOCK, 0, stream>>>(
            (const T *)a, (const T *)b, (T *)dst, relu != 0, n);
    });
}

/* A thread owns V channels of every strip_stride()-th row. Read and written: rows c elements. Of a
 * linear layer's [128, 1024] in fp32: 1 MB, 0.3 us. */
template <class T, int V>
static __global__ void add_bias_kernel(T *dst, const float *__restrict__ bias, size_t rows,
                                       size_t c)
{
    const size_t channel = strip_channel<V>();
    if (channel >= c) return;
    const pack<V> b = load_each<V>(bias + channel);

    for (size_t row = strip_row(); row < rows; row += strip_stride()) {
        pack<V> x = load<V>(dst + row * c + channel);
#pragma unroll
        for (int i = 0; i < V; i++) x.x[i] += b.x[i];
        store<V>(dst + row * c + channel, x);
    }
}

extern "C" cudaError_t adn_k_add_bias(adn_k_type type, void *dst, const float *bias, size_t rows,
                                      size_t c, cudaStream_t stream)
{
    if (rows == 0 || c == 0) return cudaSuccess;
    return by_way(type, is_packed(type, c) && is_aligned(dst), [&](auto w) {
        typedef decltype(w) W;
        const strip s = strip_over(rows, c, W::V);
        add_bias_kernel<typename W::T, W::V>
            <<<s.grid, s.block, 0, stream>>>((typename W::T *)dst, bias, rows, c);
    });
}

/* ---- types ---- */

/* Four elements a thread: 16 bytes there, 8 here. */
constexpr int CAST = 4;

/* Read 4 n, written 2 n bytes: 30.1 us. */
template <int V>
static __global__ void narrow_kernel(const float *__restrict__ src, bf16 *__restrict__ dst,
                                     size_t n)
{
    flat_each<V>(n, [=](size_t k, auto w) {
        constexpr int N = decltype(w)::V;
        const pack<N> x = load<N>(src + k);
        if constexpr (N == 1)
            put_one(dst + k, x.x[0]);
        else
            *reinterpret_cast<uint2 *>(dst + k) =
                make_uint2(bf16_bits(x.x[0]) | bf16_bits(x.x[1]) << 16,
                           bf16_bits(x.x[2]) | bf16_bits(x.x[3]) << 16);
    });
}

extern "C" cudaError_t adn_k_narrow(const float *src, void *dst, size_t n, cudaStream_t stream)
{
    if (n == 0) return cudaSuccess;
    const bool packed = is_aligned(src) && is_aligned(dst);
    const unsigned blocks = flat_blocks(packed ? ceil_div(n, CAST) : n);
    (packed ? narrow_kernel<CAST> : narrow_kernel<1>)<<<blocks, BLOCK, 0, stream>>>(src,
                                                                                    (bf16 *)dst, n);
    return cudaGetLastError();
}

/* Read 2 n, written 4 n bytes: 30.1 us. */
template <int V>
static __global__ void widen_kernel(const bf16 *__restrict__ src, float *__restrict__ dst, size_t n)
{
    flat_each<V>(n, [=](size_t k, auto w) {
        constexpr int N = decltype(w)::V;
        if constexpr (N == 1) {
            dst[k] = one(src + k);
        } else {
            const uint2 raw = *reinterpret_cast<const uint2 *>(src + k);
            store<N>(dst + k,
                     pack<N>{{__uint_as_float(raw.x << 16), __uint_as_float(raw.x & 0xffff0000),
                              __uint_as_float(raw.y << 16), __uint_as_float(raw.y & 0xffff0000)}});
        }
    });
}

extern "C" cudaError_t adn_k_widen(const void *src, float *dst, size_t n, cudaStream_t stream)
{
    if (n == 0) return cudaSuccess;
    const bool packed = is_aligned(src) && is_aligned(dst);
    const unsigned blocks = flat_blocks(packed ? ceil_div(n, CAST) : n);
    (packed ? widen_kernel<CAST> : widen_kernel<1>)<<<blocks, BLOCK, 0, stream>>>((const bf16 *)src,
                                                                                  dst, n);
    return cudaGetLastError();
}

/* ---- pixels ---- */

struct colours {
    float mean[ADN_K_PIXEL_CHANNELS], std[ADN_K_PIXEL_CHANNELS];
};

/* A thread owns V elements: V bytes there, 16 here, of channels that turn with the pack. C is
 * known here so that k % C is a multiplication. Read n bytes, written n elements: of [128, 32, 32,
 * 3] in fp32 2 MB, 0.6 us. */
template <class T, int V, int C>
static __global__ void normalise_kernel(const unsigned char *__restrict__ src, T *__restrict__ dst,
                                        size_t n, const colours of)
{
    flat_each<V>(n, [=](size_t k, auto w) {
        constexpr int N = decltype(w)::V;
        const taps<N> byte = load_taps<N>(src + k);
        const unsigned first = (unsigned)(k % C);
        pack<N> x;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const unsigned channel = (first + (unsigned)i) % C;
            float mean = of.mean[0], std = of.std[0];
#pragma unroll
            for (unsigned c = 1; c < C; c++) { /* chosen, not indexed: they stay in registers */
                mean = channel == c ? of.mean[c] : mean;
                std = channel == c ? of.std[c] : std;
            }
            x.x[i] = ((float)byte.x[i] / 255 - mean) / std;
        }
        store<N>(dst + k, x);
    });
}

extern "C" cudaError_t adn_k_normalise(adn_k_type type, const unsigned char *src, void *dst,
                                       size_t n, int c, const float *mean, const float *std,
                                       cudaStream_t stream)
{
    if (c < 1 || c > ADN_K_PIXEL_CHANNELS) return cudaErrorInvalidValue;
    if (n == 0) return cudaSuccess;
    const size_t count = n * (size_t)c;
    colours of = {};
    for (int i = 0; i < c; i++) {
        of.mean[i] = mean[i];
        of.std[i] = std[i];
    }

    return by_way(type, is_aligned(src) && is_aligned(dst), [&](auto w) {
        typedef decltype(w) W;
        typedef typename W::T T;
        void (*const kernels[])(const unsigned char *, T *, size_t, colours) = {
            normalise_kernel<T, W::V, 1>, normalise_kernel<T, W::V, 2>,
            normalise_kernel<T, W::V, 3>, normalise_kernel<T, W::V, 4>};
        kernels[c - 1]<<<flat_blocks(ceil_div(count, W::V)), BLOCK, 0, stream>>>(src, (T *)dst,
                                                                                 count, of);
    });
}
