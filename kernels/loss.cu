/* Softmax cross entropy: labels of two classes and a weight, smoothing, its gradient, hits. Times
 * are computed for an H100 of 3.35 TB/s, not measured. */
#include "common.cuh"

constexpr unsigned LANES = 32, ALL_LANES = 0xffffffff;

/* What a sample leaves for the sum. */
struct sample {
    double loss;
    int64_t hit;
};

/* The lanes' values added up by halves: the same order, and the same result, in every lane. */
template <class N> static __device__ __forceinline__ N warp_sum(N x)
{
#pragma unroll
    for (int apart = LANES / 2; apart > 0; apart /= 2) x += __shfl_xor_sync(ALL_LANES, x, apart);
    return x;
}

/* The largest score and the first class that has it. If class 0 is not a number, nothing is larger
 * than that: it stays, in every lane. */
static __device__ __forceinline__ void warp_first_largest(float *score, unsigned *at)
{
#pragma unroll
    for (int apart = LANES / 2; apart > 0; apart /= 2) {
        const float other = __shfl_xor_sync(ALL_LANES, *score, apart);
        const unsigned other_at = __shfl_xor_sync(ALL_LANES, *at, apart);
        if (other > *score || (other == *score && other_at < *at)) {
            *score = other;
            *at = other_at;
        }
    }
}

/* A warp owns a sample, a lane every 32nd class of it; three passes over the scores, which the
 * first leaves in the cache. Read: n c scores; written: n c gradients, 16 bytes a sample. Some 60
 * operations a class. [1024, 1000] in fp32: 8.2 MB, 2.4 us. */
template <class T>
static __global__ void
loss_kernel(const T *__restrict__ scores, const adn_k_label *__restrict__ labels, size_t n,
            size_t c, float keep, float smooth, T *__restrict__ grad, sample *__restrict__ samples)
{
    const unsigned lane = threadIdx.x % LANES, warps = BLOCK / LANES;

    for (size_t k = (size_t)blockIdx.x * warps + threadIdx.x / LANES; k < n;
         k += (size_t)gridDim.x * warps) {
        const T *row = scores + k * c;
        const adn_k_label label = labels[k];
        float largest = one(row), sum = 0, loss = 0;
        unsigned first = 0;

        for (size_t i = lane; i < c; i += LANES) {
            const float s = one(row + i);
            if (!(s > largest)) continue;
            largest = s;
            first = (unsigned)i;
        }
        warp_first_largest(&largest, &first);
        for (size_t i = lane; i < c; i += LANES) sum += expf(one(row + i) - largest);
        sum = warp_sum(sum);
        const float log_sum = logf(sum);
        for (size_t i = lane; i < c; i += LANES) {
            const float log_prob = one(row + i) - largest - log_sum;
            const float of_a = (int64_t)i == label.a ? label.weight_a : 0;
            const float of_b = (int64_t)i == label.b ? 1 - label.weight_a : 0;
            const float wanted = keep * (of_a + of_b) + smooth;
            if (wanted != 0) loss -= wanted * log_prob; /* a class of no weight may have none */
            if (grad != NULL) put_one(grad + k * c + i, (expf(log_prob) - wanted) / (float)n);
        }
        const double total = warp_sum((double)loss);
        if (lane == 0) samples[k] = {total, (int64_t)first == label.a};
    }
}

/* One block: a thread adds up every BLOCK-th sample, then the first adds up the threads. Read: 16
 * bytes a sample. */
static __global__ void loss_add_kernel(const sample *__restrict__ samples, size_t n,
                                       adn_k_loss_result *__restrict__ result,
                                       int32_t *__restrict__ halt)
{
    __shared__ sample part[BLOCK];
    sample sum = {0, 0};

    for (size_t k = threadIdx.x; k < n; k += BLOCK) {
        sum.loss += samples[k].loss;
        sum.hit += samples[k].hit;
    }
    part[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x != 0) return;
    sum = {0, 0};
    for (unsigned i = 0; i < BLOCK; i++) {
        sum.loss += part[i].loss;
        sum.hit += part[i].hit;
    }
    *result = {sum.loss, sum.hit, (int64_t)n};
    if (!isfinite(sum.loss)) *halt = 1;
}

extern "C" size_t adn_k_loss_workspace(size_t n)
{
    return n * sizeof(sample);
}

extern "C" cudaError_t adn_k_loss(adn_k_type type, const void *scores, const adn_k_label *labels,
                                  size_t n, size_t c, double smoothing, void *grad,
                                  adn_k_loss_result *result, int32_t *halt, void *workspace,
                                  cudaStream_t stream)
{
    if (c == 0 || c > INT32_MAX) return cudaErrorInvalidValue;
    sample *samples = (sample *)workspace;
    const size_t blocks = ceil_div(n, BLOCK / LANES);
    cudaError_t e = cudaSuccess;

    if (n > 0)
        e = by_way(type, false, [&](auto w) {
            typedef typename decltype(w)::T T;
            loss_kernel<T>
                <<<(unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS), BLOCK, 0, stream>>>(
                    (const T *)scores, labels, n, c, (float)(1 - smoothing),
                    (float)(smoothing / (double)c), (T *)grad, samples);
        });
    if (e != cudaSuccess) return e;
    loss_add_kernel<<<1, BLOCK, 0, stream>>>(samples, n, result, halt);
    return cudaGetLastError();
}
