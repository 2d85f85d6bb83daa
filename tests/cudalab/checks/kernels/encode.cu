// Codecs: int8 with a scale a row, bf16 in pairs, vector quantization. Their answers are exact.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include <cuda_bf16.h>

#include "check.h"

const int LIMIT = 90; // below what the scale gives the largest value, so that some are clipped

// A block a row: the maximum by butterfly shuffles, four values to a word, clipped ones counted by
// ballot. n_col / 4 is a multiple of the block's size.
static __global__ void int8_kernel(const float *x, int n_col, uint32_t *words, float *scales,
                                   int *n_clipped)
{
    __shared__ float warp_max[32];
    const float *row = x + static_cast<size_t>(blockIdx.x) * n_col;
    float largest = 0;
    for (int i = threadIdx.x; i < n_col; i += blockDim.x) largest = fmaxf(largest, fabsf(row[i]));
    for (int distance = 16; distance > 0; distance >>= 1)
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, distance));
    if ((threadIdx.x & 31) == 0) warp_max[threadIdx.x >> 5] = largest;
    __syncthreads();
    for (int i = 0; i < blockDim.x >> 5; i++) largest = fmaxf(largest, warp_max[i]);
    float scale = largest > 0 ? largest / 100 : 1;
    if (threadIdx.x == 0) scales[blockIdx.x] = scale;
    for (int i = threadIdx.x; i < n_col / 4; i += blockDim.x) {
        uint32_t word = 0;
        bool is_clipped = false;
        for (int k = 0; k < 4; k++) {
            int value = __float2int_rn(row[4 * i + k] / scale);
            is_clipped |= value > LIMIT || value < -LIMIT;
            value = min(max(value, -LIMIT), LIMIT);
            word |= static_cast<uint32_t>(static_cast<uint8_t>(value)) << (8 * k);
        }
        words[static_cast<size_t>(blockIdx.x) * (n_col / 4) + i] = word;
        unsigned ballot = __ballot_sync(0xffffffffu, is_clipped);
        if ((threadIdx.x & 31) == 0) atomicAdd(n_clipped, __popc(ballot));
    }
}

CHECK(int8_of_rows)
{
    const int n_row = 16, n_col = 1024;
    auto x = check::random_normal(n_row * n_col);
    check::Buffer<float> dev_x(x), dev_scales(n_row);
    check::Buffer<uint32_t> dev_words(n_row * n_col / 4);
    check::Buffer<int> dev_clipped(1);
    int8_kernel<<<n_row, 128>>>(dev_x, n_col, dev_words, dev_scales, dev_clipped);

    auto words = dev_words.get();
    auto scales = dev_scales.get();
    int n_clipped = 0, n_wrong = 0;
    for (int row = 0; row < n_row; row++) {
        float max = 0;
        for (int i = 0; i < n_col; i++) max = std::fmax(max, std::fabs(x[row * n_col + i]));
        n_wrong += scales[row] != max / 100;
        for (int i = 0; i < n_col / 4; i++) {
            bool is_clipped = false;
            for (int k = 0; k < 4; k++) {
                int exact =
                    static_cast<int>(std::nearbyint(x[row * n_col + 4 * i + k] / scales[row]));
                int value = exact > LIMIT ? LIMIT : exact < -LIMIT ? -LIMIT : exact;
                is_clipped |= value != exact;
                n_wrong += static_cast<int8_t>(words[row * n_col / 4 + i] >> (8 * k)) != value;
            }
            n_clipped += is_clipped;
        }
    }
    check::expect(n_wrong == 0, "%d values differ", n_wrong);
    check::expect(n_clipped > 0, "nothing was clipped");
    check::expect(dev_clipped.get()[0] == n_clipped, "%d words were clipped, not %d", n_clipped,
                  dev_clipped.get()[0]);
}

