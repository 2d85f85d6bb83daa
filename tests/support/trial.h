/* A run of three blocks in `async`, held against what its order.bin says. */
#ifndef ADN_TEST_TRIAL_H
#define ADN_TEST_TRIAL_H

#include "order_model.h"

enum { N_TRAIN = 90, N_TEST = 20, N_BLOCK = 3 }; /* 6 steps an epoch, the last of 10 */

typedef struct trial {
    adn_config *conf;
    tiny_run t;
    order_model model;
    const char *dir;
    bool saves; /* set before: checkpoints, too; each waits for the disk */
} trial;

void trial_setup(void); /* its images, as a fixture */
void trial_teardown(void);
const adn_dataset_pair *trial_data(void);
/* Overrides as in tiny_config_of; Asserts. */
void trial_open(trial *x, const char *overrides, const tiny_options *o);
void trial_run(trial *x); /* to its end, and reads its order */
void trial_close(trial *x);

#endif
