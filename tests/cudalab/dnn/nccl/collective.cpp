// A collective: each rank brings its bytes, the last to come computes, each takes its part away.
#include "../common/number.h"
#include "../common/race.h"
#include "calls.h"
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>

namespace lab
{
namespace
{
typedef std::shared_ptr<Round> RoundPtr;

Number number_of(ncclDataType_t type)
{
    switch (type) {
    case ncclInt8:
        return Number::i8;
    case ncclUint8:
        return Number::u8;
    case ncclInt32:
        return Number::i32;
    case ncclUint32:
        return Number::u32;
    case ncclInt64:
        return Number::i64;
    case ncclUint64:
        return Number::u64;
    case ncclFloat16:
        return Number::f16;
    case ncclBfloat16:
        return Number::bf16;
    case ncclFloat32:
        return Number::f32;
    case ncclFloat64:
        return Number::f64;
    default:
        return Number::none;
    }
}

double combined(ncclRedOp_t reduction, double a, double b)
{
    switch (reduction) {
    case ncclProd:
        return a * b;
    case ncclMax:
        return std::max(a, b);
    case ncclMin:
        return std::min(a, b);
    default:
        return a + b; // a sum, or a mean's
    }
}

// In the order of the ranks, rounded once.
std::vector<char> reduced(const Round &round)
{
    const Call &call = round.first;
    const Number type = number_of(call.type);
    const size_t n_ranks = round.sent.size();
    std::vector<char> result(round.sent[0].size());

    for (int64_t i = 0; i < (int64_t)(result.size() / bytes_of(call.type)); i++) {
        double value = load(round.sent[0].data(), i, type);
        for (size_t rank = 1; rank < n_ranks; rank++)
            value = combined(call.reduction, value, load(round.sent[rank].data(), i, type));
        store(result.data(), i, type, call.reduction == ncclAvg ? value / (double)n_ranks : value);
    }
    return result;
}

std::vector<char> result_of(const Round &round)
{
    std::vector<char> all;

    if (round.first.kind == Kind::broadcast) return round.sent[(size_t)round.first.root];
    if (round.first.kind != Kind::all_gather) return reduced(round);
    for (const std::vector<char> &one : round.sent) all.insert(all.end(), one.begin(), one.end());
    return all;
}

bool agree(const Call &a, const Call &b)
{
    return a.kind == b.kind && a.count == b.count && a.type == b.type &&
           a.reduction == b.reduction && a.root == b.root;
}

RoundPtr enter_round(World &world, const Call &call)
{
    RoundPtr &round = world.rounds[call.round];

    if (!round) {
        round = std::make_shared<Round>();
        round->first = call;
        round->sent.resize((size_t)world.n_ranks);
    }
    return round;
}

// Null if the world has failed.
RoundPtr meet(World &world, const Call &call, std::vector<char> mine)
{
    std::lock_guard<QuietMonitor> guard(world.monitor);
    const RoundPtr round = enter_round(world, call);
    const auto is_complete = [&] { return round->n_arrived == world.n_ranks; };

    tell_release(&round->order);
    if (!agree(round->first, call)) {
        fail_world(world, ncclInvalidUsage, "collectives of the ranks do not match", call);
        return nullptr;
    }
    round->sent[(size_t)call.comm->rank] = std::move(mine);
    round->n_arrived++;
    if (is_complete()) {
        round->result = result_of(*round);
        world.monitor.notify();
    } else if (!world.monitor.wait([&] { return is_complete() || world.is_aborted; },
                                   time_limit_s())) {
        fail_world(world, ncclSystemError, "not all ranks came in time to", call);
    }
    return is_complete() ? round : nullptr;
}

void leave(World &world, const Call &call, Round &round)
{
    std::lock_guard<QuietMonitor> guard(world.monitor);

    if (++round.n_left == world.n_ranks) world.rounds.erase(call.round);
}
} // namespace

void fail_world(World &world, ncclResult_t status, const char *why, const Call &call)
{
    const char *const names[] = {"AllReduce",     "Broadcast", "Reduce", "AllGather",
                                 "ReduceScatter", "Send",      "Recv"};

    fprintf(stderr, "labnccl: rank %d: %s (%s of %zu, type %d, reduction %d, root %d)\n",
            call.comm->rank, why, names[(int)call.kind], call.count, (int)call.type,
            (int)call.reduction, call.root);
    world.error = status;
    world.is_aborted = true;
    world.monitor.notify();
}

bool run_collective(const Call &call)
{
    World &world = *call.comm->world;
    const size_t element = bytes_of(call.type);
    const char *source = (const char *)call.source;

    tell_read(source, n_sent(call) * element);
    const RoundPtr round =
        meet(world, call, std::vector<char>(source, source + n_sent(call) * element));
    if (!round) return false;
    tell_acquire(&round->order);
    const size_t n_bytes = n_received(call) * element;
    const size_t share = call.kind == Kind::reduce_scatter ? n_bytes * (size_t)call.comm->rank : 0;
    tell_write(call.target, n_bytes);
    if (n_bytes > 0) memcpy(call.target, round->result.data() + share, n_bytes);
    leave(world, call, *round);
    return true;
}
} // namespace lab
