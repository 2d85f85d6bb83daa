/* A libnvidia-ml.so.1 for the lab's GPUs: the calls that src/device/cuda/nvml.c makes. GPU 0
 * answers all of them, GPU 1 keeps what some GPUs do not tell to itself, others are not known. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6 };
enum { OF_GPU = 0 };

typedef struct gpu {
    const char *pci;
} gpu;
static const gpu gpus[] = {{"0000fa4e:01:00.0"}, {"0000fa4e:02:00.0"}};

typedef struct use {
    unsigned gpu, memory;
} use;
typedef struct process {
    unsigned pid;
    unsigned long long bytes;
    unsigned gpu_instance, compute_instance;
} process;

int nvmlInit_v2(void);
int nvmlSystemGetDriverVersion(char *out, unsigned room);
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, const gpu **out);
int nvmlDeviceGetPowerUsage(const gpu *g, unsigned *out_mw);
int nvmlDeviceGetEnforcedPowerLimit(const gpu *g, unsigned *out_mw);
int nvmlDeviceGetTemperature(const gpu *g, int where, unsigned *out_c);
int nvmlDeviceGetUtilizationRates(const gpu *g, use *out);
int nvmlDeviceGetComputeRunningProcesses_v3(const gpu *g, unsigned *n, process *out);

static int is_ready;

int nvmlInit_v2(void)
{
    is_ready = 1;
    return OK;
}

int nvmlSystemGetDriverVersion(char *out, unsigned room)
{
    if (!is_ready) return INVALID_ARGUMENT;
    snprintf(out, room, "999.11.22");
    return OK;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, const gpu **out)
{
    for (int k = 0; is_ready && k < 2; k++)
        if (strcmp(pci, gpus[k].pci) == 0) {
            *out = &gpus[k];
            return OK;
        }
    return NOT_FOUND;
}

int nvmlDeviceGetPowerUsage(const gpu *g, unsigned *out_mw)
{
    *out_mw = 85400;
    return g == &gpus[0] ? OK : NOT_SUPPORTED;
}

int nvmlDeviceGetEnforcedPowerLimit(const gpu *g, unsigned *out_mw)
{
    *out_mw = g == &gpus[0] ? 700000 : 350000;
    return OK;
}

int nvmlDeviceGetTemperature(const gpu *g, int where, unsigned *out_c)
{
    if (where != OF_GPU) return INVALID_ARGUMENT;
    *out_c = 41;
    return g == &gpus[0] ? OK : NOT_SUPPORTED;
}

int nvmlDeviceGetUtilizationRates(const gpu *g, use *out)
{
    *out = (use){97, 12};
    return g == &gpus[0] ? OK : NOT_SUPPORTED;
}

/* The asking process, one of 3 GiB, and one whose memory is not known. */
int nvmlDeviceGetComputeRunningProcesses_v3(const gpu *g, unsigned *n, process *out)
{
    const process all[] = {{.pid = (unsigned)getpid(), .bytes = 500ull << 20},
                           {.pid = 1, .bytes = 3ull << 30},
                           {.pid = 2, .bytes = ~0ull}};

    if (g != &gpus[0]) return NO_PERMISSION;
    if (*n < 3) return INVALID_ARGUMENT;
    memcpy(out, all, sizeof(all));
    *n = 3;
    return OK;
}
