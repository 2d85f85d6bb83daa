/* What a run stands on before it trains: data, plan, device, pipeline, directory. Private to
 * src/pipeline. */
#ifndef ADN_PIPELINE_SETUP_H
#define ADN_PIPELINE_SETUP_H

#include "adonis/train.h"
#include "pipeline/devices.h"
#include "store/store.h"

typedef struct adn_setup {
    adn_config *conf;                 /* borrowed; gets what `auto` became */
    const adn_train_options *options; /* borrowed */
    adn_dataset_pair data;
    adn_plan plan;
    adn_devices devices;
    adn_run *run; /* NULL: the run was finished before */
    adn_rundir *dir;
    adn_train_start start;
} adn_setup;

/* Makes the rest from conf and options; an unfinished run of the name is loaded and goes on. tells:
 * must_stop, on_row, on_save and user are taken from it. Clear it after a failure, too. */
adn_status adn_setup_init(adn_setup *s, const adn_run_conf *tells) ADN_MUST_USE;
void adn_setup_clear(adn_setup *s);

/* A pipeline without a run directory, for who looks at one. data is opened and devices are
 * initialised before. */
typedef struct adn_standing {
    adn_dataset_pair data;
    adn_plan plan;
    adn_devices devices;
    adn_run *run;
} adn_standing;
adn_status adn_stand(adn_standing *s, const adn_config *conf,
                     const adn_run_conf *tells) ADN_MUST_USE;
void adn_stand_clear(adn_standing *s); /* after a failure, too */

#endif
