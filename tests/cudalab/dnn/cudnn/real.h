// The real cuDNN, behind ours: it checks descriptors, finds engines, finishes plans.
#pragma once
#include <cudnn.h>

namespace lab
{
void *real_cudnn_function(const char *name); // never null: ends the program where there is none
cudnnBackendDescriptor_t gpu_model();        // finished device properties, in place of a handle
cudnnStatus_t set_gpu_model(cudnnBackendDescriptor_t properties); // as the program's own

// Notes a refusal for cudnnGetLastErrorString, says it on stderr, returns it.
cudnnStatus_t refuse(cudnnStatus_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *last_refusal(); // of this thread; empty if none is noted
void forget_refusal();
} // namespace lab

// The real library's function of this name.
#define LAB_REAL(function)                                                                         \
    ((decltype(&function))([] {                                                                    \
        static void *const found = lab::real_cudnn_function(#function);                            \
        return found;                                                                              \
    }()))
