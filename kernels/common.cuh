/* What the kernels share: bf16, packs of channels that move by 16 bytes, strips of threads over
 * [rows, c], sums over rows.
 *
 * All of it is compiled without contraction (-fmad=false), as the plain loops are: products are
 * rounded before they are added, a ReLU's mask is the same forward and backward, and what is no sum
 * agrees with the loops bit for bit. These kernels wait for memory, not for arithmetic. */
#ifndef ADN_COMMON_CUH
#define ADN_COMMON_CUH

#include "adn_kernels.h"

/* Threads of a block: eight warps. A multiprocessor holds 2048 threads (1536 on some), so 256 fill
 * every one, and leave each 255 registers. */
constexpr unsigned BLOCK = 256;
/* Blocks of a launch that strides over its data: 15 for each of an H100's 132 multiprocessors, so
 * that the last round is a small part of all; more would only load constants again. */
constexpr size_t MOST_BLOCKS = 2048;

struct bf16 { /* the upper half of a float */
    uint16_t bits;
};

/* To the nearest, of two the even one; what is not a number stays so: core/bf16.h's, to the bit. */
static __device__ __forceinline__ uint32_t bf16_bits(float f)
{
    uint32_t bits = __float_as_uint(f);
    uint32_t near = bits + 0x7fff + (bits >> 16 & 1), quiet = bits | 0x400000;
    return (f == f ? near : quiet) >> 16;
}

/* V neighbours of a row, as floats in registers. */
template <int V> struct pack {
    float x[V];
};

/* Neighbours that 16 bytes hold. */
template <class T> constexpr int PACK = 16 / (int)sizeof(T);

static __device__ __forceinline__ float one(const float *p)
{
    return *p;
}

static __device__ __forceinline__ float one(const bf16 *p)
{
    return __uint_as_float((uint32_t)p->bits << 16);
}

static __device__ __forceinline__ void put_one(float *p, float x)
{
    *p = x;
}

static __device__ __forceinline__ void put_one(bf16 *p, float x)
{
    p->bits = (uint16_t)bf16_bits(x);
}

/* V is 1, or PACK<T> where p is aligned to 16 bytes. */
template <int V, class T> static __device__ __forceinline__ pack<V> load(const T *p)
{
    pack<V> f;
    if constexpr (V == 1) {
        f.x[0] = one(p);
    } else {
        uint4 raw = *reinterpret_cast<const uint4 *>(p);
        const uint32_t word[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if constexpr (sizeof(T) == sizeof(float)) {
                f.x[i] = __uint_as_float(word[i]);
            } else {
                f.x[2 * i] = __uint_as_float(word[i] << 16);
                f.x[2 * i + 1] = __uint_as_float(word[i] & 0xffff0000);
            }
        }
    }
    return f;
}

