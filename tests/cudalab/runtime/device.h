// The devices of the emulated machine: how many, which one a thread has chosen, who may touch whose
// memory.
#pragma once

namespace lab
{

const int MAX_DEVICES = 64;

int n_device(); // CUDALAB_DEVICES, 2 by default
int current_device();

// Whether kernels of `device` may touch memory of `owner`: cudaDeviceEnablePeerAccess was called
// for them.
bool has_peer_access(int device, int owner);

} // namespace lab
