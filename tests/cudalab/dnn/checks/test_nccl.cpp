// NCCL within one process: collectives, point to point, groups; and what is refused.
#include "device.h"
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nccl.h>
#include <thread>

using namespace check;

namespace
{
const int n_ranks = 2;
const size_t count = 100;

struct Rank {
    ncclComm_t comm;
    cudaStream_t stream;
    std::unique_ptr<Tensor> source, target; // twice `count` long, for what all ranks bring
};
typedef std::vector<Rank> Ranks;

Ranks open_all(Kind kind = Kind::f32)
{
    Ranks ranks(n_ranks);
    ncclComm_t comms[n_ranks];

    that(ncclCommInitAll(comms, n_ranks, nullptr) == ncclSuccess, "a communicator a device");
    for (int i = 0; i < n_ranks; i++) {
        const Integers dims = {1, 1, (int64_t)(n_ranks * count)};
        Numbers numbers = random_numbers(n_ranks * count, kind);
        ranks[(size_t)i].comm = comms[i];
        ranks[(size_t)i].stream = new_stream(i);
        ranks[(size_t)i].source.reset(new Tensor(dims, kind, numbers));
        ranks[(size_t)i].target.reset(new Tensor(dims, kind, Numbers(n_ranks * count, 0.0)));
    }
    return ranks;
}

void close_all(const Ranks &ranks)
{
    for (const Rank &rank : ranks) ncclCommDestroy(rank.comm);
}

// call(rank, its index) for all in a group, which must begin; then their results.
template <class F> std::vector<Numbers> results(const Ranks &ranks, const std::string &name, F call)
{
    std::vector<Numbers> all;

    ncclGroupStart();
    for (int i = 0; i < n_ranks; i++) call(ranks[(size_t)i], i);
    that(ncclGroupEnd() == ncclSuccess, name + " begins");
    for (int i = 0; i < n_ranks; i++) {
        cudaSetDevice(i);
        all.push_back(ranks[(size_t)i].target->read());
    }
    return all;
}

Numbers first(const Numbers &numbers, size_t n = count, size_t start = 0)
{
    return Numbers(numbers.begin() + (long)start, numbers.begin() + (long)(start + n));
}

Numbers source(const Ranks &ranks, int rank)
{
    cudaSetDevice(rank);
    return ranks[(size_t)rank].source->read();
}

void collectives(Kind kind)
{
    const Ranks ranks = open_all(kind);
    const ncclDataType_t type = kind == Kind::bf16 ? ncclBfloat16 : ncclFloat;
    const std::string in = kind == Kind::bf16 ? "bf16 " : "fp32 ";
    const double tolerance = kind == Kind::bf16 ? 1e-2 : 1e-7;
    const Numbers a = source(ranks, 0), b = source(ranks, 1);
    Numbers sum, mean, largest;

    for (size_t i = 0; i < a.size(); i++) {
        sum.push_back(a[i] + b[i]);
        mean.push_back((a[i] + b[i]) / 2);
        largest.push_back(std::fmax(a[i], b[i]));
    }
    const auto reduce = [&](const std::string &name, ncclRedOp_t reduction,
                            const Numbers &expected) {
        const auto got = results(ranks, in + name, [&](const Rank &rank, int) {
            ncclAllReduce(rank.source->memory(), rank.target->memory(), count, type, reduction,
                          rank.comm, rank.stream);
        });
        close(in + name + ", rank 0", first(got[0]), first(expected), tolerance);
        close(in + name + ", rank 1", first(got[1]), first(expected), tolerance);
    };
    reduce("sum", ncclSum, sum);
    reduce("mean", ncclAvg, mean);
    reduce("maximum", ncclMax, largest);

    auto got = results(ranks, in + "broadcast", [&](const Rank &rank, int) {
        ncclBroadcast(rank.source->memory(), rank.target->memory(), count, type, 1, rank.comm,
                      rank.stream);
    });
    close(in + "broadcast, rank 0", first(got[0]), first(b), 0);
    got = results(ranks, in + "all-gather", [&](const Rank &rank, int) {
        ncclAllGather(rank.source->memory(), rank.target->memory(), count, type, rank.comm,
                      rank.stream);
    });
    close(in + "all-gather, first half", first(got[1]), first(a), 0);
    close(in + "all-gather, second half", first(got[0], count, count), first(b), 0);
    got = results(ranks, in + "reduce-scatter", [&](const Rank &rank, int) {
        ncclReduceScatter(rank.source->memory(), rank.target->memory(), count, type, ncclSum,
                          rank.comm, rank.stream);
    });
    close(in + "reduce-scatter, rank 1", first(got[1]), first(sum, count, count), tolerance);
    got = results(ranks, in + "exchange", [&](const Rank &rank, int i) {
        ncclSend(rank.source->memory(), count, type, 1 - i, rank.comm, rank.stream);
        ncclRecv(rank.target->memory(), count, type, 1 - i, rank.comm, rank.stream);
    });
    close(in + "exchange, rank 0", first(got[0]), first(b), 0);
    close(in + "exchange, rank 1", first(got[1]), first(a), 0);
    close_all(ranks);
}

// A thread a rank, and no group: several collectives under way, in place.
void threads()
{
    ncclUniqueId id;
    std::vector<std::thread> all;
    std::vector<Numbers> got(n_ranks);

    ncclGetUniqueId(&id);
    for (int i = 0; i < n_ranks; i++)
        all.emplace_back([&, i] {
            const cudaStream_t stream = new_stream(i);
            Tensor values({1, 1, count}, Kind::f32, Numbers(count, i + 1.0));
            ncclComm_t comm;
            if (ncclCommInitRank(&comm, n_ranks, id, i) != ncclSuccess) return;
            for (int round = 0; round < 3; round++)
                ncclAllReduce(values.memory(), values.memory(), count, ncclFloat, ncclSum, comm,
                              stream);
            got[(size_t)i] = values.read();
            ncclCommDestroy(comm);
        });
    for (std::thread &thread : all) thread.join();
    for (const Numbers &numbers : got)
        close("a rank's three sums in place", numbers, Numbers(count, 12.0), 0);
}

// What is moved is moved as it is: bits that are no number of the type, and integers that no double
// holds.
void bits()
{
    const Ranks ranks = open_all();
    const uint64_t values[4] = {0x7ff0000000000001, 0xffffffffffffffff, (1ull << 60) + 1, 3};
    uint64_t got[4] = {0, 0, 0, 0};

    cudaSetDevice(0);
    cudaMemcpy(ranks[0].source->memory(), values, sizeof values, cudaMemcpyHostToDevice);
    results(ranks, "a move of bits", [&](const Rank &rank, int i) {
        if (i == 0)
            ncclSend(rank.source->memory(), 4, ncclUint64, 1, rank.comm, rank.stream);
        else
            ncclRecv(rank.target->memory(), 4, ncclUint64, 0, rank.comm, rank.stream);
    });
    cudaMemcpy(got, ranks[1].target->memory(), sizeof got, cudaMemcpyDeviceToHost);
    that(memcmp(got, values, sizeof got) == 0, "64 bits arrive as they were sent");
    close_all(ranks);
}

void refused(const std::string &name, ncclResult_t status)
{
    that(status == ncclInvalidArgument || status == ncclInvalidUsage, name + " is refused",
         ncclGetErrorString(status));
}

void refusals()
{
    const Ranks ranks = open_all();
    const Rank &rank = ranks[0];
    void *const source = rank.source->memory(), *const target = rank.target->memory();
    float host[count];
    ncclComm_t comms[3];
    const int same[2] = {0, 0};
    const auto sum = [&](const void *from, void *to, size_t n, ncclDataType_t type,
                         ncclRedOp_t how) {
        return ncclAllReduce(from, to, n, type, how, rank.comm, rank.stream);
    };

    refused("memory of the host", sum(host, target, count, ncclFloat, ncclSum));
    refused("memory of another device",
            sum(ranks[1].source->memory(), target, count, ncclFloat, ncclSum));
    refused("a buffer that is too small", sum(source, target, 10 * count, ncclFloat, ncclSum));
    refused("buffers that overlap", sum(source, (char *)source + 8, count, ncclFloat, ncclSum));
    refused("an unknown type", sum(source, target, count, ncclFloat8e4m3, ncclSum));
    refused("an unknown reduction", sum(source, target, count, ncclFloat, ncclNumOps));
    refused("a peer that is not there",
            ncclSend(source, count, ncclFloat, 2, rank.comm, rank.stream));
    refused("more devices than there are", ncclCommInitAll(comms, 3, nullptr));
    refused("a device twice", ncclCommInitAll(comms, 2, same));
    refused("the end of no group", ncclGroupEnd());
    ncclGroupStart();
    for (const Rank &one : ranks)
        ncclAllReduce(one.source->memory(), &one == &rank ? host : one.target->memory(), count,
                      ncclFloat, ncclSum, one.comm, one.stream);
    refused("a group with a refused call", ncclGroupEnd());
    that(cudaDeviceSynchronize() == cudaSuccess, "and begins none of its calls");
    close_all(ranks);
    refused("a closed communicator",
            ncclAllReduce(source, target, count, ncclFloat, ncclSum, rank.comm, rank.stream));
}

// What only the meeting shows is an asynchronous error of all ranks, as the real library reports
// it.
template <class F> void fails(const std::string &name, F call)
{
    const Ranks ranks = open_all();
    ncclResult_t error = ncclSuccess;

    results(ranks, name, call);
    for (const Rank &rank : ranks) {
        ncclCommGetAsyncError(rank.comm, &error);
        that(error != ncclSuccess, name + " is a rank's error");
    }
    error = ncclAllReduce(ranks[0].source->memory(), ranks[0].target->memory(), count, ncclFloat,
                          ncclSum, ranks[0].comm, ranks[0].stream);
    that(error != ncclSuccess, "a call after " + name + " is refused");
    for (const Rank &rank : ranks) ncclCommAbort(rank.comm);
}

void mismatches()
{
    fails("different counts", [](const Rank &rank, int i) {
        ncclAllReduce(rank.source->memory(), rank.target->memory(), count - (size_t)i, ncclFloat,
                      ncclSum, rank.comm, rank.stream);
    });
    fails("a send shorter than its receive", [](const Rank &rank, int i) {
        if (i == 0)
            ncclSend(rank.source->memory(), count - 1, ncclFloat, 1, rank.comm, rank.stream);
        else
            ncclRecv(rank.target->memory(), count, ncclFloat, 0, rank.comm, rank.stream);
    });
    fails("a receive of what is never sent", [](const Rank &rank, int i) {
        if (i == 1) ncclRecv(rank.target->memory(), count, ncclFloat, 0, rank.comm, rank.stream);
    });
    fails("a collective that a rank never calls", [](const Rank &rank, int i) {
        if (i == 0)
            ncclAllReduce(rank.source->memory(), rank.target->memory(), count, ncclFloat, ncclSum,
                          rank.comm, rank.stream);
    });
}
} // namespace

int main()
{
    setenv("CUDALAB_NCCL_TIMEOUT_S", "1", 0); // what never comes is waited for this long
    collectives(Kind::f32);
    collectives(Kind::bf16);
    threads();
    bits();
    refusals();
    mismatches();
    return status();
}
