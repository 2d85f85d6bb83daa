/* Batch norm forward: moments, statistics, then (x - mean) * inv_std * weight + bias with ReLU and
 * the pools behind it. norm_grad.cu goes back. Times are of one shape on an H100 of 3.35 TB/s,
 * computed from bytes and not measured: [128, 32, 32, 128] in fp32, 67 MB a map. */
#include "norm.cuh"

/* ---- moments ---- */

/* Sums of x - pivot and of its square, where the pivot is the channel's first element: the square
 * of a large mean would leave floats no room for a small variance. A thread owns V channels of its
 * part's rows, a block one part (common.cuh: sum_rows). Read: rows c elements; written: 2 parts c
 * doubles. Four operations an element. 20.0 us. */
template <class T, int V>
static __global__ void moments_kernel(const T *__restrict__ src, size_t rows, size_t c,
                                      double *__restrict__ parts)
{
    const size_t first = strip_channel<V>();
    pack<V> pivot = {};

    if (first < c) pivot = load<V>(src + first);
    sum_rows<V, 2>(rows, c, parts, [=](size_t row, size_t channel, pack<V>(&sum)[2]) {
        const pack<V> x = load<V>(src + row * c + channel);
#pragma unroll
        for (int i = 0; i < V; i++) {
            const float off = x.x[i] - pivot.x[i];
            sum[0].x[i] += off;
            sum[1].x[i] += off * off;
        }
    });
}

/* ADD_DEPTH threads own a channel; the one that has its sums moves them back by the pivot. Read:
 * 2 parts c doubles: 1 MB, 0.3 us. */
template <class T>
static __global__ void moments_add_kernel(const T *__restrict__ src, size_t rows, size_t c,
                                          const double *__restrict__ parts, size_t n_part,
                                          double *__restrict__ sums)
{
    size_t channel;
    double total[2];

    if (!add_parts(parts, n_part, c, &channel, total)) return;
    const double pivot = n_part > 0 ? (double)one(src + channel) : 0, n = (double)rows;
    sums[channel] = total[0] + n * pivot;
    sums[c + channel] = total[1] + pivot * (2 * total[0] + n * pivot);
}

extern "C" size_t adn_k_moments_workspace(size_t rows, size_t c)
{
    return 2 * sum_parts(rows, c) * c * sizeof(double);
}

extern "C" cudaError_t adn_k_moments(adn_k_type type, const void *src, size_t rows, size_t c,
                                     double *sums, void *workspace, cudaStream_t stream)
{
    if (c == 0) return cudaSuccess;
    const size_t n_part = sum_parts(rows, c);
    double *parts = (double *)workspace;

    return by_way(type, is_packed(type, c) && is_aligned(src), [&](auto w) {
        typedef decltype(w) W;
        const typename W::T *x = (const typename W::T *)src;
        const strip s = strip_of_parts(n_part, c, W::V);
        if (n_part > 0)
            moments_kernel<typename W::T, W::V><<<s.grid, s.block, 0, stream>>>(x, rows, c, parts);
        moments_add_kernel<typename W::T><<<add_blocks(c), dim3(ADD_WIDTH, ADD_DEPTH), 0, stream>>>(
            x, rows, c, parts, n_part, sums);
    });
}

/* ---- statistics ---- */

/* A thread owns a channel. Some 50 bytes a channel: nothing beside the launch. */
static __global__ void norm_statistics_kernel(const double *__restrict__ sums, size_t rows,
                                              size_t c, double eps, double momentum, bool moves,
                                              float *__restrict__ mean, float *__restrict__ inv_std,
                                              float *__restrict__ run_mean,
                                              float *__restrict__ run_var)
{
    const double n = (double)rows, unbiased = rows > 1 ? n / (n - 1) : 1;

    for (size_t k = (size_t)blockIdx.x * BLOCK + threadIdx.x; k < c;
         k += (size_t)gridDim.x * BLOCK) {
        const double m = sums[k] / n, off = sums[c + k] / n - m * m;
        const double var = off < 0 ? 0 : off; /* not a number: stays so */
        mean[k] = (float)m;
        inv_std[k] = (float)(1 / sqrt(var + eps));
        if (!moves) continue;
        run_mean[k] = (float)((1 - momentum) * run_mean[k] + momentum * m);
        run_var[k] = (float)((1 - momentum) * run_var[k] + momentum * unbiased * var);
    }
}

