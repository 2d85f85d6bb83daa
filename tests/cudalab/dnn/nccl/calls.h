// The calls: their checks, and what each does in its stream. Those in a stream return false if the
// world has failed.
#pragma once
#include "communicator.h"

namespace lab
{
size_t bytes_of(ncclDataType_t type); // of one element; 0 for a type that is not emulated
bool is_collective(const Call &call);
size_t n_sent(const Call &call); // elements that this rank's buffers must hold
size_t n_received(const Call &call);

ncclResult_t check_call(const Call &call);
// One thread that calls for two ranks outside of a group: the real library may wait for ever.
void warn_of_one_thread(const Call &call);

bool run_collective(const Call &call);
std::shared_ptr<Letter> post_send(const Call &call);
bool run_receive(const Call &call);
void await_taken(World &world, Letter &letter);
} // namespace lab
