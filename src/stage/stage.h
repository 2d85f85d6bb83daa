/* A stage: a block, its head, their loss and optimizer, on one device queue. Its contract: learn
 * from (x, y), emit the block's output, computed with the weights before the update (Belilovsky et
 * al. 2020, Algorithm 1). It never chooses a slot: a decider does (pipeline/). One host thread at a
 * time, but for adn_stage_look.
 *
 * With replicas it has a copy in each column, on that column's device. All begin with the same
 * weights; a step learns from a batch in each and takes the mean of their gradients, and of their
 * running statistics, so that they stay the same bits: R batches of n are one batch of R n. */
#ifndef ADN_STAGE_H
#define ADN_STAGE_H

#include "adonis/train.h"
#include "core/core.h"
#include "adonis/config.h"
#include "edge/edge.h"
#include "nn/nn.h"
#include "optim/optim.h"
#include "store/store.h"

typedef struct adn_stage adn_stage;

typedef struct adn_stage_conf {
    int block;
    const adn_net_spec *spec; /* borrowed while creating */
    int n_copy;
    adn_device *devs[ADN_MAX_REPLICAS]; /* borrowed [n_copy], of one kind */
    adn_queue_conf queue;               /* of each copy */
    adn_queue *shared; /* borrowed; of all copies. NULL: queues of their own, as `queue` says */
    bool emits_across; /* its output goes to another device */
    adn_type type;
    adn_net_batch batches[ADN_MAX_BATCHES]; /* the full training batch first */
    int n_batches;
    adn_conv_algo conv;
    const adn_optim_conf *optim; /* borrowed while the stage lives */
    adn_duration until;          /* where linear and cosine schedules end */
    int64_t epoch_samples;       /* fresh samples that make an epoch of the clock */
    adn_init init;
    uint64_t seed;
    size_t bucket_bytes;   /* of gradients that copies average together; 0: as adn_net_conf says */
    adn_clock_kind counts; /* what its clock counts */
    adn_bn_reuse bn_reuse;
    bool is_async;          /* test passes fall anywhere: an epoch's row waits for the next step */
    const adn_clock *clock; /* borrowed; of its seconds. NULL: the machine's */
    /* Called from the stage's thread when an epoch's row is complete; wait_in, wait_out and span_s
     * are the callee's. A failure ends the step that saw it. */
    adn_status (*on_row)(void *user, const adn_epoch_row *row);
    void *user;
} adn_stage_conf;
adn_status adn_stage_create(const adn_stage_conf *conf, adn_stage **out) ADN_MUST_USE;
void adn_stage_destroy(adn_stage *s);

typedef enum adn_stage_act {
    ADN_ACT_LEARN,   /* forward, emit, loss, backward, update */
    ADN_ACT_FORWARD, /* forward with running statistics, emit */
    ADN_ACT_TEST     /* the same, and the head's loss and hits into the open row */
} adn_stage_act;
/* One step of all copies whose part of `in` has a batch (to learn, all have one), enqueued; waits
 * first until the devices have finished the step before the last. Records in->read when the input
 * may be overwritten and out->written when the output stands; the caller releases and commits. out
 * NULL: emits nothing. ADN_DIVERGED when an earlier step's loss was not
 * finite (logged, with block, step and layer). */
adn_status adn_stage_step(adn_stage *s, adn_slot *in, adn_slot *out,
                          adn_stage_act act) ADN_MUST_USE;
/* Whether it has not learned from this source step before, in whichever slot it came. */
bool adn_stage_is_fresh(const adn_stage *s, const adn_slot *in);
/* Waits until all enqueued steps are finished and counted. */
adn_status adn_stage_drain(adn_stage *s) ADN_MUST_USE;
/* Drains; the row of an unfinished epoch is given too. */
adn_status adn_stage_finish(adn_stage *s) ADN_MUST_USE;

/* Drains after a test pass of its own (no training around it); its row has the test fields alone.
 */
adn_status adn_stage_finish_test(adn_stage *s) ADN_MUST_USE;

/* Writes block<j>.safetensors and block<j>.optim.safetensors (the optimizer's states; clock and
 * open epoch's sums in its metadata) into dir, and reads them back. Loading with_optim false takes
 * weights and statistics alone. */
adn_status adn_stage_save(adn_stage *s, const char *dir) ADN_MUST_USE;
adn_status adn_stage_load(adn_stage *s, const char *dir, bool with_optim) ADN_MUST_USE;

/* Its clock as enqueued, of the host thread's that steps it. */
typedef struct adn_stage_clock {
    int64_t steps, samples; /* that the clock counts */
    int64_t updates;        /* all */
    int64_t decays;         /* of its learning rate */
} adn_stage_clock;
adn_stage_clock adn_stage_clock_now(const adn_stage *s);

/* The epoch whose row is not given yet. The same thread. */
int adn_stage_open_epoch(const adn_stage *s);

/* How far it is: any thread. */
adn_stage_view adn_stage_look(adn_stage *s);

/* A copy's net and optimizer, for tests, plan and bench: all are the same. */
adn_net *adn_stage_net(adn_stage *s, int copy);
adn_optim *adn_stage_optim(adn_stage *s, int copy);
int adn_stage_n_copy(const adn_stage *s);
adn_queue *const *adn_stage_queues(adn_stage *s);     /* [n_copy] */
adn_queue *const *adn_stage_out_queues(adn_stage *s); /* which write the slots that it emits into */
/* Calls fn for each operation of a copy's step of the full batch, in its order: the net's, then the
 * updates of "weights" and, where they are apart, of "weights, no decay". */
void adn_stage_ops(const adn_stage *s, adn_op_fn fn, void *user);

#endif
