// Kernels and calls that must not pass, each with a form that must: cudalab_check_faults CASE.
// test_faults.sh knows what each says.
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <cuda_runtime.h>

const int N = 128; // threads of the one block, and floats of each buffer

// One kernel for all: a case is a number.
enum Case {
    SHARED_RACE,
    SHARED_BARRIER,
    SHARED_WRITES,
    SHARED_READ_THEN_WRITE,
    SHARED_TWO_WARPS_READ,
    WARP_RACE,
    WARP_SYNC,
    WARP_REREAD,
    WARP_TWO_READERS,
    SHARED_OUTSIDE,
    DYNAMIC_OUTSIDE,
    LOCAL_OUTSIDE,
    GLOBAL_OUTSIDE,
    GLOBAL_LAST,
    MISALIGNED,
    BARRIER_DIVERGED,
    BARRIER_AFTER_RETURN,
    MASK_WITHOUT_CALLER,
    MASK_OF_ABSENT,
    SHUFFLE_FROM_ABSENT,
    FAILED_ASSERT,
    N_CASE
};

const char *const CASE_NAMES[N_CASE] = {
    "shared-race",           "shared-barrier",      "shared-writes",   "shared-read-then-write",
    "shared-two-warps-read", "warp-race",           "warp-sync",       "warp-reread",
    "warp-two-readers",      "shared-outside",      "dynamic-outside", "local-outside",
    "global-outside",        "global-last",         "misaligned",      "barrier-diverged",
    "barrier-after-return",  "mask-without-caller", "mask-of-absent",  "shuffle-from-absent",
    "failed-assert"};

template <int CASE> static __global__ void fault_kernel(float *x, float *out, int far)
{
    __shared__ float shared[N];
    extern __shared__ float dynamic[];
    int t = threadIdx.x, lane = t & 31;
    float value = x[t];

    shared[t] = 0;
    __syncthreads();
    if (CASE == SHARED_RACE || CASE == SHARED_BARRIER) { // a neighbour in another warp reads
        shared[t] = value;
        if (CASE == SHARED_BARRIER) __syncthreads();
        value = shared[(t + N - 32) % N];
    } else if (CASE == SHARED_WRITES) {
        static_cast<volatile float *>(shared)[t / 2] = value;
    } else if (CASE == SHARED_READ_THEN_WRITE) {
        value = shared[(t + 1) % N];
        __syncwarp();
        shared[t] = value; // orders within the warp, but its last lane reads another warp's
    } else if (CASE == SHARED_TWO_WARPS_READ) { // the writer's warp has read last
        if (lane == 0 && t < 64) value += static_cast<volatile float *>(shared)[0];
        if (t == 32) shared[0] = value;
    } else if (CASE == WARP_RACE || CASE == WARP_SYNC) {
        shared[t] = value;
        if (CASE == WARP_SYNC) __syncwarp();
        value = shared[t ^ 1];
    } else if (CASE ==
               WARP_REREAD) { // two lanes have read, in turn: the writer is ordered behind both
        if (lane == 0) value += static_cast<volatile float *>(shared)[t];
        __syncwarp();
        if (lane == 1) value += static_cast<volatile float *>(shared)[t - 1];
        if (lane == 1) shared[t - 1] = value;
    } else if (CASE == WARP_TWO_READERS) { // the writer has read last and twice; another lane's
                                           // read is unordered
        if (lane == 0) value += static_cast<volatile float *>(shared)[t];
        if (lane == 1) value += static_cast<volatile float *>(shared)[t - 1];
        if (lane == 1) value += static_cast<volatile float *>(shared)[t - 1];
        if (lane == 1) shared[t - 1] = value;
    } else if (CASE == SHARED_OUTSIDE) {
        value = shared[t + far];
    } else if (CASE == DYNAMIC_OUTSIDE) {
        dynamic[t] = value;
        value = dynamic[t + far];
    } else if (CASE == LOCAL_OUTSIDE) {
        float local[8];
        for (int i = 0; i < 8; i++) local[i] = value + static_cast<float>(i);
        value = local[far + 8 - N];
    } else if (CASE == GLOBAL_OUTSIDE || CASE == GLOBAL_LAST) {
        value = x[t + far - (CASE == GLOBAL_LAST ? N : N - 1)];
    } else if (CASE == MISALIGNED) {
        value = *reinterpret_cast<float *>(reinterpret_cast<char *>(x) + far - N + 1);
    } else if (CASE ==
               BARRIER_DIVERGED) { // a warp primitive holds up the half that others wait for
        if (lane < 16)
            __syncthreads();
        else
            value = __shfl_sync(0xffffffffu, value, 0);
    } else if (CASE == BARRIER_AFTER_RETURN) {
        if (t >= 64) return;
        __syncthreads();
    } else if (CASE == MASK_WITHOUT_CALLER) {
        value = __shfl_sync(0xffffu, value, 0);
    } else if (CASE == MASK_OF_ABSENT) {
        if (lane >= 16) return;
        __syncwarp(0xffffffffu);
    } else if (CASE == SHUFFLE_FROM_ABSENT) {
        if (lane < 16) value = __shfl_sync(0xffffu, value, 20);
    } else if (CASE == FAILED_ASSERT) {
        assert(t != 77);
    }
    out[t] = value;
}

