/* What the driver says of the GPUs that are here. */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "device/cuda/cuda.h"

/* Of the memory node that the GPU's slot hangs on: the system's file says it, -1 where there is
 * one node or the file is not there. */
static int numa_node(const struct cudaDeviceProp *props)
{
    char path[96];
    int node = -1;

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%04x:%02x:%02x.0/numa_node",
             (unsigned)props->pciDomainID, (unsigned)props->pciBusID, (unsigned)props->pciDeviceID);
    FILE *f = fopen(path, "r");
    if (f == NULL) return -1;
    if (fscanf(f, "%d", &node) != 1) node = -1;
    fclose(f);
    return node;
}

adn_status adn_cuda_look(int ordinal, adn_cuda_info *out)
{
    adn_status st;
    cuda_device gpu = {.conf = {.ordinal = ordinal}};
    struct cudaDeviceProp props;
    int before = 0;

    *out = (adn_cuda_info){0};
    snprintf(gpu.name, sizeof(gpu.name), "cuda:%d", ordinal);
    CUDA_TRY(st, &gpu, cudaGetDevice(&before), done);
    CUDA_TRY(st, &gpu, cudaGetDeviceProperties(&props, ordinal), done);
    snprintf(out->model, sizeof(out->model), "%.63s", props.name);
    out->major = props.major;
    out->minor = props.minor;
    out->multiprocessors = props.multiProcessorCount;
    out->numa_node = numa_node(&props);
    CUDA_TRY(st, &gpu, cudaSetDevice(ordinal), done);
    CUDA_TRY(st, &gpu, cudaMemGetInfo(&out->free_bytes, &out->bytes), done);
    CUDA_TRY(st, &gpu, cudaSetDevice(before), done);
done:
    return st;
}

bool adn_cuda_reaches(int from, int to)
{
    int can = 0;

    if (cudaDeviceCanAccessPeer(&can, from, to) == cudaSuccess) return can != 0;
    (void)cudaGetLastError();
    return false;
}

/* 13020 is 13.2. */
static void put_version(char *out, size_t room, const char *what, int version)
{
    size_t n = strlen(out);
    snprintf(out + n, room - n, "%s %d.%d", what, version / 1000, version % 1000 / 10);
}

void adn_cuda_versions(char *out, size_t room)
{
    int runtime = 0, driver = 0, major = 0, minor = 0;

    out[0] = '\0';
    if (cudaRuntimeGetVersion(&runtime) == cudaSuccess) put_version(out, room, "CUDA", runtime);
    size_t n = strlen(out), dnn = cudnnGetVersion();
    snprintf(out + n, room - n, ", cuDNN %zu.%zu.%zu", dnn / 10000, dnn / 100 % 100, dnn % 100);
    n = strlen(out);
    if (cublasGetProperty(MAJOR_VERSION, &major) == CUBLAS_STATUS_SUCCESS &&
        cublasGetProperty(MINOR_VERSION, &minor) == CUBLAS_STATUS_SUCCESS)
        snprintf(out + n, room - n, ", cuBLAS %d.%d", major, minor);
    if (cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0)
        put_version(out, room, "; driver for CUDA", driver);
    else
        snprintf(out + strlen(out), room - strlen(out), "; no driver");
}
