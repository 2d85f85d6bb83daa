/* GPUs as devices, behind the device table. No CUDA type here: a program built without CUDA has the
 * same calls, which say so. */
#ifndef ADN_DEVICE_CUDA_H
#define ADN_DEVICE_CUDA_H

#include "device/device.h"

typedef struct adn_cuda_conf {
    int ordinal;            /* among the GPUs that CUDA_VISIBLE_DEVICES leaves */
    bool allows_tf32;       /* products of fp32 in TF32, on tensor cores */
    size_t workspace_limit; /* bytes that one operation's plan may ask for; 0: no limit */
} adn_cuda_conf;

/* GPUs that this process may use; 0 where there is no driver, none, or the program was built
 * without CUDA: *why (may be NULL) then says which, in a static text. */
int adn_cuda_count(const char **why);

/* Opens a GPU as the device "cuda". ADN_DEVICE: there is none of that number. Close after all else
 * is destroyed. What cuDNN compiled is kept between runs in a folder: $ADONIS_CACHE (empty:
 * nowhere), else $XDG_CACHE_HOME/adonis, else $HOME/.cache/adonis. */
adn_status adn_cuda_open(const adn_cuda_conf *conf, adn_device **out) ADN_MUST_USE;

#endif