extern "C" cudaError_t adn_k_norm_statistics(const double *sums, size_t rows, size_t c, double eps,
                                             double momentum, int moves_stats, float *mean,
                                             float *inv_std, float *run_mean, float *run_var,
                                             cudaStream_t stream)
{
    if (c == 0 || rows == 0) return cudaSuccess;
    norm_statistics_kernel<<<flat_blocks(c), BLOCK, 0, stream>>>(
        sums, rows, c, eps, momentum, moves_stats != 0, mean, inv_std, run_mean, run_var);
    return cudaGetLastError();
}

/* A thread owns a channel. */
static __global__ void norm_inv_std_kernel(const float *__restrict__ var, size_t c, double eps,
                                           float *__restrict__ inv_std)
{
    for (size_t k = (size_t)blockIdx.x * BLOCK + threadIdx.x; k < c; k += (size_t)gridDim.x * BLOCK)
        inv_std[k] = (float)(1 / sqrt(var[k] + eps));
}

extern "C" cudaError_t adn_k_norm_inv_std(const float *var, size_t c, double eps, float *inv_std,
                                          cudaStream_t stream)
{
    if (c == 0) return cudaSuccess;
    norm_inv_std_kernel<<<flat_blocks(c), BLOCK, 0, stream>>>(var, c, eps, inv_std);
    return cudaGetLastError();
}

/* ---- the map itself, and its pools ---- */

/* A place's V channels at element `at`: normed, and written to dst unless NULL. */
template <class T, int V>
static __device__ __forceinline__ pack<V> place(const normer<V> &norm, const T *__restrict__ src,
                                                T *__restrict__ dst, size_t at)
{
    pack<V> y = load<V>(src + at);
#pragma unroll
    for (int i = 0; i < V; i++) y.x[i] = norm.y(y.x[i], i);
    if (dst != NULL) store<V>(dst + at, y);
    return y;
}

/* The same of 2x2 places, `at` the first, and their largest by PyTorch's rules: the first of them,
 * or what is not a number. Element `to` of dst_max and index. Gives the four's sum. */
template <class T, int V>
static __device__ __forceinline__ pack<V>
quad(const normer<V> &norm, const T *__restrict__ src, T *__restrict__ dst, T *__restrict__ dst_max,
     unsigned char *__restrict__ index, size_t at, size_t row, size_t c, size_t to)
{
    pack<V> y[4], best, sum;
    taps<V> which;

    const size_t place_at[4] = {at, at + c, at + row, at + row + c};
#pragma unroll
    for (int tap = 0; tap < 4; tap++) y[tap] = load<V>(src + place_at[tap]);
#pragma unroll
    for (int i = 0; i < V; i++) {
        best.x[i] = -INFINITY;
        sum.x[i] = 0;
        which.x[i] = 0;
#pragma unroll
        for (int tap = 0; tap < 4; tap++) {
            const float value = norm.y(y[tap].x[i], i);
            y[tap].x[i] = value;
            sum.x[i] += value;
            if (!(value > best.x[i] || isnan(value))) continue;
            best.x[i] = value;
            which.x[i] = (unsigned)tap;
        }
    }
#pragma unroll
    for (int tap = 0; tap < 4; tap++)
        if (dst != NULL) store<V>(dst + place_at[tap], y[tap]);
    store<V>(dst_max + to, best);
    if (index != NULL) store_taps<V>(index + to, which);
    return sum;
}

/* A thread owns V channels of every strip_stride()-th place, a strip its channels. Read: the map,
 * and 16 bytes a channel and thread; written: dst. Five operations an element. 40.1 us. */