static __global__ void bf16_kernel(const float *x, int n_pair, uint32_t *packed, float *back)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n_pair) return;
    __nv_bfloat16 low = __float2bfloat16_rn(x[2 * i]), high = __float2bfloat16_rn(x[2 * i + 1]);
    packed[i] = __bfloat16_as_ushort(low) | static_cast<uint32_t>(__bfloat16_as_ushort(high)) << 16;
    back[2 * i] = __bfloat162float(low);
    back[2 * i + 1] = __bfloat162float(high);
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint16_t reference_bf16(float value)
{
    uint32_t bits = float_bits(value);
    if (std::isnan(value)) return 0x7fff;
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

CHECK(bf16_in_pairs)
{
    const int n_pair = 5000;
    auto x = check::random_normal(2 * n_pair, 1e3f);
    const float special[] = {INFINITY, -0.f, 1.00390625f, 1.01171875f,
                             3.4e38f,  NAN,  1e-40f}; // two are ties
    std::copy(std::begin(special), std::end(special), x.begin());
    check::Buffer<float> dev_x(x), dev_back(2 * n_pair);
    check::Buffer<uint32_t> dev_packed(n_pair);
    bf16_kernel<<<(n_pair + 127) / 128, 128>>>(dev_x, n_pair, dev_packed, dev_back);

    auto packed = dev_packed.get();
    auto back = dev_back.get();
    for (int i = 0; i < 2 * n_pair; i++) {
        uint16_t got = static_cast<uint16_t>(packed[i / 2] >> (16 * (i & 1))),
                 ref = reference_bf16(x[i]);
        check::expect(got == ref, "%g is %04x, not %04x", x[i], got, ref);
        check::expect(float_bits(back[i]) == static_cast<uint32_t>(ref) << 16,
                      "%g comes back as %g", x[i], back[i]);
    }
}

// A warp a vector, the codebook in dynamic shared memory; of two codewords at one distance the
// first.
static __global__ void nearest_kernel(const float *x, int n, const float *codebook, int n_code,
                                      int n_dim, int *index, float *distance)
{
    extern __shared__ float codes[];
    for (int i = threadIdx.x; i < n_code * n_dim; i += blockDim.x) codes[i] = codebook[i];
    __syncthreads();
    int lane = threadIdx.x & 31;
    int first = (blockIdx.x * blockDim.x + threadIdx.x) >> 5,
        n_warp = (gridDim.x * blockDim.x) >> 5;
    for (int v = first; v < n; v += n_warp) {
        float best = 3.4e38f;
        int best_code = 0x7fffffff;
        for (int code = lane; code < n_code; code += 32) {
            float sum = 0;
            for (int k = 0; k < n_dim; k++) {
                float difference = x[v * n_dim + k] - codes[code * n_dim + k];
                sum += difference * difference;
            }
            if (sum < best) {
                best = sum;
                best_code = code;
            }
        }
        for (int offset = 16; offset > 0; offset >>= 1) {
            float other = __shfl_down_sync(0xffffffffu, best, offset);
            int other_code = __shfl_down_sync(0xffffffffu, best_code, offset);
            if (other < best || (other == best && other_code < best_code)) {
                best = other;
                best_code = other_code;
            }
        }
        if (lane == 0) {
            index[v] = best_code;
            distance[v] = best;
        }
    }
}

CHECK(nearest_codeword)
{
    const int n = 300, n_code = 128, n_dim = 8;
    auto x = check::random_normal(n * n_dim), codebook = check::random_normal(n_code * n_dim);
    std::copy_n(&codebook[12 * n_dim], n_dim, &codebook[77 * n_dim]); // a tie, which 12 must win
    check::Buffer<float> dev_x(x), dev_codebook(codebook), dev_distance(n);
    check::Buffer<int> dev_index(n);
    nearest_kernel<<<4, 128, n_code * n_dim * sizeof(float)>>>(dev_x, n, dev_codebook, n_code,
                                                               n_dim, dev_index, dev_distance);
    auto index = dev_index.get();
    auto distance = dev_distance.get();
    for (int v = 0; v < n; v++) {
        double best = 1e300;
        for (int code = 0; code < n_code; code++) {
            double sum = 0;
            for (int k = 0; k < n_dim; k++) {
                double difference =
                    static_cast<double>(x[v * n_dim + k]) - codebook[code * n_dim + k];
                sum += difference * difference;
            }
            best = std::fmin(best, sum);
        }
        // Rounding may prefer another of nearly the same distance, but never one that is farther.
        check::expect(index[v] >= 0 && index[v] < n_code && index[v] != 77, "vector %d has code %d",
                      v, index[v]);
        check::expect(std::fabs(distance[v] - best) <= 1e-5 * best, "vector %d: %g, not %g", v,
                      distance[v], best);
    }
}
