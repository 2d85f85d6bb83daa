/* Update rules over flat parameter arrays, and schedules of the learning rate. */
#ifndef ADN_OPTIM_H
#define ADN_OPTIM_H

#include "adonis/config.h"
#include "core/core.h"
#include "device/device.h"

/* The update rule that `conf` names (borrowed), over n_param elements of which the first n_decay
 * are decayed. Owns its states: arrays like the parameters, zero at first. */
typedef struct adn_optim adn_optim;
adn_status adn_optim_create(adn_queue *q, adn_type type, size_t n_param, size_t n_decay,
                            const adn_optim_conf *conf, adn_optim **out) ADN_MUST_USE;
void adn_optim_destroy(adn_optim *o);

typedef struct adn_update {
    double lr;
    int64_t count; /* it is the count-th, from 1 */
    bool resets;   /* momenta are zeroed first; of rules that say so (config: reset_momentum) */
} adn_update;
/* One update, enqueued. halt: device memory, nothing happens if set. */
adn_status adn_optim_step(adn_optim *o, void *params, const void *grads, const adn_update *u,
                          int32_t *halt) ADN_MUST_USE;
/* What updates the decayed elements (part 0) or the others (part 1); NULL: there are none. */
const adn_op *adn_optim_op(const adn_optim *o, int part);

/* States of a rule, and how tensors of the k-th are called in files: the parameter's name and this.
 */
enum { ADN_OPTIM_STATES = 2 };
int adn_optim_n_state(const adn_optim_conf *conf);
const char *adn_optim_state_ending(const adn_optim_conf *conf, int k);
void *adn_optim_state(adn_optim *o, int k); /* NULL: it has fewer */

/* Where a stage's clock stands before a step, in all units. */
typedef struct adn_progress {
    double epochs; /* samples / samples an epoch */
    int64_t steps;
    double seconds;     /* modelled time: real time has no say in a learning rate */
    double step_epochs; /* what this step adds to epochs */
} adn_progress;
/* The learning rate of a step. until: where linear and cosine end. */
double adn_schedule_lr(const adn_optim_conf *conf, adn_duration until, adn_progress p);
/* Decays of a step or multistep schedule so far: momentum is reset where it grows. */
int64_t adn_schedule_decays(const adn_sched_conf *s, adn_progress p);

#endif
