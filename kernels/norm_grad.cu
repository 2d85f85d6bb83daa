/* Batch norm's gradient, through pools, ReLU and norm. With x^ = (x - mean) / std, g the gradient
 * through ReLU and N places: grad bias = sum g, grad weight = sum g x^, and
 * grad x = weight / std * (g - (grad bias + x^ grad weight) / N).
 * Two passes over src and the gradients that come in. Times as in norm.cu. */
#include "norm.cuh"

/* The gradient of V channels of a place of dst: its own, and what the pools spread over it. */
template <class T, int V>
static __device__ __forceinline__ pack<V> grad_at(const adn_k_norm_grad &a, unsigned p,
                                                  size_t channel)
{
    const T *grad_dst = (const T *)a.grad_dst, *grad_max = (const T *)a.grad_max;
    const T *grad_avg = (const T *)a.grad_avg;
    const size_t c = (size_t)a.c;
    pack<V> g = {};

    if (grad_dst != NULL) g = load<V>(grad_dst + p * c + channel);
    if (grad_max == NULL && grad_avg == NULL) return g;
    const unsigned y = p / (unsigned)a.w, x = p % (unsigned)a.w; /* y over the whole batch */
    if (grad_max != NULL) {
        const size_t from = (y / 2 * ((size_t)a.w / 2) + x / 2) * c + channel;
        const pack<V> m = load<V>(grad_max + from);
        const taps<V> t = load_taps<V>(a.index + from);
        const unsigned tap = y % 2 * 2 + x % 2;
#pragma unroll
        for (int i = 0; i < V; i++)
            if (t.x[i] == tap) g.x[i] += m.x[i];
    }
    if (grad_avg != NULL) {
        const unsigned high = (unsigned)(a.h / a.avg_h), wide = (unsigned)(a.w / a.avg_w);
        const size_t from = (y / high * (size_t)a.avg_w + x / wide) * c + channel;
        const pack<V> m = load<V>(grad_avg + from);
#pragma unroll
        for (int i = 0; i < V; i++) g.x[i] += m.x[i] / (float)(high * wide);
    }
    return g;
}

/* Through ReLU, whose mask is that of dst. */
template <int V>
static __device__ __forceinline__ float through(const normer<V> &norm, float x_hat, float g, int i)
{
    return norm.has_relu && norm.linear(x_hat, i) <= 0 ? 0 : g;
}

/* Phase 1 of the sums of g and of g x^ (common.cuh: sum_rows). Read: src, grad_dst, and of pools a
 * quarter and a byte an element of it. Ten operations an element. 40.1 us with grad_dst alone. */
template <class T, int V>
static __global__ void norm_grad_sums_kernel(const adn_k_norm_grad a, size_t places,
                                             double *__restrict__ parts)
{
    const size_t c = (size_t)a.c, first = strip_channel<V>();
    const normer<V> norm(a, first < c ? first : 0);

    sum_rows<V, 2>(places, c, parts, [&](size_t p, size_t channel, pack<V>(&sum)[2]) {
        const pack<V> x = load<V>((const T *)a.src + p * c + channel);
        const pack<V> g = grad_at<T, V>(a, (unsigned)p, channel);
#pragma unroll
        for (int i = 0; i < V; i++) {
            const float x_hat = norm.x_hat(x.x[i], i), through_i = through(norm, x_hat, g.x[i], i);
            sum[0].x[i] += through_i;
            sum[1].x[i] += through_i * x_hat;
        }
    });
}

/* Phase 2: the parameters' gradients, and both sums over N: means [2][c]. */
static __global__ void norm_grad_add_kernel(const double *__restrict__ parts, size_t n_part,
                                            size_t places, size_t c,
                                            float *__restrict__ grad_weight,
                                            float *__restrict__ grad_bias,
                                            float *__restrict__ means)
{
    size_t channel;
    double total[2];

    if (!add_parts(parts, n_part, c, &channel, total)) return;
    grad_bias[channel] = (float)total[0];
    grad_weight[channel] = (float)total[1];
    means[channel] = (float)(total[0] / (double)places);
    means[c + channel] = (float)(total[1] / (double)places);
}

/* A thread owns V channels of every strip_stride()-th place: it reads all of an element's before it
 * writes it, so grad_src may lie where src or grad_dst does. Read as by the sums, written:
 * grad_src. 60.1 us. */
template <class T, int V>
static __global__ void norm_grad_src_kernel(const adn_k_norm_grad a, unsigned places,
                                            const float *__restrict__ means)
{
    const size_t c = (size_t)a.c, channel = strip_channel<V>();
    if (channel >= c) return;
    const normer<V> norm(a, channel);
    const pack<V> mean_g = load_each<V>(means + channel);
    const pack<V> mean_gx = load_each<V>(means + c + channel);

    for (unsigned p = (unsigned)strip_row(); p < places; p += (unsigned)strip_stride()) {
        const size_t at = p * c + channel;
        const pack<V> x = load<V>((const T *)a.src + at);
        pack<V> g = grad_at<T, V>(a, p, channel);
#pragma unroll
        for (int i = 0; i < V; i++) {
            const float x_hat = norm.x_hat(x.x[i], i), through_i = through(norm, x_hat, g.x[i], i);
            g.x[i] = norm.weight.x[i] * norm.inv_std.x[i] *
                     (through_i - (mean_g.x[i] + x_hat * mean_gx.x[i]));
        }
        store<V>((T *)a.grad_src + at, g);
    }
}

extern "C" size_t adn_k_norm_backward_workspace(size_t rows, size_t c)
{
    return 2 * sum_parts(rows, c) * c * sizeof(double) + 2 * c * sizeof(float);
}

extern "C" cudaError_t adn_k_norm_backward(const adn_k_norm_grad *a, void *workspace,
                                           cudaStream_t stream)
{
    const bool has_max = a->grad_max != NULL, has_avg = a->grad_avg != NULL;
    const size_t places = norm_places(a), c = (size_t)a->c, n_part = sum_parts(places, c);
    if (a->c == 0) return cudaSuccess;
    if (places > INT32_MAX || (has_max && (a->h % 2 != 0 || a->w % 2 != 0)))
        return cudaErrorInvalidValue;
    if (has_avg && (a->avg_h < 1 || a->avg_w < 1 || a->h % a->avg_h != 0 || a->w % a->avg_w != 0))
        return cudaErrorInvalidValue;
    const bool packed = is_packed(a->type, c) && is_aligned(a->src) && is_aligned(a->grad_dst) &&
                        is_aligned(a->grad_max) && is_aligned(a->grad_avg) &&
                        is_aligned(a->index) && is_aligned(a->grad_src);
    double *parts = (double *)workspace;
    float *means = (float *)(parts + 2 * n_part * c);

    return by_way(a->type, packed, [&](auto w) {
        typedef decltype(w) W;
        typedef typename W::T T;
        const strip sums = strip_of_parts(n_part, c, W::V);
        const strip map = strip_over(places, c, W::V);
        if (n_part > 0)
            norm_grad_sums_kernel<T, W::V><<<sums.grid, sums.block, 0, stream>>>(*a, places, parts);
        norm_grad_add_kernel<<<add_blocks(c), dim3(ADD_WIDTH, ADD_DEPTH), 0, stream>>>(
            parts, n_part, places, c, a->grad_weight, a->grad_bias, means);
        if (n_part > 0)
            norm_grad_src_kernel<T, W::V>
                <<<map.grid, map.block, 0, stream>>>(*a, (unsigned)places, means);
    });
}
