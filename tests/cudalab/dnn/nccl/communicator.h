// Communicators of one process: the ranks of a world meet in its rounds and mailboxes.
#pragma once
#include "../common/quiet.h"
#include <cuda_runtime_api.h>
#include <deque>
#include <map>
#include <memory>
#include <nccl.h>
#include <string>
#include <vector>

namespace lab
{
enum class Kind { all_reduce, broadcast, reduce, all_gather, reduce_scatter, send, receive };

// What one rank asked for.
struct Call {
    ncclComm *comm;
    Kind kind;
    size_t count;
    ncclDataType_t type;
    ncclRedOp_t reduction;
    int root;
    int peer;
    const void *source;
    void *target;
    cudaStream_t stream;
    uint64_t round; // a communicator's n-th collective meets the n-th of the others
};

// One collective, while its ranks arrive and leave.
struct Round {
    Call first;                          // the others must agree with it
    std::vector<std::vector<char>> sent; // by rank
    std::vector<char> result;
    int n_arrived = 0, n_left = 0;
    char order; // what ThreadSanitizer knows the meeting by
};

// One send on its way.
struct Letter {
    std::vector<char> bytes;
    size_t count;
    ncclDataType_t type;
    bool is_taken = false;
    char sent_order, taken_order;
};

// All ranks of one ncclUniqueId. The monitor guards everything in it.
struct World {
    explicit World(int n_ranks) : n_ranks(n_ranks), has_joined((size_t)n_ranks, false)
    {
    }
    QuietMonitor monitor;
    const int n_ranks;
    int n_joined = 0;
    std::vector<bool> has_joined; // by rank
    std::map<uint64_t, std::shared_ptr<Round>> rounds;
    std::map<std::pair<int, int>, std::deque<std::shared_ptr<Letter>>> mail; // from, to
    std::atomic<bool> is_aborted{false};
    std::atomic<ncclResult_t> error{ncclSuccess};
    long last_thread = 0; // that called a collective outside of a group, and for which rank
    int last_rank = -1;
};

int time_limit_s(); // of every wait: then a deadlock is reported
// Says what went wrong on stderr, for ncclGetLastError too; returns the status.
ncclResult_t refuse(ncclResult_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
ncclResult_t check_communicator(ncclComm *comm);
// All ranks get the error, whatever they wait for. With the world's monitor held.
void fail_world(World &world, ncclResult_t status, const char *why, const Call &call);

// A communicator to be made: of a group, all at its end.
struct Joining {
    ncclComm **out;
    ncclUniqueId id;
    int n_ranks, rank, device;
};
ncclResult_t join_world(const Joining &joining);
ncclResult_t await_world(ncclComm *comm); // until all its ranks have joined
} // namespace lab

struct ncclComm {
    std::shared_ptr<lab::World> world;
    int rank, device;
    uint64_t n_rounds = 0;
};

#define LAB_API extern "C" __attribute__((visibility("default")))