template <int CASE> static void launch_if(const char *name, float *x, float *out)
{
    if (strcmp(name, CASE_NAMES[CASE]) == 0)
        fault_kernel<CASE><<<1, N, N * sizeof(float)>>>(x, out, N);
    if constexpr (CASE + 1 < N_CASE) launch_if<CASE + 1>(name, x, out);
}

static __global__ void fill_kernel(float *x)
{
    x[threadIdx.x] = 1;
}

// The turn that each warp of the block got.
static __global__ void turn_kernel(int *n_turn, int *turns)
{
    if ((threadIdx.x & 31) == 0) turns[threadIdx.x >> 5] = atomicAdd(n_turn, 1);
}

static void expect_shuffled_turns()
{
    int *device, turns[33] = {}; // the counter, and 32 warps
    cudaMalloc(&device, sizeof(turns));
    cudaMemset(device, 0, sizeof(turns));
    turn_kernel<<<1, 1024>>>(device, device + 1);
    cudaMemcpy(turns, device, sizeof(turns), cudaMemcpyDeviceToHost);
    for (int i = 0; i < 32; i++)
        if (turns[1 + i] != i) return;
    fprintf(stderr, "the warps came in order\n");
    exit(1);
}

// Cases of whole programs: whose memory a kernel may touch, and when; who comes first.
static void run_program(const char *name)
{
    float *x;
    cudaMalloc(&x, N * sizeof(float));
    if (strcmp(name, "freed") == 0) {
        fill_kernel<<<1, N>>>(x); // it was the kernel's a moment ago
        cudaFree(x);
        fill_kernel<<<1, N>>>(x);
    } else if (strcmp(name, "other-device") == 0) {
        cudaSetDevice(1);
        fill_kernel<<<1, N>>>(x);
    } else if (strcmp(name, "peer") == 0) {
        cudaSetDevice(1);
        cudaDeviceEnablePeerAccess(0, 0);
        fill_kernel<<<1, N>>>(x);
    } else if (strcmp(name, "turns") == 0) {
        expect_shuffled_turns();
    } else if (strcmp(name, "host-memory") == 0) {
        fill_kernel<<<1, N>>>(static_cast<float *>(malloc(N * sizeof(float))));
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: cudalab_check_faults CASE\n");
        return 2;
    }
    float *x, *out, values[N];
    for (int i = 0; i < N; i++) values[i] = static_cast<float>(i);
    cudaMalloc(&x, sizeof(values));
    cudaMalloc(&out, sizeof(values));
    cudaMemcpy(x, values, sizeof(values), cudaMemcpyHostToDevice);
    launch_if<0>(argv[1], x, out);
    run_program(argv[1]);
    for (int device = 0; device < 2; device++) {
        cudaSetDevice(device);
        cudaDeviceSynchronize();
    }
    return cudaGetLastError() == cudaSuccess ? 0 : 1;
}
