// Copies and fills, in stream order. They are ThreadSanitizer's memcpy and memset, so that it sees
// what they touch.
#include <cstring>

#include "device.h"
#include "error.h"
#include "fault.h"
#include "memory.h"
#include "registration.h"
#include "streams.h"

namespace lab
{

namespace
{

// Says what is wrong with one side of a copy. A pointer outside every allocation is the host's own
// memory, which only the direction of the copy can contradict.
cudaError_t check_side(const char *caller, const char *side, const void *p, size_t n_bytes,
                       bool must_be_device)
{
    FakeAlloc found;
    if (n_bytes == 0) return cudaSuccess;
    if (!fake_find(p, 1, &found)) {
        if (!must_be_device) return cudaSuccess;
        return fail(cudaErrorInvalidValue, "%s: the %s %p is in no allocation (freed?)", caller,
                    side, p);
    }
    if (must_be_device && found.kind == FAKE_PINNED)
        return fail(cudaErrorInvalidValue, "%s: the %s %p is host memory", caller, side, p);
    if (!fake_find(p, n_bytes, nullptr))
        return fail(cudaErrorInvalidValue,
                    "%s: %zu bytes, but the %s's allocation has only %zu from there", caller,
                    n_bytes, side, found.base + found.size - reinterpret_cast<uintptr_t>(p));
    return cudaSuccess;
}

cudaError_t check_copy(const char *caller, const void *dst, size_t dst_bytes, const void *src,
                       size_t src_bytes, cudaMemcpyKind kind)
{
    bool into_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    cudaError_t code = check_side(caller, "destination", dst, dst_bytes, into_device);
    return code == cudaSuccess ? check_side(caller, "source", src, src_bytes, from_device) : code;
}

cudaError_t copy_symbol(const char *caller, const void *symbol, size_t n_bytes, size_t offset,
                        char **address)
{
    size_t size;
    *address = static_cast<char *>(symbol_address(symbol, &size));
    if (*address == nullptr)
        return fail(cudaErrorInvalidSymbol, "%s: %p is no device variable", caller, symbol);
    if (offset > size || n_bytes > size - offset)
        return fail(cudaErrorInvalidValue, "%s: bytes %zu to %zu of a variable of %zu", caller,
                    offset, offset + n_bytes, size);
    *address += offset;
    return cudaSuccess;
}

} // namespace

} // namespace lab

using namespace lab;

LAB_API cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t n_bytes, cudaMemcpyKind kind,
                                    cudaStream_t handle)
{
    LAB_MAY_FAIL(cudaErrorUnknown);
    Stream *stream = find_stream(handle, "cudaMemcpyAsync");
    if (stream == nullptr) return cudaPeekAtLastError();
    cudaError_t code = check_copy("cudaMemcpyAsync", dst, n_bytes, src, n_bytes, kind);
    if (code != cudaSuccess) return code;
    submit(*stream, [=] { memcpy(dst, src, n_bytes); });
    return cudaSuccess;
}

LAB_API cudaError_t cudaMemcpy(void *dst, const void *src, size_t n_bytes, cudaMemcpyKind kind)
{
    cudaError_t code = cudaMemcpyAsync(dst, src, n_bytes, kind, nullptr);
    return code == cudaSuccess ? cudaStreamSynchronize(nullptr) : code;
}

LAB_API cudaError_t cudaMemcpy2DAsync(void *dst, size_t dst_pitch, const void *src,
                                      size_t src_pitch, size_t width, size_t height,
                                      cudaMemcpyKind kind, cudaStream_t handle)
{
    Stream *stream = find_stream(handle, "cudaMemcpy2DAsync");
    if (stream == nullptr) return cudaPeekAtLastError();
    if (width > dst_pitch || width > src_pitch)
        return fail(cudaErrorInvalidValue, "cudaMemcpy2DAsync: width %zu, pitches %zu and %zu",
                    width, dst_pitch, src_pitch);
    if (width == 0 || height == 0) return cudaSuccess;
    cudaError_t code = check_copy("cudaMemcpy2DAsync", dst, (height - 1) * dst_pitch + width, src,
                                  (height - 1) * src_pitch + width, kind);
    if (code != cudaSuccess) return code;
    submit(*stream, [=] {
        for (size_t row = 0; row < height; row++)
            memcpy(static_cast<char *>(dst) + row * dst_pitch,
                   static_cast<const char *>(src) + row * src_pitch, width);
    });
    return cudaSuccess;
}

LAB_API cudaError_t cudaMemcpyPeerAsync(void *dst, int dst_device, const void *src, int src_device,
                                        size_t n_bytes, cudaStream_t stream)
{
    FakeAlloc found;
    if (!fake_find(dst, n_bytes, &found) || found.dev != dst_device)
        return fail(cudaErrorInvalidValue,
                    "cudaMemcpyPeerAsync: %zu bytes at %p are no memory of device %d", n_bytes, dst,
                    dst_device);
    if (!fake_find(src, n_bytes, &found) || found.dev != src_device)
        return fail(cudaErrorInvalidValue,
                    "cudaMemcpyPeerAsync: %zu bytes at %p are no memory of device %d", n_bytes, src,
                    src_device);
    return cudaMemcpyAsync(dst, src, n_bytes, cudaMemcpyDefault, stream);
}

LAB_API cudaError_t cudaMemcpyToSymbol(const void *symbol, const void *src, size_t n_bytes,
                                       size_t offset, cudaMemcpyKind kind)
{
    char *address;
    cudaError_t code = copy_symbol("cudaMemcpyToSymbol", symbol, n_bytes, offset, &address);
    return code == cudaSuccess ? cudaMemcpy(address, src, n_bytes, kind) : code;
}

LAB_API cudaError_t cudaMemcpyFromSymbol(void *dst, const void *symbol, size_t n_bytes,
                                         size_t offset, cudaMemcpyKind kind)
{
    char *address;
    cudaError_t code = copy_symbol("cudaMemcpyFromSymbol", symbol, n_bytes, offset, &address);
    return code == cudaSuccess ? cudaMemcpy(dst, address, n_bytes, kind) : code;
}

LAB_API cudaError_t cudaGetSymbolAddress(void **address, const void *symbol)
{
    size_t size;
    *address = symbol_address(symbol, &size);
    return *address ? cudaSuccess
                    : fail(cudaErrorInvalidSymbol, "cudaGetSymbolAddress: %p is no device variable",
                           symbol);
}

LAB_API cudaError_t cudaMemsetAsync(void *dst, int value, size_t n_bytes, cudaStream_t handle)
{
    LAB_MAY_FAIL(cudaErrorUnknown);
    Stream *stream = find_stream(handle, "cudaMemsetAsync");
    if (stream == nullptr) return cudaPeekAtLastError();
    cudaError_t code = check_side("cudaMemsetAsync", "destination", dst, n_bytes, true);
    if (code != cudaSuccess) return code;
    submit(*stream, [=] { memset(dst, value, n_bytes); });
    return cudaSuccess;
}

LAB_API cudaError_t cudaMemset(void *dst, int value, size_t n_bytes)
{
    return cudaMemsetAsync(dst, value, n_bytes, nullptr);
}
