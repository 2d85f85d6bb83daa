/* The pipeline: from a config to stages and edges, and the schedules that run them.
 * plan.c decides (place.c: on which devices, teams.c: with which cores), run.c builds and joins,
 * source.c and worker.c are what the source and each stage do next, threads.c and virtual.c who is
 * next, save.c the checkpoints. */
#ifndef ADN_PIPELINE_H
#define ADN_PIPELINE_H

#include "adonis/config.h"
#include "core/core.h"
#include "data/data.h"
#include "edge/edge.h"
#include "nn/nn.h"
#include "stage/stage.h"

/* --- plan.c: what will run. Opens no device. */
enum { ADN_ON_CPU = -1 };
/* The GPUs that blocks may be placed on. */
typedef struct adn_gpus {
    int n;
    const char *why; /* there is none, where n is 0 */
} adn_gpus;
typedef struct adn_plan_block {
    adn_net_spec spec;
    adn_shape emits; /* n = batch; of the edge into the next block */
    int first_unit, last_unit;
    int gpu;              /* its number, of the first column; ADN_ON_CPU */
    adn_queue_conf queue; /* name, cores, team */
    adn_buffer_conf edge; /* into it; edge 0 is the loader's */
    double slow;          /* its steps take so many times as long: chaos.slow; 1: as they do */
    double step_s;        /* the virtual schedule: a step's modelled time, on average */
    adn_link_conf link;   /* the virtual schedule: of the edge into it */
    double predicted_s;   /* of a step of the full batch, from measured times; 0: not known */
} adn_plan_block;

typedef struct adn_plan {
    const adn_config *conf;                 /* borrowed */
    const struct adn_cuda_model *gpu_model; /* its GPUs are of this model, and not here; NULL */
    adn_model model;
    int *cuts; /* [n_block - 1] */
    int n_block;
    adn_plan_block *blocks;
    adn_shape image; /* n = batch */
    int classes;
    int n_train, n_test;
    adn_type type; /* of activations */
    /* Replicas: a step of a block takes a batch in every column; each has all blocks, on devices of
     * its own. On GPUs a column's are column_gpus behind those of the one before. */
    int n_column, column_gpus;
    int batch, short_batch, short_test; /* of a column; 0: the last batch is a full one */
    int epoch_steps, test_steps;
    int64_t epoch_samples;
    int left_out;        /* samples at the end of an epoch's order that make no step */
    int64_t until_steps; /* source steps of one block's learning; -1: by time */
    double until_s;
    adn_net_batch batches[ADN_MAX_BATCHES];
    int n_batches;
} adn_plan;
/* What `model.cuts: auto` became (cuts.c), now or when a stored run began. Zeroed: nothing. */
typedef struct adn_cuts {
    int n_block;
    int end[ADN_MAX_BLOCKS];        /* block j ends after this unit, from 1 */
    double seconds[ADN_MAX_BLOCKS]; /* of its step, measured; 0: not known */
    int n_thread;                   /* of the team that was measured */
} adn_cuts;
bool adn_cuts_are_measured(const adn_cuts *c); /* NULL: no */
/* Cuts are auto, and there are blocks to make: not in bp. */
bool adn_cuts_are_auto(const adn_config *conf);
/* Where they are: measures units and heads on the device of block 0, a few steps of each, and how
 * fast the others' are beside it; balances blocks for the fastest slowest one in the memory that is
 * free. devs: GPUs by number, all that the config names; those that are alike may be one. n_gpu: on
 * so many blocks may be; 0: devs[0] is the cpu. Else leaves *out alone. ADN_NOMEM: nothing fits. */
adn_status adn_cuts_choose(const adn_config *conf, const adn_dataset_pair *data,
                           adn_device *const *devs, int n_gpu, adn_cuts *out) ADN_MUST_USE;

/* On the cpu. data: sizes, classes, mean and std are read; pixels are not. */
adn_status adn_plan_create(const adn_config *conf, const adn_dataset_pair *data,
                           adn_plan *out) ADN_MUST_USE;
/* The same with these cuts where the config's are auto, on these GPUs where its devices are. */
adn_status adn_plan_create_cut(const adn_config *conf, const adn_dataset_pair *data,
                               const adn_cuts *cuts, const adn_gpus *gpus,
                               adn_plan *out) ADN_MUST_USE;
void adn_plan_clear_all(adn_plan *p);
/* teams.c. Threads for blocks that run side by side: one each, then core by core to the slowest, so
 * that blocks share a core only where there are more of them than cores; if the slowest block would
 * keep cores idle even so, all of them for each, which then take turns. Sets team[n_block]. */
void adn_teams_share(const double *cost, int n_block, int n_core, int *team);
typedef struct adn_device_name {
    char s[16];
} adn_device_name;
int adn_plan_gpu(const adn_plan *p, int column, int block); /* its number; ADN_ON_CPU */
adn_device_name adn_plan_device(const adn_plan *p, int column, int block); /* "cpu", "cuda:1" */
/* Seconds that a full batch keeps the modelled link of edge j busy. */
double adn_plan_transfer_s(const adn_plan *p, int edge);
/* place.c. What the config's devices come to: GPUs where it names one, or leaves it open and there
 * are some. */
bool adn_place_on_gpus(const adn_config *conf, const adn_gpus *gpus);
/* ADN_DEVICE: the config names a GPU that is not there. */
adn_status adn_place_check(const adn_config *conf, const adn_gpus *gpus) ADN_MUST_USE;
/* Sets every block's gpu: what the config says, and for `auto` runs of neighbours that cost
 * about the same, one a GPU; where there are no GPUs, the cpu. cost: [n_block]. ADN_BADCONF: what
 * the config asks for is not of such devices; ADN_DEVICE: a GPU that it names is not there. */
