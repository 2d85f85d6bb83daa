#include "handle.h"
#include "../common/machine.h"
#include "../common/quiet.h"
#include "../common/race.h"
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <set>

namespace
{
struct Alive {
    lab::QuietLock lock;
    std::set<lab::CublasHandle *> handles;
};

Alive &alive()
{
    static Alive *const all = new Alive;
    return *all;
}

// f on the handle, if it is one.
template <class F> cublasStatus_t with_handle(cublasHandle_t handle, F f)
{
    lab::Unseen unseen;
    lab::CublasHandle *own = lab::handle_of(handle);

    if (!own) return lab::refuse(CUBLAS_STATUS_NOT_INITIALIZED, "not a handle");
    return f(*own);
}
} // namespace

lab::CublasHandle *lab::handle_of(cublasHandle_t handle)
{
    auto *own = (CublasHandle *)handle;
    std::lock_guard<QuietLock> guard(alive().lock);

    return alive().handles.count(own) ? own : nullptr;
}

cublasStatus_t lab::refuse(cublasStatus_t status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "labcublas: ");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

LAB_API cublasStatus_t cublasGetProperty(libraryPropertyType type, int *value)
{
    const int version[] = {CUBLAS_VER_MAJOR, CUBLAS_VER_MINOR, CUBLAS_VER_PATCH};
    if (type < MAJOR_VERSION || type > PATCH_LEVEL) return CUBLAS_STATUS_INVALID_VALUE;
    *value = version[type];
    return CUBLAS_STATUS_SUCCESS;
}

LAB_API cublasStatus_t cublasCreate_v2(cublasHandle_t *handle)
{
    lab::Unseen unseen;
    auto *own = new lab::CublasHandle;

    own->device = lab::current_device();
    std::lock_guard<lab::QuietLock> guard(alive().lock);
    alive().handles.insert(own);
    *handle = (cublasHandle_t)own;
    return CUBLAS_STATUS_SUCCESS;
}

LAB_API cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    return with_handle(handle, [](lab::CublasHandle &own) {
        cudaDeviceSynchronize(); // the real one does, too
        std::lock_guard<lab::QuietLock> guard(alive().lock);
        alive().handles.erase(&own);
        delete &own;
        return CUBLAS_STATUS_SUCCESS;
    });
}

// Back to the library's own workspace, as the real one does.
LAB_API cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    return with_handle(handle, [&](lab::CublasHandle &own) {
        own.stream = stream;
        own.workspace = nullptr;
        own.workspace_bytes = 0;
        return CUBLAS_STATUS_SUCCESS;
    });
}

LAB_API cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t *stream)
{
    return with_handle(handle, [&](lab::CublasHandle &own) {
        *stream = own.stream;
        return CUBLAS_STATUS_SUCCESS;
    });
}

LAB_API cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    return with_handle(handle, [&](lab::CublasHandle &own) {
        own.math = mode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

LAB_API cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t *mode)
{
    return with_handle(handle, [&](lab::CublasHandle &own) {
        *mode = own.math;
        return CUBLAS_STATUS_SUCCESS;
    });
}

LAB_API cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode)
{
    return with_handle(handle, [&](lab::CublasHandle &own) {
        own.pointer_mode = mode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

LAB_API cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *start, size_t n_bytes)
{
    return with_handle(handle, [&](lab::CublasHandle &own) {
        if (n_bytes > 0 && ((uintptr_t)start % 256 != 0 ||
                            lab::find_bytes(start, n_bytes, own.device).place != lab::Place::fine))
            return lab::refuse(CUBLAS_STATUS_INVALID_VALUE,
                               "a workspace must be the device's memory, aligned to 256 bytes");
        own.workspace = start;
        own.workspace_bytes = n_bytes;
        return CUBLAS_STATUS_SUCCESS;
    });
}

LAB_API cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int *version)
{
    *version = CUBLAS_VERSION;
    return CUBLAS_STATUS_SUCCESS;
}

LAB_API const char *cublasGetStatusString(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "success";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "the library was not initialized";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "an unsupported value or parameter was passed";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "the functionality requested is not supported";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "the program failed to execute";
    default:
        return "cuBLAS error";
    }
}

LAB_API const char *cublasGetStatusName(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
        return "CUBLAS_STATUS_?";
    }
}
