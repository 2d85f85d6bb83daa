// Ordering bugs, each planted and repaired: cudalab_scenarios NAME bug|fixed. Under ThreadSanitizer
// with the lab's runtime the first must be reported, the second must not.
#include <cstdio>
#include <cstring>

#include <cuda_runtime.h>

#include "all_reduce.h"

namespace
{

const int N = 2048, BLOCK = 256;
const size_t N_BYTES = N * sizeof(float);

__global__ void fill_kernel(float *a, int n, float value)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) a[i] = value + i;
}

__global__ void add_kernel(float *sum, const float *a, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) sum[i] += a[i];
}

void fill(cudaStream_t stream, float *a, float value)
{
    fill_kernel<<<N / BLOCK, BLOCK, 0, stream>>>(a, N, value);
}

void add(cudaStream_t stream, float *sum, const float *a)
{
    add_kernel<<<N / BLOCK, BLOCK, 0, stream>>>(sum, a, N);
}

cudaStream_t make_stream()
{
    cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    return stream;
}

cudaEvent_t make_event()
{
    cudaEvent_t event;
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    return event;
}

// Device 0's: two streams, two events, two buffers there and one of the host.
struct World {
    cudaStream_t first = make_stream(), second = make_stream();
    cudaEvent_t event = make_event(), other_event = make_event();
    float *a, *b, *host;
    bool is_fixed;

    explicit World(bool is_fixed) : is_fixed(is_fixed)
    {
        cudaMalloc(&a, N_BYTES);
        cudaMalloc(&b, N_BYTES);
        cudaMallocHost(&host, N_BYTES);
        memset(host, 0, N_BYTES);
        cudaMemset(a, 0, N_BYTES);
        cudaMemset(b, 0, N_BYTES);
        cudaDeviceSynchronize();
    }
};

volatile float seen; // what the host reads must be read

// A second stream reads what the first still writes.
void read_after_write(World &w)
{
    fill(w.first, w.a, 1);
    if (w.is_fixed) {
        cudaEventRecord(w.event, w.first);
        cudaStreamWaitEvent(w.second, w.event);
    }
    add(w.second, w.b, w.a);
}

// The first stream writes again what the second still reads: a buffer reused in flight.
void write_after_read(World &w)
{
    fill(w.first, w.a, 1);
    cudaEventRecord(w.event, w.first);
    cudaStreamWaitEvent(w.second, w.event);
    add(w.second, w.b, w.a);
    if (w.is_fixed) {
        cudaEventRecord(w.other_event, w.second);
        cudaStreamWaitEvent(w.first, w.other_event);
    }
    fill(w.first, w.a, 7);
}

// The event is recorded before the work that it shall stand for.
void early_record(World &w)
{
    if (!w.is_fixed) cudaEventRecord(w.event, w.first);
    fill(w.first, w.a, 1);
    if (w.is_fixed) cudaEventRecord(w.event, w.first);
    cudaStreamWaitEvent(w.second, w.event);
    add(w.second, w.b, w.a);
}

// The host reads what a copy has not brought yet.
void host_read(World &w)
{
    fill(w.first, w.a, 1);
    cudaMemcpyAsync(w.host, w.a, N_BYTES, cudaMemcpyDeviceToHost, w.first);
    if (w.is_fixed) cudaStreamSynchronize(w.first);
    seen = w.host[5];
}

// The host overwrites what a copy still reads.
void host_write(World &w)
{
    cudaMemcpyAsync(w.a, w.host, N_BYTES, cudaMemcpyHostToDevice, w.first);
    if (w.is_fixed) cudaStreamSynchronize(w.first);
    w.host[5] = 3;
}

// The default stream does not wait for a non-blocking one.
void default_stream(World &w)
{
    fill(w.first, w.a, 1);
    if (w.is_fixed) cudaStreamSynchronize(w.first);
    add(nullptr, w.b, w.a);
}

// But it does wait for a blocking one, and that one for it: never a bug.
void default_stream_blocking(World &w)
{
    cudaStream_t blocking;
    cudaStreamCreate(&blocking);
    fill(blocking, w.a, 1);
    add(nullptr, w.b, w.a);
    fill(blocking, w.a, 2);
}

