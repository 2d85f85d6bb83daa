/* A batch of images out of a set in the GPU's memory, transformed as the host would: bytes in, the
 * same bytes out.
 *
 * A block takes one sample after another; a thread owns WORD bytes of each, or one where images or
 * dst are not aligned to that, and strides over the rest. It traces each of its pixels back through
 * the transforms to the place in the set, or to a colour: neighbours read neighbours, but for the
 * jumps that crops and flips make. Read: n images and moves of 8 bytes a transform; written: n
 * images. Of [128, 32, 32, 3] 0.8 MB, 0.2 us on an H100 of 3.35 TB/s: computed from bytes, not
 * measured. That is less than a launch takes, so what counts is that there are many blocks: 4 bytes
 * a thread make 384, where 16 would leave multiprocessors without one. */
#include "common.cuh"

constexpr int WORD = 4;

/* Where a pixel comes from, if not from a place in the set. */
constexpr int BLACK = -1, FILL = -2;

/* The pixel's number in the set's image, or its colour. */
static __device__ __forceinline__ int trace(const adn_k_augment &how,
                                            const adn_k_move *__restrict__ moves, int y, int x)
{
    for (int t = how.n_transform - 1; t >= 0; t--) {
        const int my = moves[t].y, mx = moves[t].x, size = how.size[t];
        if (how.kind[t] == ADN_K_CROP) {
            y += my;
            x += mx;
            if (y < 0 || y >= how.h || x < 0 || x >= how.w) return BLACK;
        } else if (how.kind[t] == ADN_K_FLIP) {
            x = mx == 1 ? how.w - 1 - x : x;
        } else {
            const int first_y = my - size / 2, first_x = mx - size / 2;
            if (y >= first_y && y < first_y + size && x >= first_x && x < first_x + size)
                return FILL;
        }
    }
    return y * how.w + x;
}

/* V bytes from byte `first` of an image on, the lowest first. C is known here, so that divisions by
 * it are multiplications. */
template <int V, int C>
static __device__ __forceinline__ uint32_t gather(const adn_k_augment &how,
                                                  const adn_k_move *__restrict__ moves,
                                                  const unsigned char *__restrict__ image,
                                                  unsigned first)
{
    unsigned pixel = first / C, channel = first % C;
    int y = (int)(pixel / (unsigned)how.w), x = (int)(pixel % (unsigned)how.w);
    int from = trace(how, moves, y, x);
    uint32_t word = 0;
#pragma unroll
    for (int i = 0; i < V; i++) {
        uint32_t byte = 0;
        if (from >= 0) byte = image[(size_t)from * C + channel];
        if (from == FILL) byte = how.fill >> 8 * channel & 0xff;
        word |= byte << 8 * i;
        channel = channel + 1 == C ? 0 : channel + 1;
        if (i + 1 == V || channel != 0) continue;
        x = x + 1 == how.w ? 0 : x + 1;
        y += x == 0;
        from = trace(how, moves, y, x);
    }
    return word;
}

/* how is a grid constant so that its arrays are indexed where they are, not in a copy a thread. */
template <int V, int C>
static __global__ void
augment_kernel(const __grid_constant__ adn_k_augment how, const unsigned char *__restrict__ src,
               const uint32_t *__restrict__ picks, const adn_k_move *__restrict__ moves,
               unsigned char *__restrict__ dst, size_t n)
{
    const unsigned bytes = (unsigned)how.h * (unsigned)how.w * C, stride = gridDim.x * BLOCK * V;

    for (size_t sample = blockIdx.y; sample < n; sample += gridDim.y) {
        const unsigned char *image = src + (size_t)picks[sample] * bytes;
        const adn_k_move *mine = moves + sample * (size_t)how.n_transform;
        for (unsigned k = (blockIdx.x * BLOCK + threadIdx.x) * V; k < bytes; k += stride) {
            const uint32_t word = gather<V, C>(how, mine, image, k);
            if constexpr (V == 1)
                dst[sample * bytes + k] = (unsigned char)word;
            else
                *reinterpret_cast<uint32_t *>(dst + sample * bytes + k) = word;
        }
    }
}

extern "C" cudaError_t adn_k_augment_images(const adn_k_augment *how, const unsigned char *src,
                                            const uint32_t *picks, const adn_k_move *moves,
                                            unsigned char *dst, size_t n, cudaStream_t stream)
{
    /* Bytes of an image, and of the last stride over it, are counted in 32 bits. */
    const size_t most_bytes = (size_t)1 << 30;
    const size_t bytes = (size_t)how->h * (size_t)how->w * (size_t)how->c;

    if (how->c < 1 || how->c > ADN_K_PIXEL_CHANNELS || bytes > most_bytes ||
        how->n_transform > ADN_K_MAX_TRANSFORM)
        return cudaErrorInvalidValue;
    if (n == 0 || bytes == 0) return cudaSuccess;
    void (*const kernels[2][ADN_K_PIXEL_CHANNELS])(const adn_k_augment, const unsigned char *,
                                                   const uint32_t *, const adn_k_move *,
                                                   unsigned char *, size_t) = {
        {augment_kernel<1, 1>, augment_kernel<1, 2>, augment_kernel<1, 3>, augment_kernel<1, 4>},
        {augment_kernel<WORD, 1>, augment_kernel<WORD, 2>, augment_kernel<WORD, 3>,
         augment_kernel<WORD, 4>}};
    const bool by_words = bytes % WORD == 0 && (uintptr_t)dst % WORD == 0;
    const unsigned across = flat_blocks(by_words ? bytes / WORD : bytes);
    const size_t room = MOST_BLOCKS / across; /* for samples side by side; at least one */
    const dim3 grid(across, (unsigned)(n < room ? n : room));
    kernels[by_words][how->c - 1]<<<grid, BLOCK, 0, stream>>>(*how, src, picks, moves, dst, n);
    return cudaGetLastError();
}
