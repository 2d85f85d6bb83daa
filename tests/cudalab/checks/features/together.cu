// Threads that act together: votes of a block, matches of a warp, shuffles after divergence, tiles
// of a warp.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

#include "check.h"

static __global__ void vote_kernel(const int *a, int *out)
{
    out[threadIdx.x] = __syncthreads_or(a[threadIdx.x] > 5) +
                       __syncthreads_count(a[threadIdx.x] & 1) * 2 +
                       __syncthreads_and(a[threadIdx.x] >= 0) * 1000;
}

CHECK(votes_of_a_block)
{
    std::vector<int> a(96);
    int n_odd = 0;
    for (int i = 0; i < 96; i++) {
        a[i] = i % 5;
        n_odd += a[i] & 1;
    }
    check::Buffer<int> dev_a(a), dev_out(96);
    vote_kernel<<<1, 96>>>(dev_a, dev_out);
    for (int value : dev_out.get()) check::expect(value == n_odd * 2 + 1000, "%d", value);
}

static __global__ void match_kernel(const int *a, unsigned *out)
{
    unsigned any = __match_any_sync(0xffffffffu, a[threadIdx.x]);
    int do_all;
    unsigned all = __match_all_sync(0xffffffffu, a[threadIdx.x] > -1, &do_all);
    out[threadIdx.x] = any + all + do_all + __popc(__activemask());
}

CHECK(matches_of_a_warp)
{
    std::vector<int> a(32);
    for (int i = 0; i < 32; i++) a[i] = i % 5;
    check::Buffer<int> dev_a(a);
    check::Buffer<unsigned> dev_out(32);
    match_kernel<<<1, 32>>>(dev_a, dev_out);
    auto out = dev_out.get();
    for (int i = 0; i < 32; i++) {
        unsigned same = 0;
        for (int k = 0; k < 32; k++)
            if (a[k] == a[i]) same |= 1u << k;
        check::expect(out[i] == same + 0xffffffffu + 1 + 32, "lane %d", i);
    }
}

// Every thread leaves its loop at another time.
static __host__ __device__ int diverging_sum(int n, int thread)
{
    int sum = 0;
    for (int i = 0; i < n; i++) {
        if ((i + thread) & 1) {
            sum += i;
        } else {
            sum -= 1;
            if (sum < -5) break;
        }
    }
    return sum;
}

static __global__ void diverge_kernel(const int *a, int *out)
{
    int sum = diverging_sum(a[threadIdx.x] & 31, threadIdx.x);
    __syncwarp();
    out[threadIdx.x] = sum * 100 + __shfl_xor_sync(0xffffffffu, sum, 1);
}

CHECK(lanes_meet_again_after_divergence)
{
    std::vector<int> a(64);
    for (int i = 0; i < 64; i++) a[i] = i * 13;
    check::Buffer<int> dev_a(a), dev_out(64);
    diverge_kernel<<<1, 64>>>(dev_a, dev_out);
    auto out = dev_out.get();
    for (int i = 0; i < 64; i++) {
        int own = diverging_sum(a[i] & 31, i), other = diverging_sum(a[i ^ 1] & 31, i ^ 1);
        check::expect(out[i] == own * 100 + other, "thread %d", i);
    }
}

static __global__ void tile_kernel(const float *a, float *out)
{
    namespace cg = cooperative_groups;
    auto block = cg::this_thread_block();
    auto tile = cg::tiled_partition<8>(block);
    float sum = cg::reduce(tile, a[block.thread_rank()], cg::plus<float>());
    block.sync();
    if (tile.thread_rank() == 0) out[block.thread_rank() / 8] = sum;
}

CHECK(sums_over_tiles_of_eight)
{
    std::vector<float> a(128), ref(16);
    for (int i = 0; i < 128; i++) {
        a[i] = i * .5f;
        ref[i / 8] += a[i];
    }
    check::Buffer<float> dev_a(a), dev_out(16);
    tile_kernel<<<1, 128>>>(dev_a, dev_out);
    check::expect(dev_out.get() == ref, "a sum differs");
}
