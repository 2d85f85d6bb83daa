#include "real.h"
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>

namespace lab
{
namespace
{
const size_t max_refusal = 600;
thread_local char refusal[max_refusal] = "";

[[noreturn]] void give_up(const char *what, const char *why)
{
    fprintf(stderr, "labcudnn: %s: %s\n", what, why);
    abort();
}

// RTLD_LOCAL: its functions have the names of ours.
void *open_real()
{
    const char *chosen = getenv("CUDALAB_CUDNN");
    void *library = dlopen(chosen ? chosen : LAB_REAL_CUDNN, RTLD_NOW | RTLD_LOCAL);

    if (!library) library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library) give_up("no real cuDNN", dlerror());
    return library;
}

std::string read_gpu_model()
{
    const char *chosen = getenv("CUDALAB_GPU");
    const char *path = chosen ? chosen : LAB_DEFAULT_GPU;
    FILE *file = fopen(path, "r");
    std::string text;
    char piece[4096];

    if (!file) give_up("cannot read the GPU model", path);
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;) text.append(piece, n);
    fclose(file);
    return text;
}
} // namespace

void *real_cudnn_function(const char *name)
{
    static void *const library = open_real();
    void *function = dlsym(library, name);

    if (!function) give_up("the real cuDNN lacks", name);
    return function;
}

cudnnStatus_t set_gpu_model(cudnnBackendDescriptor_t properties)
{
    static const std::string model = read_gpu_model();

    return LAB_REAL(cudnnBackendSetAttribute)(properties, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                              CUDNN_TYPE_CHAR, (int64_t)model.size() + 1,
                                              model.c_str());
}

cudnnBackendDescriptor_t gpu_model()
{
    static const cudnnBackendDescriptor_t model = [] {
        cudnnBackendDescriptor_t properties = nullptr;
        cudnnStatus_t status = LAB_REAL(cudnnBackendCreateDescriptor)(
            CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &properties);

        if (status == CUDNN_STATUS_SUCCESS) status = set_gpu_model(properties);
        if (status == CUDNN_STATUS_SUCCESS) status = LAB_REAL(cudnnBackendFinalize)(properties);
        if (status != CUDNN_STATUS_SUCCESS) {
            char why[512] = "";
            LAB_REAL(cudnnGetLastErrorString)(why, sizeof why);
            give_up("the GPU model is refused", why);
        }
        return properties;
    }();
    return model;
}

cudnnStatus_t refuse(cudnnStatus_t status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(refusal, sizeof refusal, format, arguments);
    va_end(arguments);
    fprintf(stderr, "labcudnn: %s\n", refusal);
    return status;
}

const char *last_refusal()
{
    return refusal;
}

void forget_refusal()
{
    refusal[0] = 0;
}
} // namespace lab