adn_status adn_plan_place(adn_plan *p, const double *cost, const adn_gpus *gpus) ADN_MUST_USE;
/* Cores and threads of every block's queue, by cost[n_block] (measured times where cuts, which may
 * be NULL, has them), and what is predicted of that team. */
adn_status adn_plan_teams(adn_plan *p, const double *cost, const adn_cuts *cuts) ADN_MUST_USE;
/* Puts the cores and threads that `blocks` gives this block into q; what it does not give stays. */
adn_status adn_teams_given(const adn_config *conf, int block, adn_queue_conf *q) ADN_MUST_USE;
/* Seconds of a step of all blocks side by side: the slowest block's (*slowest; may be NULL), or
 * longer where the cores have more to do. 0: not known, or blocks run one after another. */
double adn_plan_predict(const adn_plan *p, int n_core, int *slowest);
/* Edge j leads into block j. Its devices are the caller's to set; of so many columns. */
adn_edge_conf adn_plan_edge(const adn_plan *p, int edge);
/* resident.c. Whether the set is to lie in the memory of the devices of block 0
 * (devs[n_column][n_block]), once a column. ADN_BADCONF: the config insists, and they have no
 * memory of their own; ADN_NOMEM: or too little. */
adn_status adn_resident_decide(const adn_plan *p, adn_device *const *devs, bool *out) ADN_MUST_USE;
size_t adn_resident_bytes(const adn_plan *p); /* of a column */
double adn_resident_on(const adn_plan *p, adn_device *const *devs, const adn_device *dev);
/* fits.c. Refuses edges whose slots do not fit into what is free where they lie
 * (devs[n_column][n_block]), beside a set that is resident. */
adn_status adn_plan_fits(const adn_plan *p, adn_device *const *devs, bool is_resident) ADN_MUST_USE;
adn_loader_conf adn_plan_loader(const adn_plan *p, const adn_dataset_pair *data, bool is_test,
                                int64_t step);

/* --- run.c: a pipeline that stands. */
typedef struct adn_run adn_run;
typedef struct adn_saver adn_saver;
typedef struct adn_run_conf {
    const adn_plan *plan;         /* borrowed */
    const adn_dataset_pair *data; /* borrowed */
    adn_device *dev;              /* borrowed: of all blocks, unless devs says more */
    /* Borrowed [n_column][n_block], of one kind; NULL: dev for each. Copied */
    adn_device *const *devs;
    bool is_bare;                  /* as in adn_stage_conf; and no set is uploaded */
    size_t bucket_bytes;           /* tests: as in adn_stage_conf */
    uint64_t jitter;               /* tests: seed of random delays in queues and host threads */
    int64_t max_steps;             /* bench: the source ends after so many; 0: as the plan says */
    bool (*must_stop)(void *user); /* asked between source steps; NULL: never */
    void (*before_step)(void *user, int block); /* tests: of the block's thread; NULL: nothing */
    adn_status (*on_row)(void *user, const adn_epoch_row *row);     /* one call at a time, from the
                                                                       block's thread, which waits */
    adn_status (*on_edge_row)(void *user, const adn_edge_row *row); /* likewise, after the row of
                                                                       the block it leads into */
    void (*on_save)(void *user, const adn_ckpt_info *info); /* after a checkpoint is whole */
    void *user;
} adn_run_conf;
adn_status adn_run_create(const adn_run_conf *conf, adn_run **out) ADN_MUST_USE;
void adn_run_destroy(adn_run *r);
/* Checkpoints and the order of events go into this run directory (borrowed) from now on; before,
 * none are made. */
adn_status adn_run_set_dir(adn_run *r, const char *run_dir) ADN_MUST_USE;
/* Loads checkpoint folder `dir`, made after `step` source steps. with_optim false: for evaluation.
 */
adn_status adn_run_load(adn_run *r, const char *dir, int64_t step, bool with_optim) ADN_MUST_USE;
/* Seconds trained before, of a run that ends by time and was loaded. */
void adn_run_set_seconds(adn_run *r, double seconds);
/* Runs to the end as its schedule says: ADN_OK, ADN_STOPPED (asked to; saved), or the first
 * failure.
 */
adn_status adn_run_train(adn_run *r) ADN_MUST_USE;
/* recorded.c. Takes the steps of a recorded order again, on the caller's thread; the pipeline was
 * made by the same plan and stands where the order begins. Rows as they were. */
adn_status adn_run_replay(adn_run *r, adn_order_reader *order) ADN_MUST_USE;
/* One test pass, every head: rows of test_loss and test_top1 to on_row. The pipeline is at rest. */
adn_status adn_run_test(adn_run *r) ADN_MUST_USE;

/* must_stop would say yes: a source that waits asks at once. Any thread, while it runs. */
void adn_run_nudge(adn_run *r);

typedef struct adn_run_view { /* any thread, while it runs */
    int64_t source_steps;     /* committed by the source */
    double data_wait_s;       /* block 0 waiting for the loader */
    double before_s;          /* what adn_run_set_seconds said */
} adn_run_view;
adn_run_view adn_run_look(adn_run *r);
void adn_run_tell_waits(adn_run *r); /* logs who waits for whom: a run that makes no progress */
/* Whether the block will do nothing more, or nothing but forward what comes. Any thread. */
bool adn_run_is_done(adn_run *r, int block);
bool adn_run_is_resident(const adn_run *r);
adn_stage *adn_run_stage(adn_run *r, int block);
adn_edge_stats adn_run_edge(adn_run *r, int edge);
int64_t adn_run_step(const adn_run *r); /* source steps finished when it started or ended */

#endif
