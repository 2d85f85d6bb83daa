// Devices, their properties, and access between peers.
#include "device.h"

#include <atomic>
#include <cstring>

#include "error.h"
#include "fault.h"

namespace lab
{

namespace
{

const size_t DEVICE_BYTES = 8ull << 30; // what is reported; no limit is kept
const int RUNTIME_VERSION = 13000;

thread_local int chosen_device = 0;
std::atomic<bool> peer_access[MAX_DEVICES][MAX_DEVICES]; // [device][owner]

bool is_device(int device)
{
    return device >= 0 && device < n_device();
}

cudaError_t no_such_device(int device)
{
    return fail(cudaErrorInvalidDevice, "there is no device %d, only %d in all", device,
                n_device());
}

} // namespace

int n_device()
{
    static const int n = setting("CUDALAB_DEVICES", 2, 0, MAX_DEVICES);
    return n;
}

int current_device()
{
    return chosen_device;
}

bool has_peer_access(int device, int owner)
{
    return is_device(device) && is_device(owner) && peer_access[device][owner].load();
}

} // namespace lab

using namespace lab;

LAB_API cudaError_t cudaGetDeviceCount(int *n)
{
    *n = n_device();
    return *n > 0 ? cudaSuccess : keep_error(cudaErrorNoDevice);
}

LAB_API cudaError_t cudaSetDevice(int device)
{
    LAB_MAY_FAIL(cudaErrorUnknown);
    if (!is_device(device)) return no_such_device(device);
    chosen_device = device;
    return cudaSuccess;
}

LAB_API cudaError_t cudaGetDevice(int *device)
{
    *device = chosen_device;
    return cudaSuccess;
}

LAB_API cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer)
{
    if (!is_device(device)) return no_such_device(device);
    if (!is_device(peer)) return no_such_device(peer);
    *can = device != peer;
    return cudaSuccess;
}

LAB_API cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned)
{
    if (!is_device(peer)) return no_such_device(peer);
    if (peer == chosen_device)
        return fail(cudaErrorInvalidDevice, "device %d is no peer of itself", peer);
    if (peer_access[chosen_device][peer].exchange(true))
        return keep_error(cudaErrorPeerAccessAlreadyEnabled);
    return cudaSuccess;
}

LAB_API cudaError_t cudaDeviceDisablePeerAccess(int peer)
{
    if (!is_device(peer)) return no_such_device(peer);
    if (!peer_access[chosen_device][peer].exchange(false))
        return keep_error(cudaErrorPeerAccessNotEnabled);
    return cudaSuccess;
}

LAB_API cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    if (!is_device(device)) return no_such_device(device);
    memset(properties, 0, sizeof(*properties));
    strcpy(properties->name, "cudalab");
    properties->major = 7; // of the PTX that the interpreter reads
    properties->minor = 5;
    properties->pciDomainID = 0xfa4e; // no real slot's
    properties->pciBusID = device + 1;
    properties->multiProcessorCount = 4; // few, so that grids stay small
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->totalGlobalMem = DEVICE_BYTES;
    properties->sharedMemPerBlock = 48 << 10;
    return cudaSuccess;
}

LAB_API cudaError_t cudaMemGetInfo(size_t *n_free, size_t *n_total)
{
    *n_free = *n_total = DEVICE_BYTES;
    return cudaSuccess;
}

LAB_API cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = RUNTIME_VERSION;
    return cudaSuccess;
}

LAB_API cudaError_t cudaDriverGetVersion(int *version)
{
    *version = RUNTIME_VERSION;
    return cudaSuccess;
}
