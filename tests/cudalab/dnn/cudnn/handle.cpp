#include "handle.h"
#include "../common/machine.h"
#include "../common/quiet.h"
#include "../common/race.h"
#include "real.h"
#include <cstring>
#include <mutex>
#include <set>

namespace
{
struct Alive {
    lab::QuietLock lock;
    std::set<lab::CudnnHandle *> handles;
};

Alive &alive()
{
    static Alive *const all = new Alive;
    return *all;
}
} // namespace

lab::CudnnHandle *lab::handle_of(cudnnHandle_t handle)
{
    auto *own = (CudnnHandle *)handle;
    std::lock_guard<QuietLock> guard(alive().lock);

    return alive().handles.count(own) ? own : nullptr;
}

LAB_API cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    lab::Unseen unseen;
    auto *own = new lab::CudnnHandle{lab::current_device(), nullptr};

    lab::gpu_model(); // a model that the library refuses ends the program here, not in the first
                      // plan
    std::lock_guard<lab::QuietLock> guard(alive().lock);
    alive().handles.insert(own);
    *handle = (cudnnHandle_t)own;
    return CUDNN_STATUS_SUCCESS;
}

LAB_API cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    lab::Unseen unseen;
    auto *own = (lab::CudnnHandle *)handle;
    std::lock_guard<lab::QuietLock> guard(alive().lock);

    if (alive().handles.erase(own) == 0)
        return lab::refuse(CUDNN_STATUS_BAD_PARAM, "cudnnDestroy: not a handle");
    delete own;
    return CUDNN_STATUS_SUCCESS;
}

LAB_API cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    lab::Unseen unseen;
    lab::CudnnHandle *own = lab::handle_of(handle);

    if (!own) return lab::refuse(CUDNN_STATUS_BAD_PARAM, "cudnnSetStream: not a handle");
    own->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

LAB_API cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t *stream)
{
    lab::Unseen unseen;
    lab::CudnnHandle *own = lab::handle_of(handle);

    if (!own) return lab::refuse(CUDNN_STATUS_BAD_PARAM, "cudnnGetStream: not a handle");
    *stream = own->stream;
    return CUDNN_STATUS_SUCCESS;
}

// Our own refusal if there is one, else the real library's word.
LAB_API void cudnnGetLastErrorString(char *message, size_t max_size)
{
    if (*lab::last_refusal() && max_size > 0) {
        strncpy(message, lab::last_refusal(), max_size - 1);
        message[max_size - 1] = 0;
        lab::forget_refusal();
    } else {
        LAB_REAL(cudnnGetLastErrorString)(message, max_size);
    }
}
