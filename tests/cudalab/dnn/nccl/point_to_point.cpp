// A send posts a letter and waits until it is taken; a receive waits for one.
#include "../common/race.h"
#include "calls.h"
#include <cstdio>
#include <cstring>
#include <mutex>

namespace lab
{
namespace
{
// Null if the world has failed.
std::shared_ptr<Letter> fetch(World &world, const Call &call)
{
    std::lock_guard<QuietMonitor> guard(world.monitor);
    auto &box = world.mail[{call.peer, call.comm->rank}];

    if (!world.monitor.wait([&] { return !box.empty() || world.is_aborted; }, time_limit_s()))
        fail_world(world, ncclSystemError, "nothing was sent in time to", call);
    if (world.is_aborted) return nullptr;
    const std::shared_ptr<Letter> letter = box.front();
    box.pop_front();
    if (letter->count == call.count && letter->type == call.type) return letter;
    fail_world(world, ncclInvalidUsage, "send and receive differ in count or type", call);
    return nullptr;
}
} // namespace

std::shared_ptr<Letter> post_send(const Call &call)
{
    World &world = *call.comm->world;
    const size_t n_bytes = call.count * bytes_of(call.type);
    const char *source = (const char *)call.source;
    auto letter = std::make_shared<Letter>();

    letter->count = call.count;
    letter->type = call.type;
    tell_read(source, n_bytes);
    letter->bytes.assign(source, source + n_bytes);
    tell_release(&letter->sent_order);
    std::lock_guard<QuietMonitor> guard(world.monitor);
    world.mail[{call.comm->rank, call.peer}].push_back(letter);
    world.monitor.notify();
    return letter;
}

bool run_receive(const Call &call)
{
    World &world = *call.comm->world;
    const std::shared_ptr<Letter> letter = fetch(world, call);

    if (!letter) return false;
    tell_acquire(&letter->sent_order);
    tell_write(call.target, letter->bytes.size());
    if (!letter->bytes.empty()) memcpy(call.target, letter->bytes.data(), letter->bytes.size());
    tell_release(&letter->taken_order);
    std::lock_guard<QuietMonitor> guard(world.monitor);
    letter->is_taken = true;
    world.monitor.notify();
    return true;
}

void await_taken(World &world, Letter &letter)
{
    std::lock_guard<QuietMonitor> guard(world.monitor);

    if (!world.monitor.wait([&] { return letter.is_taken || world.is_aborted; }, time_limit_s())) {
        fprintf(stderr, "labnccl: a send was never received\n");
        world.error = ncclSystemError;
        world.is_aborted = true;
        world.monitor.notify();
    }
    if (letter.is_taken) tell_acquire(&letter.taken_order);
}
} // namespace lab
