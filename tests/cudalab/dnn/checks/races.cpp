// races SCENARIO good|bad: the same work on two streams, ordered by an event or not. Compiled for
// ThreadSanitizer, which must report what is not ordered and nothing else. races.sh tries all.
#include "operations.h"
#include <cstdio>
#include <cstring>
#include <cublas_v2.h>
#include <deque>
#include <memory>
#include <nccl.h>

using namespace check;

namespace
{
bool is_ordered;

// The second stream waits for what the first has to do now; a bad program forgets it.
// Both are of the device, as the event that one of them records must be.
void order(cudaStream_t first, cudaStream_t second, int device = 0)
{
    cudaEvent_t event;

    if (!is_ordered) return;
    demand(cudaSetDevice(device), "cudaSetDevice");
    demand(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    demand(cudaEventRecord(event, first), "cudaEventRecord");
    demand(cudaStreamWaitEvent(second, event, 0), "cudaStreamWaitEvent");
}

struct Streams {
    Streams(int device = 0) : first(new_stream(device)), second(new_stream(device))
    {
    }
    // Only these: a device's synchronization would wait for both in the middle, too.
    void finish()
    {
        demand(cudaStreamSynchronize(first), "cudaStreamSynchronize");
        demand(cudaStreamSynchronize(second), "cudaStreamSynchronize");
    }
    cudaStream_t first, second;
};

// A stream's read and write of a tensor, by nobody's library.
void read_on(cudaStream_t stream, const Tensor &tensor)
{
    static std::deque<std::vector<float>> kept; // one a call: two streams may not share one

    kept.emplace_back(tensor.n_elements());
    demand(cudaMemcpyAsync(kept.back().data(), tensor.memory(), tensor.n_elements() * 4,
                           cudaMemcpyDeviceToHost, stream),
           "cudaMemcpyAsync");
}

void write_on(cudaStream_t stream, const Tensor &tensor)
{
    static std::vector<float> from(1 << 16, 1.0f);

    demand(cudaMemcpyAsync(tensor.memory(), from.data(), tensor.n_elements() * 4,
                           cudaMemcpyHostToDevice, stream),
           "cudaMemcpyAsync");
}

const Integers image = {2, 16, 8, 8}, channels = {1, 16, 1, 1};

void cudnn_result()
{
    Streams streams;
    cudnnHandle_t cudnn;
    Tensor x(image, Kind::f32), y(image, Kind::f32), w({16, 16, 3, 3}, Kind::f32);

    cudnnCreate(&cudnn);
    cudnnSetStream(cudnn, streams.first);
    Graph g(cudnn);
    g.run("convolution", {convolution(g.tensor(x), g.tensor(w), g.tensor(y), {1, 1, 1})});
    order(streams.first, streams.second);
    read_on(streams.second, y);
    streams.finish();
}

void cudnn_input()
{
    Streams streams;
    cudnnHandle_t cudnn;
    Tensor x(image, Kind::f32), y(image, Kind::f32), w({16, 16, 3, 3}, Kind::f32);

    cudnnCreate(&cudnn);
    cudnnSetStream(cudnn, streams.second);
    Graph g(cudnn);
    write_on(streams.first, x);
    order(streams.first, streams.second);
    g.run("convolution", {convolution(g.tensor(x), g.tensor(w), g.tensor(y), {1, 1, 1})});
    streams.finish();
}

// Two executions that share nothing but their workspace.
void cudnn_workspace()
{
    Streams streams;
    cudnnHandle_t cudnn;
    Tensor x(image, Kind::f32), dy(image, Kind::f32), scale(channels, Kind::f32);
    Tensor mean(channels, Kind::f32), deviation(channels, Kind::f32);
    Tensor dx(image, Kind::f32), dscale(channels, Kind::f32), dbias(channels, Kind::f32);
    Tensor dx2(image, Kind::f32), dscale2(channels, Kind::f32), dbias2(channels, Kind::f32);

    cudnnCreate(&cudnn);
    cudnnSetStream(cudnn, streams.first);
    Graph g(cudnn);
    g.run("norm",
          {norm_backward({g.tensor(x), g.tensor(dy), g.tensor(dx), g.tensor(scale), g.tensor(mean),
                          g.tensor(deviation), g.tensor(dscale), g.tensor(dbias)})});
    order(streams.first, streams.second);
    for (void *&address : g.addresses) {
        if (address == dx.memory()) address = dx2.memory();
        if (address == dscale.memory()) address = dscale2.memory();
        if (address == dbias.memory()) address = dbias2.memory();
    }
    cudnnSetStream(cudnn, streams.second);
    g.execute();
    streams.finish();
}

void multiply(cublasHandle_t cublas, const Tensor &a, const Tensor &b, const Tensor &c)
{
    const float one = 1, zero = 0;

    cublasSgemm(cublas, CUBLAS_OP_N, CUBLAS_OP_N, 16, 16, 16, &one, (float *)a.memory(), 16,
                (float *)b.memory(), 16, &zero, (float *)c.memory(), 16);
}

void cublas_result()
{
    Streams streams;
    cublasHandle_t cublas;
    const Integers square = {1, 16, 16};
    Tensor a(square, Kind::f32), b(square, Kind::f32), c(square, Kind::f32);

    cublasCreate(&cublas);
    cublasSetStream(cublas, streams.first);
    multiply(cublas, a, b, c);
    order(streams.first, streams.second);
    read_on(streams.second, c);
    streams.finish();
}

void cublas_workspace()
{
    Streams streams;
    cublasHandle_t cublas;
    const Integers square = {1, 16, 16};
    Tensor a(square, Kind::f32), b(square, Kind::f32), c(square, Kind::f32), d(square, Kind::f32);
    Tensor space({1, 16, 64}, Kind::f32);

    cublasCreate(&cublas);
    for (cudaStream_t stream : {streams.first, streams.second}) {
        if (stream == streams.second) order(streams.first, streams.second);
        cublasSetStream(cublas, stream);
        cublasSetWorkspace(cublas, space.memory(), 4096);
        multiply(cublas, a, b, stream == streams.first ? c : d);
    }
    streams.finish();
}

struct Pair {
    Pair() : streams{Streams(0), Streams(1)}
    {
        ncclCommInitAll(comms, 2, nullptr);
        for (int i = 0; i < 2; i++) {
            cudaSetDevice(i);
            tensors[i].reset(new Tensor({1, 1, 1000}, Kind::f32));
        }
    }
    ~Pair()
    {
        for (Streams &one : streams) one.finish();
        for (ncclComm_t comm : comms) ncclCommDestroy(comm);
    }
    ncclComm_t comms[2];
    Streams streams[2];
    std::unique_ptr<Tensor> tensors[2];
};

void sum_on_second(Pair &pair)
{
    ncclGroupStart();
    for (int i = 0; i < 2; i++)
        ncclAllReduce(pair.tensors[i]->memory(), pair.tensors[i]->memory(), 1000, ncclFloat,
                      ncclSum, pair.comms[i], pair.streams[i].second);
    ncclGroupEnd();
}

// A gradient that is still written when its sum begins.
void nccl_input()
{
    Pair pair;

    for (int i = 0; i < 2; i++) {
        write_on(pair.streams[i].first, *pair.tensors[i]);
        order(pair.streams[i].first, pair.streams[i].second, i);
    }
    sum_on_second(pair);
}

void nccl_result()
{
    Pair pair;

    sum_on_second(pair);
    for (int i = 0; i < 2; i++) {
        order(pair.streams[i].second, pair.streams[i].first, i);
        read_on(pair.streams[i].first, *pair.tensors[i]);
    }
}

// A receive is after all that the sender did before its send: the sender's own buffer may then be
// read.
void nccl_across()
{
    Pair pair;
    Tensor other({1, 1, 1000}, Kind::f32); // of device 1, written by it

    write_on(pair.streams[1].first, other);
    order(pair.streams[1].first, pair.streams[1].second, 1);
    ncclGroupStart();
    ncclSend(pair.tensors[1]->memory(), 1000, ncclFloat, 0, pair.comms[1], pair.streams[1].second);
    ncclRecv(pair.tensors[0]->memory(), 1000, ncclFloat, 1, pair.comms[0], pair.streams[0].second);
    ncclGroupEnd();
    read_on(pair.streams[0].second, other);
}

const struct {
    const char *name;
    void (*run)();
} scenarios[] = {
    {"cudnn_result", cudnn_result},         {"cudnn_input", cudnn_input},
    {"cudnn_workspace", cudnn_workspace},   {"cublas_result", cublas_result},
    {"cublas_workspace", cublas_workspace}, {"nccl_input", nccl_input},
    {"nccl_result", nccl_result},           {"nccl_across", nccl_across},
};
} // namespace

int main(int n_arguments, char **arguments)
{
    for (const auto &scenario : scenarios) {
        if (n_arguments == 1) printf("%s\n", scenario.name);
        if (n_arguments != 3 || strcmp(arguments[1], scenario.name) != 0) continue;
        is_ordered = strcmp(arguments[2], "good") == 0;
        scenario.run();
    }
    return status();
}
