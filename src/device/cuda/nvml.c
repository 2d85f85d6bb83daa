/* What NVIDIA's management library says of GPUs beside CUDA. The driver brings it, some containers
 * leave it out: it is loaded when it is first asked, and what it does not know stays unknown. Its
 * header is no part of every toolkit, so that the few calls are declared here. */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "core/log.h"
#include "device/cuda/cuda.h"

typedef struct nvmlDevice_st *nvml_gpu;
typedef struct nvml_use { /* nvmlUtilization_t */
    unsigned gpu_percent, memory_percent;
} nvml_use;
typedef struct nvml_process { /* nvmlProcessInfo_v2_t */
    unsigned pid;
    unsigned long long bytes; /* all ones: not known */
    unsigned gpu_instance, compute_instance;
} nvml_process;
enum { NVML_SUCCESS = 0, NVML_OF_GPU = 0 /* the thermometer */, MAX_PROCESSES = 256 };

static struct nvml {
    void *library;
    int (*init)(void);
    int (*driver_version)(char *out, unsigned room);
    int (*gpu_at)(const char *pci, nvml_gpu *out);
    int (*power)(nvml_gpu gpu, unsigned *out_mw);
    int (*power_limit)(nvml_gpu gpu, unsigned *out_mw);
    int (*temperature)(nvml_gpu gpu, int where, unsigned *out_c);
    int (*use)(nvml_gpu gpu, nvml_use *out);
    int (*processes)(nvml_gpu gpu, unsigned *n, nvml_process *out);
} nvml;
static pthread_once_t nvml_once = PTHREAD_ONCE_INIT;

static void load_nvml(void)
{
    const struct {
        const char *name;
        void **to;
    } calls[] = {{"nvmlInit_v2", (void **)&nvml.init},
                 {"nvmlSystemGetDriverVersion", (void **)&nvml.driver_version},
                 {"nvmlDeviceGetHandleByPciBusId_v2", (void **)&nvml.gpu_at},
                 {"nvmlDeviceGetPowerUsage", (void **)&nvml.power},
                 {"nvmlDeviceGetEnforcedPowerLimit", (void **)&nvml.power_limit},
                 {"nvmlDeviceGetTemperature", (void **)&nvml.temperature},
                 {"nvmlDeviceGetUtilizationRates", (void **)&nvml.use},
                 {"nvmlDeviceGetComputeRunningProcesses_v3", (void **)&nvml.processes}};
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);

    if (library == NULL) return;
    for (size_t i = 0; i < ADN_COUNT(calls); i++) {
        *calls[i].to = dlsym(library, calls[i].name);
        if (*calls[i].to == NULL) return;
    }
    if (nvml.init() == NVML_SUCCESS) nvml.library = library;
}

bool adn_cuda_driver(char *out, size_t room)
{
    pthread_once(&nvml_once, load_nvml);
    return nvml.library != NULL && nvml.driver_version(out, (unsigned)room) == NVML_SUCCESS;
}

static double watts(nvml_gpu gpu, int (*ask)(nvml_gpu gpu, unsigned *out_mw))
{
    unsigned mw;
    return ask(gpu, &mw) == NVML_SUCCESS ? mw / 1e3 : NAN;
}

/* Processes but this one. */
static void count_others(nvml_gpu gpu, adn_cuda_load *out)
{
    nvml_process all[MAX_PROCESSES];
    unsigned n = MAX_PROCESSES;

    if (nvml.processes(gpu, &n, all) != NVML_SUCCESS) return;
    out->n_other = 0;
    for (unsigned k = 0; k < n; k++) {
        if (all[k].pid == (unsigned)getpid()) continue;
        out->n_other++;
        if (all[k].bytes != ~0ull) out->other_bytes += all[k].bytes;
    }
}

bool adn_cuda_load_look(int ordinal, adn_cuda_load *out)
{
    struct cudaDeviceProp props;
    char pci[32];
    nvml_gpu gpu;
    unsigned c;
    nvml_use use;

    pthread_once(&nvml_once, load_nvml);
    if (nvml.library == NULL || cudaGetDeviceProperties(&props, ordinal) != cudaSuccess)
        return false;
    /* CUDA and NVML number GPUs each in its own way; the slot is the same. */
    snprintf(pci, sizeof(pci), "%08x:%02x:%02x.0", (unsigned)props.pciDomainID,
             (unsigned)props.pciBusID, (unsigned)props.pciDeviceID);
    if (nvml.gpu_at(pci, &gpu) != NVML_SUCCESS) return false;
    *out = (adn_cuda_load){.temperature_c = -1, .busy_percent = -1, .n_other = -1};
    out->power_w = watts(gpu, nvml.power);
    out->power_limit_w = watts(gpu, nvml.power_limit);
    if (nvml.temperature(gpu, NVML_OF_GPU, &c) == NVML_SUCCESS) out->temperature_c = (int)c;
    if (nvml.use(gpu, &use) == NVML_SUCCESS) out->busy_percent = (int)use.gpu_percent;
    count_others(gpu, out);
    return true;
}
