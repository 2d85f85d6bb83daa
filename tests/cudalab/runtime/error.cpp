// The last error, the errors' names, and settings.
#include "error.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace lab
{

namespace
{

thread_local cudaError_t last_error = cudaSuccess;

struct ErrorText {
    cudaError_t code;
    const char *name, *text;
};

// Those that the lab returns, and those that programs compare with.
const ErrorText ERROR_TEXTS[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInvalidSymbol, "cudaErrorInvalidSymbol", "invalid device symbol"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient"},
    {cudaErrorMissingConfiguration, "cudaErrorMissingConfiguration",
     "kernel launch without configuration"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image for the device"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorPeerAccessAlreadyEnabled, "cudaErrorPeerAccessAlreadyEnabled",
     "peer access is already enabled"},
    {cudaErrorPeerAccessNotEnabled, "cudaErrorPeerAccessNotEnabled",
     "peer access has not been enabled"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const ErrorText *find_text(cudaError_t code)
{
    for (const ErrorText &entry : ERROR_TEXTS)
        if (entry.code == code) return &entry;
    return nullptr;
}

} // namespace

cudaError_t keep_error(cudaError_t code)
{
    last_error = code;
    return code;
}

cudaError_t fail(cudaError_t code, const char *format, ...)
{
    char text[600];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "cudalab: %s\n", text);
    return keep_error(code);
}

int setting(const char *name, int by_default, int low, int high)
{
    const char *text = getenv(name);
    if (text == nullptr) return by_default;

    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < low || value > high) {
        fprintf(stderr, "cudalab: %s is '%s', expected a number from %d to %d\n", name, text, low,
                high);
        exit(EXIT_FAILURE);
    }
    return static_cast<int>(value);
}

} // namespace lab

LAB_API cudaError_t cudaGetLastError()
{
    cudaError_t code = lab::last_error;
    lab::last_error = cudaSuccess;
    return code;
}

LAB_API cudaError_t cudaPeekAtLastError()
{
    return lab::last_error;
}

LAB_API const char *cudaGetErrorName(cudaError_t code)
{
    const lab::ErrorText *entry = lab::find_text(code);
    return entry ? entry->name : "an error that the lab has no name for";
}

LAB_API const char *cudaGetErrorString(cudaError_t code)
{
    const lab::ErrorText *entry = lab::find_text(code);
    return entry ? entry->text : "an error that the lab has no text for";
}
