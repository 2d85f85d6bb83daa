/* Pools forward, and their gradients gathered: each place of src sums what the windows over it
 * send, in the plain loops' order, so that nothing is added by two threads. Times are computed for
 * an H100 of 3.35 TB/s, not measured. */
#include "common.cuh"

/* Rows [from, to); columns likewise. */
struct span {
    int from, to;
};

/* Of src under row `at` of dst. No window sticks out: dst has no row for one that does. */
static __device__ __forceinline__ span window(const adn_k_pool &p, int at, int n_src, int n_dst)
{
    if (p.kind != ADN_K_POOL_ADAPTIVE) return {at * p.stride, at * p.stride + p.kernel};
    return {at * n_src / n_dst, ((at + 1) * n_src + n_dst - 1) / n_dst};
}

/* Of dst whose windows hold row `at` of src. */
static __device__ __forceinline__ span windows_over(const adn_k_pool &p, int at, int n_src,
                                                    int n_dst)
{
    if (p.kind == ADN_K_POOL_ADAPTIVE)
        return {at * n_dst / n_src, ((at + 1) * n_dst + n_src - 1) / n_src};
    const int from = at < p.kernel ? 0 : (at - p.kernel) / p.stride + 1, last = at / p.stride;
    return {from, last < n_dst ? last + 1 : n_dst};
}

/* A thread owns V channels of an element of dst. Read: src, whole where windows tile it (of stride
 * 1 the caches serve kernel^2 reads an element); written: dst and a byte an element of it. 2x2
 * maxima of [128, 32, 32, 128] in fp32: 88 MB, 26.3 us. */
template <class T, int V>
static __global__ void pool_forward_kernel(const adn_k_pool p, const T *__restrict__ src,
                                           T *__restrict__ dst, unsigned char *__restrict__ index,
                                           unsigned places)
{
    const size_t c = (size_t)p.c, channel = strip_channel<V>();
    const bool is_max = p.kind == ADN_K_POOL_MAX;
    if (channel >= c) return;

    for (unsigned k = (unsigned)strip_row(); k < places; k += (unsigned)strip_stride()) {
        const unsigned row = k / (unsigned)p.dst_w, n = row / (unsigned)p.dst_h;
        const span rows = window(p, (int)(row % (unsigned)p.dst_h), p.src_h, p.dst_h);
        const span cols = window(p, (int)(k % (unsigned)p.dst_w), p.src_w, p.dst_w);
        const T *map = src + (size_t)n * (size_t)p.src_h * (size_t)p.src_w * c + channel;
        pack<V> best;
        taps<V> which;
#pragma unroll
        for (int i = 0; i < V; i++) {
            best.x[i] = is_max ? -INFINITY : 0;
            which.x[i] = 0;
        }
        for (int y = rows.from; y < rows.to; y++)
            for (int x = cols.from; x < cols.to; x++) {
                const pack<V> s = load<V>(map + ((size_t)y * (size_t)p.src_w + (size_t)x) * c);
                const unsigned tap = (unsigned)((y - rows.from) * p.kernel + x - cols.from);
#pragma unroll
                for (int i = 0; i < V; i++) {
                    if (!is_max) {
                        best.x[i] += s.x[i];
                    } else if (s.x[i] > best.x[i] || isnan(s.x[i])) {
                        best.x[i] = s.x[i];
                        which.x[i] = tap;
                    }
                }
            }
        if (!is_max) {
            const float size = (float)((rows.to - rows.from) * (cols.to - cols.from));
#pragma unroll
            for (int i = 0; i < V; i++) best.x[i] /= size;
        }
        store<V>(dst + k * c + channel, best);
        if (is_max && index != NULL) store_taps<V>(index + k * c + channel, which);
    }
}

/* A thread owns V channels of a place of src. Read: grad_dst and its indices, once where windows
 * tile; written: grad_src. 26.3 us as above. */
