/* libcuda.so.1 without a device: cuInit finds none, but compiled code can be "loaded" and its
   kernels "looked up". That is all cuDNN needs to finish plans that it compiles at run time.
   absent.sh makes all other entries. */
#define _GNU_SOURCE
#define __CUDA_API_VERSION_INTERNAL /* the entries under their own names, not the newest's */
#include <cuda.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void lab_note(const char *name); /* absent.c calls it, too */

/* CUDALAB_DRIVER_LOG shows what a library asks a driver for. */
void lab_note(const char *name)
{
    if (getenv("CUDALAB_DRIVER_LOG") != NULL) fprintf(stderr, "labcuda: %s\n", name);
}

/* A thing of the driver's, known by its address alone: a library, a kernel, a module, a function.
   Those of kernels and modules are never freed, as they belong to libraries that nobody counts
   here. */
static void *new_thing(void)
{
    return calloc(1, 16);
}

CUresult cuInit(unsigned int flags)
{
    lab_note("cuInit");
    return CUDA_ERROR_NO_DEVICE;
}

CUresult cuDriverGetVersion(int *version)
{
    *version = CUDA_VERSION;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count)
{
    *count = 0;
    return CUDA_ERROR_NO_DEVICE;
}

CUresult cuGetErrorString(CUresult error, const char **text)
{
    *text = error == CUDA_SUCCESS ? "no error" : "the lab's driver has no device";
    return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char **text)
{
    *text = error == CUDA_SUCCESS ? "CUDA_SUCCESS" : "CUDA_ERROR_NO_DEVICE";
    return CUDA_SUCCESS;
}

CUresult cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *jit,
                           void **jit_values, unsigned int n_jit, CUlibraryOption *options,
                           void **values, unsigned int n_options)
{
    lab_note("cuLibraryLoadData");
    *library = new_thing();
    return CUDA_SUCCESS;
}

CUresult cuLibraryUnload(CUlibrary library)
{
    free(library);
    return CUDA_SUCCESS;
}

CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name)
{
    lab_note(name);
    *kernel = new_thing();
    return CUDA_SUCCESS;
}

CUresult cuLibraryGetKernelCount(unsigned int *count, CUlibrary library)
{
    lab_note("cuLibraryGetKernelCount");
    *count = 1;
    return CUDA_SUCCESS;
}

CUresult cuLibraryEnumerateKernels(CUkernel *kernels, unsigned int count, CUlibrary library)
{
    lab_note("cuLibraryEnumerateKernels");
    for (unsigned int i = 0; i < count; i++) kernels[i] = new_thing();
    return CUDA_SUCCESS;
}

CUresult cuLibraryGetModule(CUmodule *module, CUlibrary library)
{
    lab_note("cuLibraryGetModule");
    *module = new_thing();
    return CUDA_SUCCESS;
}

CUresult cuLibraryGetGlobal(CUdeviceptr *start, size_t *n_bytes, CUlibrary library,
                            const char *name)
{
    lab_note("cuLibraryGetGlobal");
    if (start != NULL) *start = 0;
    if (n_bytes != NULL) *n_bytes = 0;
    return CUDA_SUCCESS;
}

CUresult cuKernelGetFunction(CUfunction *function, CUkernel kernel)
{
    lab_note("cuKernelGetFunction");
    *function = (CUfunction)kernel;
    return CUDA_SUCCESS;
}

/* A kernel takes any block; nothing else is asked for. */
static CUresult give_attribute(int *value, CUfunction_attribute attribute)
{
    *value = attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 : 0;
    return CUDA_SUCCESS;
}

CUresult cuKernelGetAttribute(int *value, CUfunction_attribute attribute, CUkernel kernel,
                              CUdevice device)
{
    lab_note("cuKernelGetAttribute");
    return give_attribute(value, attribute);
}

CUresult cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel kernel,
                              CUdevice device)
{
    lab_note("cuKernelSetAttribute");
    return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule *module, const void *code)
{
    lab_note("cuModuleLoadData");
    *module = new_thing();
    return CUDA_SUCCESS;
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *code, unsigned int n_options,
                            CUjit_option *options, void **values)
{
    return cuModuleLoadData(module, code);
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    lab_note("cuModuleGetFunction");
    *function = new_thing();
    return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module)
{
    free(module);
    return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function)
{
    lab_note("cuFuncGetAttribute");
    return give_attribute(value, attribute);
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value)
{
    lab_note("cuFuncSetAttribute");
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveClusters(int *count, CUfunction function, const CUlaunchConfig *config)
{
    lab_note("cuOccupancyMaxActiveClusters");
    *count = 16;
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *count, CUfunction function,
                                                     int block_size, size_t shared_bytes)
{
    lab_note("cuOccupancyMaxActiveBlocksPerMultiprocessor");
    *count = 1;
    return CUDA_SUCCESS;
}

CUresult cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                void *start, const cuuint64_t *dims, const cuuint64_t *strides,
                                const cuuint32_t *box, const cuuint32_t *element_strides,
                                CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill)
{
    lab_note("cuTensorMapEncodeTiled");
    return CUDA_SUCCESS;
}

CUresult cuTensorMapEncodeIm2col(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                 void *start, const cuuint64_t *dims, const cuuint64_t *strides,
                                 const int *lower, const int *upper, cuuint32_t channels,
                                 cuuint32_t pixels, const cuuint32_t *element_strides,
                                 CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                 CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill)
{
    lab_note("cuTensorMapEncodeIm2col");
    return CUDA_SUCCESS;
}

/* Libraries look every entry up through this one. */
CUresult cuGetProcAddress(const char *symbol, void **function, int version, cuuint64_t flags)
{
    *function = dlsym(RTLD_DEFAULT, symbol);
    if (*function == NULL) { /* this library was opened locally */
        void *self = dlopen("libcuda.so.1", RTLD_NOLOAD | RTLD_NOW);
        *function = self != NULL ? dlsym(self, symbol) : NULL;
    }
    return *function != NULL ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version, cuuint64_t flags,
                             CUdriverProcAddressQueryResult *status)
{
    const CUresult found = cuGetProcAddress(symbol, function, version, flags);

    if (status != NULL)
        *status = found == CUDA_SUCCESS ? CU_GET_PROC_ADDRESS_SUCCESS
                                        : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    return found;
}