template <class T, int V>
static __global__ void norm_apply_kernel(const adn_k_norm a, const T *__restrict__ src,
                                         T *__restrict__ dst, size_t places)
{
    const size_t c = (size_t)a.c, channel = strip_channel<V>();
    if (channel >= c) return;
    const normer<V> norm(a, channel);

#pragma unroll 4
    for (size_t p = strip_row(); p < places; p += strip_stride())
        place<T, V>(norm, src, dst, p * c + channel);
}

/* The same over 2x2 places. Written as well: a quarter of the map, and a byte an element of it:
 * 46.4 us; where dst is not wanted 26.3 us. */
template <class T, int V>
static __global__ void norm_max_kernel(const adn_k_norm a, const T *__restrict__ src,
                                       T *__restrict__ dst, T *__restrict__ dst_max,
                                       unsigned char *__restrict__ index, unsigned quads)
{
    const size_t c = (size_t)a.c, channel = strip_channel<V>(), row = (size_t)a.w * c;
    const unsigned wide = (unsigned)a.w / 2;
    if (channel >= c) return;
    const normer<V> norm(a, channel);

    for (unsigned q = (unsigned)strip_row(); q < quads; q += (unsigned)strip_stride()) {
        const size_t y = q / wide, x = q % wide; /* y over the whole batch: h is even */
        quad<T, V>(norm, src, dst, dst_max, index, 2 * y * row + 2 * x * c + channel, row, c,
                   q * c + channel);
    }
}

/* Everything at once, window by window of the averages: a block owns a strip's channels of
 * blockDim.y / slices windows, a thread every slices-th place of its window, or 2x2 places where
 * there are maxima. Float sums of few places each; a window's are added up in double, in one order.
 * Two blocks a multiprocessor or more: one would not keep memory busy. Bytes as above, and the
 * averages: 46.4 us with dst and maxima, 20.0 us alone. */
template <class T, int V, bool HAS_MAX>
static __global__ void __launch_bounds__(BLOCK, V == PACK<bf16> ? 2 : 3)
    norm_window_kernel(const adn_k_norm a, const T *__restrict__ src, T *__restrict__ dst,
                       T *__restrict__ dst_max, unsigned char *__restrict__ index,
                       T *__restrict__ dst_avg, unsigned windows, unsigned slices)
{
    __shared__ float tile[V * BLOCK]; /* [slice of a window][channel of the strip] */
    const size_t c = (size_t)a.c, channel = strip_channel<V>(), row = (size_t)a.w * c;
    const unsigned high = (unsigned)(a.h / a.avg_h), wide = (unsigned)(a.w / a.avg_w);
    const unsigned side = HAS_MAX ? 2 : 1, units_x = wide / side, units = high / side * units_x;
    const unsigned at_once = blockDim.y / slices, slice = threadIdx.y % slices;
    const unsigned width = blockDim.x * V, thread = threadIdx.y * blockDim.x + threadIdx.x;
    const normer<V> norm(a, channel < c ? channel : 0);

    for (unsigned first = blockIdx.x * at_once; first < windows; first += gridDim.x * at_once) {
        const unsigned window = first + threadIdx.y / slices;
        const size_t y0 = (size_t)(window / (unsigned)a.avg_w) * high;
        const size_t x0 = (size_t)(window % (unsigned)a.avg_w) * wide;
        pack<V> sum = {};
        for (unsigned u = slice; u < units && window < windows && channel < c; u += slices) {
            const size_t y = y0 + u / units_x * side, x = x0 + u % units_x * side;
            const size_t at = y * row + x * c + channel;
            pack<V> of_unit;
            if constexpr (HAS_MAX)
                of_unit = quad<T, V>(norm, src, dst, dst_max, index, at, row, c,
                                     (y / 2 * ((size_t)a.w / 2) + x / 2) * c + channel);
            else
                of_unit = place<T, V>(norm, src, dst, at);
#pragma unroll
            for (int i = 0; i < V; i++) sum.x[i] += of_unit.x[i];
        }
#pragma unroll
        for (int i = 0; i < V; i++) tile[thread * V + i] = sum.x[i];
        __syncthreads();
        for (unsigned k = thread; k < at_once * width; k += BLOCK) {
            const unsigned of = k / width, x = k % width;
            const size_t to = (size_t)blockIdx.y * width + x;
            double total = 0;
            for (unsigned s = 0; s < slices; s++) total += tile[(of * slices + s) * width + x];
            if (to < c && first + of < windows)
                put_one(dst_avg + (size_t)(first + of) * c + to, (float)(total / (high * wide)));
        }
        __syncthreads(); /* the next windows' sums go where these were read */
    }
}