template <class T, int V>
static __global__ void pool_backward_kernel(const adn_k_pool p, const T *__restrict__ grad_dst,
                                            const unsigned char *__restrict__ index,
                                            T *__restrict__ grad_src, unsigned places)
{
    const size_t c = (size_t)p.c, channel = strip_channel<V>();
    if (channel >= c) return;

    for (unsigned k = (unsigned)strip_row(); k < places; k += (unsigned)strip_stride()) {
        const unsigned row = k / (unsigned)p.src_w, n = row / (unsigned)p.src_h;
        const int src_y = (int)(row % (unsigned)p.src_h), src_x = (int)(k % (unsigned)p.src_w);
        const span rows = windows_over(p, src_y, p.src_h, p.dst_h);
        const span cols = windows_over(p, src_x, p.src_w, p.dst_w);
        pack<V> g = {};
        for (int y = rows.from; y < rows.to; y++)
            for (int x = cols.from; x < cols.to; x++) {
                const span wy = window(p, y, p.src_h, p.dst_h), wx = window(p, x, p.src_w, p.dst_w);
                const size_t at =
                    (((size_t)n * (size_t)p.dst_h + (size_t)y) * (size_t)p.dst_w + (size_t)x) * c +
                    channel;
                const pack<V> d = load<V>(grad_dst + at);
                if (p.kind == ADN_K_POOL_MAX) {
                    const taps<V> t = load_taps<V>(index + at);
                    const unsigned tap = (unsigned)((src_y - wy.from) * p.kernel + src_x - wx.from);
#pragma unroll
                    for (int i = 0; i < V; i++)
                        if (t.x[i] == tap) g.x[i] += d.x[i];
                } else {
                    const float size = (float)((wy.to - wy.from) * (wx.to - wx.from));
#pragma unroll
                    for (int i = 0; i < V; i++) g.x[i] += d.x[i] / size;
                }
            }
        store<V>(grad_src + k * c + channel, g);
    }
}

static size_t count_of(int n, int h, int w)
{
    return (size_t)n * (size_t)h * (size_t)w;
}

/* No sense, or more places than the kernels count; an index must fit its byte. */
static bool is_wrong(const adn_k_pool *p)
{
    if (count_of(p->n, p->src_h, p->src_w) > INT32_MAX) return true;
    if (count_of(p->n, p->dst_h, p->dst_w) > INT32_MAX) return true;
    return p->kind != ADN_K_POOL_ADAPTIVE && (p->kernel < 1 || p->kernel > 16 || p->stride < 1);
}

static bool is_pool_packed(const adn_k_pool *p, const void *a, const void *b, const void *index)
{
    return is_packed(p->type, (size_t)p->c) && is_aligned(a) && is_aligned(b) && is_aligned(index);
}

extern "C" cudaError_t adn_k_pool_forward(const adn_k_pool *p, const void *src, void *dst,
                                          unsigned char *index, cudaStream_t stream)
{
    const size_t places = count_of(p->n, p->dst_h, p->dst_w), c = (size_t)p->c;
    if (places == 0 || c == 0) return cudaSuccess;
    if (is_wrong(p)) return cudaErrorInvalidValue;
    return by_way(p->type, is_pool_packed(p, src, dst, index), [&](auto w) {
        typedef decltype(w) W;
        typedef typename W::T T;
        const strip s = strip_over(places, c, W::V);
        pool_forward_kernel<T, W::V>
            <<<s.grid, s.block, 0, stream>>>(*p, (const T *)src, (T *)dst, index, (unsigned)places);
    });
}

extern "C" cudaError_t adn_k_pool_backward(const adn_k_pool *p, const void *grad_dst,
                                           const unsigned char *index, void *grad_src,
                                           cudaStream_t stream)
{
    const size_t places = count_of(p->n, p->src_h, p->src_w), c = (size_t)p->c;
    if (places == 0 || c == 0) return cudaSuccess;
    if (is_wrong(p) || (p->kind == ADN_K_POOL_MAX && index == NULL)) return cudaErrorInvalidValue;
    return by_way(p->type, is_pool_packed(p, grad_dst, grad_src, index), [&](auto w) {
        typedef decltype(w) W;
        typedef typename W::T T;
        const strip s = strip_over(places, c, W::V);
        pool_backward_kernel<T, W::V><<<s.grid, s.block, 0, stream>>>(
            *p, (const T *)grad_dst, index, (T *)grad_src, (unsigned)places);
    });
}