template <int V, class T> static __device__ __forceinline__ void store(T *p, const pack<V> &f)
{
    if constexpr (V == 1) {
        put_one(p, f.x[0]);
    } else {
        uint32_t word[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            if constexpr (sizeof(T) == sizeof(float))
                word[i] = __float_as_uint(f.x[i]);
            else
                word[i] = bf16_bits(f.x[2 * i]) | bf16_bits(f.x[2 * i + 1]) << 16;
        *reinterpret_cast<uint4 *>(p) = make_uint4(word[0], word[1], word[2], word[3]);
    }
}

/* Parameters of V channels. */
template <int V> static __device__ __forceinline__ pack<V> load_each(const float *p)
{
    pack<V> f;
#pragma unroll
    for (int i = 0; i < V; i++) f.x[i] = p[i];
    return f;
}

/* Indices of V pooled elements: V bytes, aligned to V. */
template <int V> struct taps {
    unsigned x[V];
};

template <int V> static __device__ __forceinline__ taps<V> load_taps(const unsigned char *p)
{
    taps<V> t;
    if constexpr (V == 1) {
        t.x[0] = *p;
    } else {
#pragma unroll
        for (int i = 0; i < V / 4; i++) {
            uint32_t word = reinterpret_cast<const uint32_t *>(p)[i];
#pragma unroll
            for (int k = 0; k < 4; k++) t.x[4 * i + k] = word >> 8 * k & 0xff;
        }
    }
    return t;
}

template <int V> static __device__ __forceinline__ void store_taps(unsigned char *p, taps<V> t)
{
    if constexpr (V == 1) {
        *p = (unsigned char)t.x[0];
    } else {
#pragma unroll
        for (int i = 0; i < V / 4; i++)
            reinterpret_cast<uint32_t *>(p)[i] =
                t.x[4 * i] | t.x[4 * i + 1] << 8 | t.x[4 * i + 2] << 16 | t.x[4 * i + 3] << 24;
    }
}

/* max(x, 0); what is not a number stays so. */
static __device__ __forceinline__ float relu(float x)
{
    return x <= 0 ? 0 : x;
}

/* ---- launches ---- */

static inline size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static inline bool is_aligned(const void *p)
{
    return (uintptr_t)p % 16 == 0;
}

/* Rows of c elements move by 16 bytes; the caller looks at its pointers. */
static inline bool is_packed(adn_k_type type, size_t c)
{
    return c % (type == ADN_K_F32 ? PACK<float> : PACK<bf16>) == 0;
}

/* Calls launch with a value whose type says which kernel: elements of T, V at a time. */
template <class T_, int V_> struct way {
    typedef T_ T;
    static constexpr int V = V_;
};
template <class F> static inline cudaError_t by_way(adn_k_type type, bool packed, F launch)
{
    if (type != ADN_K_F32 && type != ADN_K_BF16) return cudaErrorInvalidValue;
    if (type == ADN_K_F32 && packed) launch(way<float, PACK<float>>());
    if (type == ADN_K_F32 && !packed) launch(way<float, 1>());
    if (type == ADN_K_BF16 && packed) launch(way<bf16, PACK<bf16>>());
    if (type == ADN_K_BF16 && !packed) launch(way<bf16, 1>());
    return cudaGetLastError();
}

/* A strip is a block that lies over [rows, c]: threadIdx.x counts lanes of V channels, threadIdx.y
 * rows; blockIdx.y counts strips side by side, blockIdx.x strides over rows. So a thread keeps its
 * channels, and loads their parameters once. */
struct strip {
    dim3 grid, block;
};

/* Lanes: 32, 16 or 8, whichever leaves the fewest idle, the most of those. 8 of 16 bytes are a
 * whole cache line, more save nothing. */
static inline unsigned strip_lanes(size_t c, int v)
{
    unsigned best = 32;
    for (unsigned lanes = 16; lanes >= 8; lanes /= 2)
        if (ceil_div(c, (size_t)v * lanes) * lanes < ceil_div(c, (size_t)v * best) * best)
            best = lanes;
    return best;
}

/* A block for each part of the rows. */
static inline strip strip_of_parts(size_t parts, size_t c, int v)
{
    const unsigned lanes = strip_lanes(c, v);
    return strip{dim3((unsigned)parts, (unsigned)ceil_div(c, (size_t)v * lanes)),
                 dim3(lanes, BLOCK / lanes)};
}

/* As many blocks as there are rows for, or MOST_BLOCKS. */
static inline strip strip_over(size_t rows, size_t c, int v)
{
    strip s = strip_of_parts(0, c, v);
    const size_t down = ceil_div(rows, s.block.y), room = MOST_BLOCKS / s.grid.y;
    s.grid.x = (unsigned)(down < room ? down : room > 0 ? room : 1);
    return s;
}

/* For a grid-stride loop over n elements, or packs of some. */
static inline unsigned flat_blocks(size_t n)
{
    const size_t blocks = ceil_div(n, BLOCK);
    return (unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS);
}

/* The thread's first channel. */
template <int V> static __device__ __forceinline__ size_t strip_channel()
{
    return ((size_t)blockIdx.y * blockDim.x + threadIdx.x) * V;
}

static __device__ __forceinline__ size_t strip_row()
{
    return (size_t)blockIdx.x * blockDim.y + threadIdx.y;
}

static __device__ __forceinline__ size_t strip_stride()
{
    return (size_t)gridDim.x * blockDim.y;
}

/* ---- sums over rows, in two phases whose orders are fixed ---- */

/* Phase 1 cuts the rows into parts, a block each; phase 2 adds the parts up. A part has at least 64
 * rows, so that phase 2 reads little; about 512 blocks are enough to keep memory busy. The same for
 * all types: the workspace depends on the shape alone. */
static inline size_t sum_parts(size_t rows, size_t c)
{
    size_t across = ceil_div(c, 128), most = 512 / across > 0 ? 512 / across : 1;
    size_t parts = ceil_div(rows, 64);
    return parts < most ? parts : most;
}

/* Phase 1, all of a strip with gridDim.x parts: parts [part][S][c]. add(row, channel, sums) adds
 * one row to the thread's S packs of floats: few, since a thread has a 4096th or less of many rows.
 * Its block's are added up in double. */
template <int V, int S, class F>
static __device__ __forceinline__ void sum_rows(size_t rows, size_t c, double *parts, F add)
{
    __shared__ float tile[S][V * BLOCK]; /* [row of the block][channel of the strip] */
    const unsigned width = blockDim.x * V, thread = threadIdx.y * blockDim.x + threadIdx.x;
    const size_t channel = strip_channel<V>();
    pack<V> sum[S] = {};

    if (channel < c)
        for (size_t row = strip_row(); row < rows; row += strip_stride()) add(row, channel, sum);
#pragma unroll
    for (int s = 0; s < S; s++)
#pragma unroll
        for (int i = 0; i < V; i++) tile[s][thread * V + i] = sum[s].x[i];
    __syncthreads();
    for (unsigned k = thread; k < S * width; k += BLOCK) {
        const unsigned s = k / width, x = k % width;
        const size_t to = (size_t)blockIdx.y * width + x;
        double total = 0;
        for (unsigned y = 0; y < blockDim.y; y++) total += tile[s][y * width + x];
        if (to < c) parts[((size_t)blockIdx.x * S + s) * c + to] = total;
    }
}

/* Phase 2: a block adds up ADD_WIDTH channels, ADD_DEPTH threads each. Eight doubles are two whole
 * sectors of memory. */
constexpr unsigned ADD_WIDTH = 8, ADD_DEPTH = BLOCK / ADD_WIDTH;

static inline unsigned add_blocks(size_t c)
{
    return (unsigned)ceil_div(c, ADD_WIDTH);
}

/* True in the one thread that has all of channel's sums. Block [ADD_WIDTH][ADD_DEPTH]. */
template <int S>
static __device__ __forceinline__ bool add_parts(const double *parts, size_t n_part, size_t c,
                                                 size_t *channel, double (&total)[S])
{
    __shared__ double tile[S][ADD_DEPTH][ADD_WIDTH];

    *channel = (size_t)blockIdx.x * ADD_WIDTH + threadIdx.x;
#pragma unroll
    for (int s = 0; s < S; s++) {
        double sum = 0;
        for (size_t p = threadIdx.y; p < n_part && *channel < c; p += ADD_DEPTH)
            sum += parts[(p * S + s) * c + *channel];
        tile[s][threadIdx.y][threadIdx.x] = sum;
    }
    __syncthreads();
    if (threadIdx.y != 0 || *channel >= c) return false;
#pragma unroll
    for (int s = 0; s < S; s++) {
        total[s] = 0;
        for (unsigned y = 0; y < ADD_DEPTH; y++) total[s] += tile[s][y][threadIdx.x];
    }
    return true;
}

#endif