/* Threads that share a window: each has about four units, which keeps the adding up short. */
static unsigned window_slices(unsigned units, unsigned most)
{
    unsigned slices = 1;
    while (slices < most && slices * 4 < units) slices *= 2;
    return slices;
}

template <class W> static void norm_windows(const adn_k_norm *a, bool has_max, cudaStream_t stream)
{
    typedef typename W::T T;
    const unsigned windows = (unsigned)(a->n * a->avg_h * a->avg_w);
    const unsigned units = (unsigned)(a->h / a->avg_h * (a->w / a->avg_w)) / (has_max ? 4 : 1);
    const unsigned slices = window_slices(units, BLOCK / strip_lanes((size_t)a->c, W::V));
    const strip s = strip_over((size_t)windows * slices, (size_t)a->c, W::V);

    (has_max ? norm_window_kernel<T, W::V, true>
             : norm_window_kernel<T, W::V, false>)<<<s.grid, s.block, 0, stream>>>(
        *a, (const T *)a->src, (T *)a->dst, (T *)a->dst_max, a->index, (T *)a->dst_avg, windows,
        slices);
}

template <class W> static void norm_map(const adn_k_norm *a, cudaStream_t stream)
{
    typedef typename W::T T;
    const size_t places = norm_places(a), rows = a->dst_max != NULL ? places / 4 : places;
    const strip s = strip_over(rows, (size_t)a->c, W::V);

    if (a->dst_max != NULL)
        norm_max_kernel<T, W::V><<<s.grid, s.block, 0, stream>>>(
            *a, (const T *)a->src, (T *)a->dst, (T *)a->dst_max, a->index, (unsigned)rows);
    else
        norm_apply_kernel<T, W::V>
            <<<s.grid, s.block, 0, stream>>>(*a, (const T *)a->src, (T *)a->dst, places);
}

/* Maxima and averages in one pass where the averages' windows are whole 2x2s, else in two. */
extern "C" cudaError_t adn_k_norm_apply(const adn_k_norm *a, cudaStream_t stream)
{
    const bool has_max = a->dst_max != NULL, has_avg = a->dst_avg != NULL;
    if (norm_places(a) == 0 || a->c == 0) return cudaSuccess;
    if (norm_places(a) > INT32_MAX || (has_max && (a->h % 2 != 0 || a->w % 2 != 0)))
        return cudaErrorInvalidValue;
    if (has_avg && (a->avg_h < 1 || a->avg_w < 1 || a->h % a->avg_h != 0 || a->w % a->avg_w != 0))
        return cudaErrorInvalidValue;
    const bool packed = is_packed(a->type, (size_t)a->c) && is_aligned(a->src) &&
                        is_aligned(a->dst) && is_aligned(a->dst_max) && is_aligned(a->dst_avg) &&
                        is_aligned(a->index);
    const bool is_one_pass =
        has_avg && (!has_max || (a->h / a->avg_h % 2 == 0 && a->w / a->avg_w % 2 == 0));
    adn_k_norm averages = *a;
    if (!is_one_pass) averages.dst = averages.dst_max = NULL;

    return by_way(a->type, packed, [&](auto w) {
        typedef decltype(w) W;
        if (!is_one_pass && (has_max || a->dst != NULL)) norm_map<W>(a, stream);
        if (has_avg) norm_windows<W>(&averages, is_one_pass && has_max, stream);
    });
}
