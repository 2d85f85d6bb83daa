/* The devices that a run's blocks are on, opened as they are asked for. Private to src/pipeline. */
#ifndef ADN_PIPELINE_DEVICES_H
#define ADN_PIPELINE_DEVICES_H

#include "device/cuda.h"
#include "pipeline/pipeline.h"

enum { ADN_MAX_GPUS = 64 };
typedef struct adn_devices {
    adn_gpus gpus;               /* those that this process may use */
    const adn_cuda_model *model; /* these are of this model, and not here; NULL: they are here */
    adn_cuda_conf conf;          /* of each GPU, but for its number; borrowed: choices */
    adn_choices *choices;        /* what GPUs chose, and are to choose again */
    adn_device *cpu, *gpu[ADN_MAX_GPUS];
    adn_device **of_block; /* [n_column][n_block] of the plan; NULL: not opened yet */
} adn_devices;

/* Counts GPUs; opens nothing. After a failure too, close them. */
adn_status adn_devices_init(adn_devices *d, const adn_config *conf) ADN_MUST_USE;
/* GPUs choose again what they chose for this run, by its plan.json, if there are any; before any is
 * opened. */
adn_status adn_devices_recall(adn_devices *d, const char *run_dir) ADN_MUST_USE;
/* Instead, for GPUs of a model that are planned for alone: as many as the config names. ADN_USAGE:
 * there is no such model; ADN_DEVICE: nothing can be planned for it; ADN_BADCONF: the config asks
 * for the cpu, or for what is measured. */
adn_status adn_devices_init_model(adn_devices *d, const adn_config *conf,
                                  const char *model) ADN_MUST_USE;
void adn_devices_close(
    adn_devices *d); /* all that were opened, after all else. Takes a zeroed one */
/* GPU number `gpu`, or ADN_ON_CPU. Borrowed. */
adn_status adn_devices_get(adn_devices *d, int gpu, adn_device **out) ADN_MUST_USE;
/* What `model.cuts: auto` comes to on these devices (adn_cuts_choose); else *out stays. */
adn_status adn_devices_cut(adn_devices *d, const adn_config *conf, const adn_dataset_pair *data,
                           adn_cuts *out) ADN_MUST_USE;
/* Sets of_block; neighbours' GPUs reach each other's memory where the machine has that. Once. */
adn_status adn_devices_open(adn_devices *d, const adn_plan *p) ADN_MUST_USE;

#endif
