// All streams of the process, and the rules between them: what the legacy default stream waits for,
// and what the host waits for.
#pragma once
#include <cuda_runtime_api.h>

#include "stream.h"

namespace lab
{

// The stream of a handle: NULL and cudaStreamLegacy mean the current device's default stream. NULL,
// and a word on stderr about `caller`, where no stream has this handle.
Stream *find_stream(cudaStream_t handle, const char *caller);

// Puts a task into the stream. In the legacy default stream it runs after all that the device's
// blocking streams were given before it, and before all that they are given later.
void submit(Stream &stream, Task task);

void wait_for_device(int device); // all of its streams
void wait_for_all_devices();

} // namespace lab
