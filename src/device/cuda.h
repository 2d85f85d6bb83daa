/* GPUs as devices, behind the device table. No CUDA type here: a program built without CUDA has the
 * same calls, which say so. */
#ifndef ADN_DEVICE_CUDA_H
#define ADN_DEVICE_CUDA_H

#include "device/choices.h"
#include "device/device.h"

typedef struct adn_cuda_conf {
    int ordinal;            /* among the GPUs that CUDA_VISIBLE_DEVICES leaves */
    bool allows_tf32;       /* products of fp32 in TF32, on tensor cores */
    size_t workspace_limit; /* bytes that one operation's plan may ask for; 0: no limit */
    bool times_plans;       /* several plans of cuDNN are tried, and the fastest is taken */
    adn_choices *choices;   /* borrowed: which plans were taken, and are; NULL: nowhere */
} adn_cuda_conf;

/* GPUs that this process may use; 0 where there is no driver, none, or the program was built
 * without CUDA: *why (may be NULL) then says which, in a static text. */
int adn_cuda_count(const char **why);

typedef struct adn_cuda_info {
    char model[64];                 /* "NVIDIA H100 80GB HBM3" */
    int major, minor;               /* compute capability */
    int multiprocessors, numa_node; /* -1: there is one, or it is not known */
    size_t bytes, free_bytes;
} adn_cuda_info;
/* What GPU number `ordinal` is. ADN_DEVICE: the driver does not say. */
adn_status adn_cuda_look(int ordinal, adn_cuda_info *out) ADN_MUST_USE;
bool adn_cuda_reaches(int from, int to); /* copies between them need no stop in the host's memory */
/* "CUDA 13.2, cuDNN 9.14.0, cuBLAS 13.2; driver for CUDA 13.1", or that there is no CUDA. */
void adn_cuda_versions(char *out, size_t room);

/* What NVIDIA's management library (NVML) says of a GPU at this moment. */
typedef struct adn_cuda_load {
    double power_w, power_limit_w; /* NaN: not known */
    int temperature_c;             /* -1: not known, here and below */
    int busy_percent;              /* of the last moments in which some kernel ran */
    int n_other;                   /* processes beside this one that have a context on it */
    size_t other_bytes;            /* of its memory that these hold, as far as it is known */
} adn_cuda_load;
/* False, and *out stays: the library is not here, or does not know the GPU. */
bool adn_cuda_load_look(int ordinal, adn_cuda_load *out);
/* The driver's version by that library, "580.65.06". False: it is not here. */
bool adn_cuda_driver(char *out, size_t room);

/* The version of the NCCL that groups of GPUs would use, 22703 for 2.27.3; 0: it cannot be loaded.
 */
int adn_cuda_nccl(void);

/* Opens a GPU as the device "cuda". ADN_DEVICE: there is none of that number. Close after all else
 * is destroyed. What cuDNN compiled is kept between runs in a folder: $ADONIS_CACHE (empty:
 * nowhere), else $XDG_CACHE_HOME/adonis, else $HOME/.cache/adonis. */
adn_status adn_cuda_open(const adn_cuda_conf *conf, adn_device **out) ADN_MUST_USE;

/* A GPU model that need not be here: cuDNN plans for it by its properties alone. */
typedef struct adn_cuda_model {
    const char *name;       /* "h100" */
    const char *full_name;  /* "NVIDIA H100 80GB HBM3", as its driver says */
    size_t bytes;           /* of its memory, what is for programs */
    const char *properties; /* as cuDNN writes them: JSON */
} adn_cuda_model;
/* By number, from 0; NULL: there are no more. A program built without CUDA has none. */
const adn_cuda_model *adn_cuda_model_get(int i);

/* Opens a device "cuda" that plans as such a GPU does and runs nothing: there may be no GPU and no
 * driver. Its memory is counted, not given: addresses are not to be touched, and never run out.
 * Copies, fills, imports and events do nothing; what would have to give a result fails. conf: the
 * ordinal is for messages alone. */
adn_status adn_cuda_plan_open(const adn_cuda_conf *conf, const adn_cuda_model *model,
                              adn_device **out) ADN_MUST_USE;

/* What was asked of such a device. */
typedef struct adn_cuda_planned {
    size_t bytes;  /* of its memory: what is allocated, and what queues take for cuBLAS */
    int n_without; /* operations that cuDNN has no plan for: a run would fail */
    bool compiles; /* cuDNN could compile engines: it does with a driver's libcuda.so.1 alone */
} adn_cuda_planned;
adn_cuda_planned adn_cuda_planned_of(const adn_device *dev);

/* The choices that it was opened with. */
adn_choices *adn_cuda_choices_of(const adn_device *dev);

/* Lets two GPUs copy to each other without a stop in the host's memory, where the machine can;
 * where it can't, copies work all the same. */
adn_status adn_cuda_reach(adn_device *a, adn_device *b) ADN_MUST_USE;

#endif
