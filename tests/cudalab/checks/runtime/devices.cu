// Devices: peers, variables, and launches that a device refuses.
#include <cstring>

#include "check.h"

static __device__ int counter = 40;
static __constant__ int step;

static __global__ void count_kernel()
{
    counter += step;
}

namespace
{

struct OnDevice { // as long as it lives
    explicit OnDevice(int device)
    {
        MUST(cudaSetDevice(device));
    }
    ~OnDevice()
    {
        cudaSetDevice(0);
    }
};

int count()
{
    int value;
    MUST(cudaMemcpyFromSymbol(&value, counter, sizeof(value)));
    return value;
}

} // namespace

CHECK(each_device_has_variables_of_its_own)
{
    const int steps[2] = {2, 5};
    for (int device = 0; device < 2; device++) {
        OnDevice on(device);
        MUST(cudaMemcpyToSymbol(step, &steps[device], sizeof(int)));
        count_kernel<<<1, 1>>>();
    }
    for (int device = 0; device < 2; device++) {
        OnDevice on(device);
        check::expect(count() == 40 + steps[device], "device %d has %d", device, count());
    }
    int value = 1, *address;
    check::expect(cudaMemcpyToSymbol(step, &value, sizeof(int), 4) == cudaErrorInvalidValue,
                  "behind the variable");
    check::expect(cudaGetSymbolAddress(reinterpret_cast<void **>(&address), &value) ==
                      cudaErrorInvalidSymbol,
                  "no variable of a device");
    MUST(cudaGetSymbolAddress(reinterpret_cast<void **>(&address), counter));
    check::expect(cudaFree(address) == cudaErrorInvalidValue, "a variable is not freed");
    cudaGetLastError();
}

CHECK(peer_copies_know_whose_memory_it_is)
{
    int value = 7, *on_0, *on_1;
    MUST(cudaMalloc(&on_0, sizeof(int)));
    {
        OnDevice on(1);
        MUST(cudaMalloc(&on_1, sizeof(int)));
    }
    MUST(cudaMemcpy(on_0, &value, sizeof(int), cudaMemcpyHostToDevice));
    check::expect(cudaMemcpyPeerAsync(on_0, 1, on_1, 0, sizeof(int), nullptr) ==
                      cudaErrorInvalidValue,
                  "exchanged");
    check::expect(cudaMemcpyPeerAsync(on_1, 1, on_0, 0, 8, nullptr) == cudaErrorInvalidValue,
                  "too long");
    MUST(cudaMemcpyPeerAsync(on_1, 1, on_0, 0, sizeof(int), nullptr));
    MUST(cudaMemcpy(&value, on_1, sizeof(int), cudaMemcpyDeviceToHost));
    check::expect(value == 7, "%d", value);
    MUST(cudaFree(on_0));
    MUST(cudaFree(on_1));
    cudaGetLastError();
}

CHECK(peer_access_is_enabled_once)
{
    int can;
    MUST(cudaDeviceCanAccessPeer(&can, 0, 1));
    check::expect(can == 1, "peers can");
    MUST(cudaDeviceCanAccessPeer(&can, 0, 0));
    check::expect(can == 0, "a device is no peer of itself");
    MUST(cudaDeviceEnablePeerAccess(1, 0));
    check::expect(cudaDeviceEnablePeerAccess(1, 0) == cudaErrorPeerAccessAlreadyEnabled, "twice");
    MUST(cudaDeviceDisablePeerAccess(1));
    check::expect(cudaDeviceDisablePeerAccess(1) == cudaErrorPeerAccessNotEnabled,
                  "disabled twice");
    check::expect(cudaDeviceEnablePeerAccess(0, 0) == cudaErrorInvalidDevice, "itself");
    check::expect(cudaSetDevice(2) == cudaErrorInvalidDevice, "there are two");
    check::expect(strcmp(cudaGetErrorName(cudaGetLastError()), "cudaErrorInvalidDevice") == 0,
                  "its name");
}

CHECK(launches_are_refused_that_a_device_refuses)
{
    cudaStream_t on_0;
    cudaEvent_t event;
    MUST(cudaStreamCreate(&on_0));
    count_kernel<<<1, 1025>>>();
    check::expect(cudaGetLastError() == cudaErrorInvalidConfiguration, "too many threads");
    count_kernel<<<1, dim3(1, 1, 65)>>>();
    check::expect(cudaGetLastError() == cudaErrorInvalidConfiguration, "too deep a block");
    count_kernel<<<0, 1>>>();
    check::expect(cudaGetLastError() == cudaErrorInvalidConfiguration, "no block");
    count_kernel<<<dim3(1, 65536), 1>>>();
    check::expect(cudaGetLastError() == cudaErrorInvalidConfiguration, "too high a grid");
    count_kernel<<<1, 1, 1 << 20>>>();
    check::expect(cudaGetLastError() == cudaErrorInvalidValue, "too much shared memory");
    {
        OnDevice on(1);
        count_kernel<<<1, 1, 0, on_0>>>();
        check::expect(cudaGetLastError() == cudaErrorInvalidResourceHandle,
                      "a stream of another device");
        MUST(cudaEventCreate(&event));
    }
    check::expect(cudaEventRecord(event, on_0) == cudaErrorInvalidResourceHandle,
                  "an event of another device");
    cudaGetLastError();
    MUST(cudaEventDestroy(event));
    MUST(cudaStreamDestroy(on_0));
}