// The host does not ask whether the event has come.
void event_query(World &w)
{
    fill(w.first, w.a, 1);
    cudaMemcpyAsync(w.host, w.a, N_BYTES, cudaMemcpyDeviceToHost, w.first);
    cudaEventRecord(w.event, w.first);
    while (w.is_fixed && cudaEventQuery(w.event) == cudaErrorNotReady) continue;
    seen = w.host[5];
}

// The peer uses what is still being copied to it.
void peer_copy(World &w)
{
    float *on_peer;
    cudaSetDevice(1);
    cudaMalloc(&on_peer, N_BYTES);
    cudaStream_t peer = make_stream();
    cudaSetDevice(0);
    fill(w.first, w.a, 1);
    cudaMemcpyPeerAsync(on_peer, 1, w.a, 0, N_BYTES, w.first);
    cudaEventRecord(w.event, w.first);
    cudaSetDevice(1);
    if (w.is_fixed) cudaStreamWaitEvent(peer, w.event);
    fill(peer, on_peer, 3);
}

// A kernel of one device is given memory of another.
void wrong_device(World &w)
{
    float *own = w.a;
    cudaSetDevice(1);
    if (w.is_fixed) cudaMalloc(&own, N_BYTES);
    fill(make_stream(), own, 1);
}

// A kernel writes one element more than there are.
void out_of_bounds(World &w)
{
    int n = w.is_fixed ? N : N + 1;
    fill_kernel<<<N / BLOCK + 1, BLOCK, 0, w.first>>>(w.a, n, 1);
}

void use_after_free(World &w)
{
    fill(w.first, w.a, 1);
    cudaFree(w.a);
    if (w.is_fixed) cudaMalloc(&w.a, N_BYTES);
    fill(w.first, w.a, 1);
}

// Freed by the host when the stream was destroyed, which is no synchronization.
void destroyed_stream(World &w)
{
    cudaMemcpyAsync(w.host, w.a, N_BYTES, cudaMemcpyDeviceToHost, w.first);
    if (w.is_fixed) cudaStreamSynchronize(w.first);
    cudaStreamDestroy(w.first);
    seen = w.host[5];
}

// Gradients are averaged in a stream of their own; that of one rank does not wait for the gradient.
void all_reduce(World &w)
{
    static AllReduce group(2);
    for (int rank = 0; rank < 2; rank++) {
        float *grad;
        cudaSetDevice(rank);
        cudaMalloc(&grad, N_BYTES);
        cudaStream_t compute = make_stream(), communicate = make_stream();
        cudaEvent_t is_there = make_event();
        fill(compute, grad, rank);
        cudaEventRecord(is_there, compute);
        if (w.is_fixed || rank == 0) cudaStreamWaitEvent(communicate, is_there);
        group.enqueue(grad, N, communicate);
    }
}

struct Scenario {
    const char *name;
    void (*run)(World &);
};

const Scenario SCENARIOS[] = {
    {"read-after-write", read_after_write},
    {"write-after-read", write_after_read},
    {"early-record", early_record},
    {"host-read", host_read},
    {"host-write", host_write},
    {"default-stream", default_stream},
    {"default-stream-blocking", default_stream_blocking},
    {"event-query", event_query},
    {"peer-copy", peer_copy},
    {"wrong-device", wrong_device},
    {"out-of-bounds", out_of_bounds},
    {"use-after-free", use_after_free},
    {"destroyed-stream", destroyed_stream},
    {"all-reduce", all_reduce},
};

} // namespace

int main(int argc, char **argv)
{
    bool is_form = argc == 3 && (strcmp(argv[2], "bug") == 0 || strcmp(argv[2], "fixed") == 0);
    for (const Scenario &scenario : SCENARIOS) {
        if (!is_form || strcmp(scenario.name, argv[1]) != 0) continue;
        World world(strcmp(argv[2], "fixed") == 0);
        scenario.run(world);
        for (int device = 0; device < 2; device++) {
            cudaSetDevice(device);
            cudaDeviceSynchronize();
        }
        cudaError_t code = cudaGetLastError();
        if (code != cudaSuccess) fprintf(stderr, "%s: %s\n", argv[1], cudaGetErrorString(code));
        return code == cudaSuccess ? 0 : 1;
    }
    fprintf(stderr, "usage: cudalab_scenarios NAME bug|fixed\n");
    return 2;
}
