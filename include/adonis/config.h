/* An experiment's configuration: one schema table (schema.c) drives keys, types, ranges, defaults,
 * overrides, help and dumps. Loaded once, then read-only; strings and arrays live as long as it. */
#ifndef ADONIS_CONFIG_H
#define ADONIS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "adonis/status.h"

typedef enum adn_mode { ADN_MODE_BP, ADN_MODE_SYNC, ADN_MODE_GREEDY, ADN_MODE_ASYNC } adn_mode;
typedef enum adn_time_unit { ADN_EPOCHS, ADN_STEPS, ADN_SECONDS, ADN_NEVER } adn_time_unit;
typedef struct adn_duration { /* 50ep, 2000st, 30min (1800 seconds), inf */
    double value;
    adn_time_unit unit;
} adn_duration;

typedef enum adn_aug_kind { ADN_AUG_CROP, ADN_AUG_FLIP, ADN_AUG_CUTOUT } adn_aug_kind;
typedef struct adn_aug_conf {
    adn_aug_kind kind;
    int size; /* pixels of padding for crop, of the square's side for cutout; 0 for flip */
} adn_aug_conf;

/* Where images are augmented: on the host, or by the GPU of block 0, whose memory holds the set. */
typedef enum adn_resident { ADN_RESIDENT_AUTO, ADN_RESIDENT_TRUE, ADN_RESIDENT_FALSE } adn_resident;

enum { ADN_MAX_CHANNELS = 4, ADN_MAX_REPLICAS = 16 };
typedef struct adn_data_conf {
    const char *name; /* cifar10 | cifar100 | idx */
    const char *root; /* as resolved: absolute, or relative to the current directory */
    int batch;
    bool drop_last;
    adn_aug_conf *augment;
    int n_augment;
    bool auto_mean, auto_std;
    double mean[ADN_MAX_CHANNELS], std[ADN_MAX_CHANNELS]; /* of pixels / 255, where not auto */
    int n_mean, n_std;
    int classes; /* 0: auto */
    int readers; /* 0: auto */
    adn_resident resident;
} adn_data_conf;

/* One entry of model.units. Kinds: conv + norm + ReLU, with `pool` in front; or a residual block.
 */
typedef struct adn_unit_conf {
    bool is_residual;
    int channels;     /* of conv or residual */
    int pool;         /* side and stride of the max pool in front of the conv; 0: none */
    int stride;       /* of the residual block, or of the conv; 1 by default */
    bool bias;        /* of the conv; true by default, residual blocks have none */
    int repeat;       /* 1 by default. pool and stride belong to the first of the repeated units */
    int line, column; /* where in the file, for later errors */
} adn_unit_conf;

typedef enum adn_cuts_kind { ADN_CUTS_LIST, ADN_CUTS_EVERY, ADN_CUTS_AUTO } adn_cuts_kind;
/* How running statistics take a batch that is learned from again. */
typedef enum adn_bn_reuse { ADN_BN_ONCE, ADN_BN_EVERY } adn_bn_reuse;
typedef enum adn_init { ADN_INIT_TORCH, ADN_INIT_KAIMING, ADN_INIT_XAVIER } adn_init;
/* Of activations and their gradients; parameters, statistics and sums are fp32. tf32: fp32, whose
 * products a GPU forms of factors rounded to ten bits. */
typedef enum adn_precision {
    ADN_PRECISION_FP32,
    ADN_PRECISION_TF32,
    ADN_PRECISION_BF16
} adn_precision;
typedef enum adn_conv_algo { ADN_CONV_AUTO, ADN_CONV_DIRECT, ADN_CONV_WINOGRAD } adn_conv_algo;
typedef enum adn_head_kind {
    ADN_HEAD_LINEAR,
    ADN_HEAD_CNN,
    ADN_HEAD_MLP,
    ADN_HEAD_MLP_SR
} adn_head_kind;

typedef struct adn_head_conf {
    adn_head_kind kind;
    int conv;   /* 1x1 convolutions of mlp-sr, 3x3 of cnn (default 3 and 2) */
    int hidden; /* hidden layers of mlp and mlp-sr */
    double label_smoothing;
} adn_head_conf;

typedef struct adn_model_conf {
    const char *name; /* NULL: units are given */
    adn_unit_conf *units;
    int n_unit;
    adn_cuts_kind cuts_kind;
    int *cuts; /* ascending, from 1 */
    int n_cut;
    adn_init init;
    adn_conv_algo conv;
    adn_bn_reuse bn_reuse;
} adn_model_conf;

typedef enum adn_sched_kind {
    ADN_SCHED_CONSTANT,
    ADN_SCHED_STEP,
    ADN_SCHED_MULTISTEP,
    ADN_SCHED_LINEAR,
    ADN_SCHED_COSINE
} adn_sched_kind;
typedef struct adn_sched_conf {
    adn_sched_kind kind;
    adn_duration every; /* step */
    adn_duration *at;   /* multistep, ascending */
    int n_at;
    double factor;       /* step, multistep */
    adn_duration warmup; /* linear from 0 up to the schedule's value; {0, ADN_EPOCHS}: none */
} adn_sched_conf;

typedef enum adn_optim_kind { ADN_OPTIM_SGD, ADN_OPTIM_ADAMW } adn_optim_kind;
typedef struct adn_optim_conf {
    adn_optim_kind kind;
    double lr, weight_decay;
    bool no_decay_bias, no_decay_norm;
    double momentum; /* of sgd, as these two */
    bool nesterov;
    bool reset_momentum;  /* at each decay of a step schedule */
    double betas[2], eps; /* of adamw */
    adn_sched_conf schedule;
} adn_optim_conf;

/* Of the batches that a stage may read, the one that it reads: */
typedef enum adn_replay_policy {
    ADN_REPLAY_FIFO,          /* the oldest; each is read once, nothing is lost */
    ADN_REPLAY_LATEST,        /* the newest, read or not */
    ADN_REPLAY_LIFO,          /* the newest not yet read; where all are, the newest */
    ADN_REPLAY_PRIORITY_LIFO, /* the least used, of these the newest */
    /* The same as the public code of Belilovsky et al. 2020 has it: it compares `index > pointer`
     * where `>=` is meant, so in a full buffer the oldest ranks as the newest. */
    ADN_REPLAY_PRIORITY_LIFO_PAPER,
    ADN_REPLAY_UNIFORM, /* drawn; the same slots and the same number of reads draw the same */
    ADN_N_REPLAY
} adn_replay_policy;

/* What a producer does where as many batches as there are slots are there already. */
typedef enum adn_when_full {
    ADN_FULL_BLOCK,      /* drops the oldest that was read; waits while all are unread */
    ADN_FULL_DROP_OLDEST /* drops the oldest, read or not: never waits. Not with fifo */
} adn_when_full;

/* Where an edge's slots lie. On a GPU batches are carried from and to the other two by copies
 * beside its work; on the cpu they are computed from where they lie, and there is no difference to
 * pinned. */
typedef enum adn_edge_place {
    ADN_EDGE_DEVICE,
    ADN_EDGE_PINNED, /* the host's memory */
    ADN_EDGE_FILE    /* without a name, in the folder of runs: gone with the process */
} adn_edge_place;

/* How an edge goes from GPU to GPU; auto is copy. */
typedef enum adn_edge_link {
    ADN_LINK_COPY, /* copies, direct where the machine can */
    ADN_LINK_NCCL  /* one sends, the other receives */
} adn_edge_link;

typedef struct adn_buffer_conf { /* the replay buffer of an edge */
    int slots;                   /* batches it holds */
    adn_edge_place place;
    adn_edge_link link;
    adn_replay_policy policy;
    adn_when_full when_full;
    int max_reuse;   /* reads of a batch in all; 0: no limit */
    int max_age;     /* in producer steps; 0: no limit */
    bool emit_fresh; /* the producer does not emit what it has learned from before */
} adn_buffer_conf;

/* --- the virtual schedule: one host thread, modelled time, real gradients */
typedef enum adn_schedule { ADN_SCHEDULE_THREADS, ADN_SCHEDULE_VIRTUAL } adn_schedule;
typedef enum adn_draw_kind {
    ADN_DRAW_CLOCK, /* a discrete-event clock: a stage begins its next step as soon as it can */
    ADN_DRAW_RANDOM /* at each tick one stage is drawn, by speed; one that cannot step is passed
                       over (the public code of Belilovsky et al. 2020) */
} adn_draw_kind;
typedef enum adn_clock_kind {
    ADN_CLOCK_FRESH,    /* a stage's clock counts what it has not learned from before */
    ADN_CLOCK_OWN_STEPS /* every update */
} adn_clock_kind;
typedef enum adn_after_end { ADN_AFTER_EVAL_FORWARD, ADN_AFTER_STOP } adn_after_end;

typedef struct adn_slow_conf {
    int block;
    double factor; /* its steps take so many times as long; below 1: it is faster */
} adn_slow_conf;
typedef struct adn_link_conf {
    int edge;         /* into this block */
    double delay_s;   /* from the end of the producer's step until the batch is there */
    double bandwidth; /* bits a second; 0: no limit. Batches go one after another */
    double loss;      /* probability that a batch is lost on the way */
} adn_link_conf;
typedef enum adn_cost { ADN_COST_EQUAL, ADN_COST_MACS } adn_cost;
typedef struct adn_chaos_conf {
    double step_s; /* modelled time of a step, the mean over all blocks, before `slow` */
    adn_cost cost; /* how it is shared out: the same for each block, or by multiply-adds */
    double spread; /* each step's time is drawn from 1 - spread .. 1 + spread times its mean */
    adn_slow_conf *slow;
    int n_slow;
    adn_link_conf *links;
    int n_link;
} adn_chaos_conf;

typedef enum adn_block_place { ADN_PLACE_AUTO, ADN_PLACE_CPU, ADN_PLACE_GPU } adn_block_place;
typedef struct adn_block_conf {
    const char *device; /* as given: auto, cpu, cpu:0-3, cuda:0 */
    adn_block_place place;
    int gpu;                   /* of cuda:N; -1: not given */
    int first_core, last_core; /* of cpu:A-B; -1: not given */
    int threads;               /* 0: auto */
    bool has_aux;              /* aux below is this block's own */
    adn_head_conf aux;
    bool has_edge; /* edge below is that of the edge into this block */
    adn_buffer_conf edge;
} adn_block_conf;

/* How GPUs compute. */
typedef struct adn_gpu_conf {
    bool takes_first_plans; /* of cuDNN's; else several are timed */
    double workspace_bytes; /* of a convolution, at most; 0: no limit */
} adn_gpu_conf;

typedef struct adn_config {
    const char *path; /* the file, as given */
    const char *name;
    const char *runs;
    uint64_t seed;
    adn_mode mode;
    adn_schedule schedule;
    adn_draw_kind draw; /* of the virtual schedule */
    adn_precision precision;
    adn_duration until;
    adn_data_conf data;
    adn_model_conf model;
    adn_head_conf aux;
    int classifier_hidden;  /* hidden layers of the last block's classifier (VGG-like nets) */
    adn_buffer_conf edge;   /* of every edge but the loader's */
    adn_block_conf *blocks; /* one entry a block where given; n_block may be 0 */
    int n_block;
    int replicas;
    adn_gpu_conf gpu;
    adn_optim_conf optim;
    adn_clock_kind clock;
    adn_after_end after_end;
    adn_chaos_conf chaos;
    adn_duration eval_every, checkpoint_every; /* of source epochs or steps; ADN_NEVER: off */
    int keep_last, keep_best;
    double log_every_s;
    struct adn_config_origins *origins; /* what was given, for show, compare and the messages */
} adn_config;

/* Reads, overrides (each "section.key=value"), checks: keys, types, ranges and what the keys say
 * about each other; opens neither data nor device. Errors and warnings are logged with
 * their place and a caret. ADN_BADCONF for all the user's mistakes. path NULL (data commands):
 * defaults and overrides alone. */
adn_status adn_config_load(const char *path, const char *const *overrides, int n_override,
                           adn_config **out) ADN_MUST_USE;
void adn_config_free(adn_config *conf); /* takes NULL */

/* How many units the net has, and how many blocks mode and cuts make of them (bp: one). Automatic
 * cuts make as many as `blocks` has entries; 0: it has none, the plan chooses. */
int adn_config_units(const adn_config *conf);
int adn_config_blocks(const adn_config *conf);

/* The whole configuration as YAML that loads again, each key with its origin as a comment
 * (default | file:line | argument | auto | unused in this mode). Gives text (adn_free). */
adn_status adn_config_dump(const adn_config *conf, char **out) ADN_MUST_USE;
/* The same as one JSON object with flat keys ("data.batch": 128). Gives text (adn_free). */
adn_status adn_config_dump_json(const adn_config *conf, char **out) ADN_MUST_USE;
/* What the user gave (file bytes and arguments), normalised so that two of them can be compared as
 * text: one "key = value" a line, sorted, without `name` and `runs`. Gives text (adn_free). */
adn_status adn_config_given(const adn_config *conf, char **out) ADN_MUST_USE;
/* Such lines of every key that this configuration uses: defaults and what `auto` became as well. */
adn_status adn_config_settings(const adn_config *conf, char **out) ADN_MUST_USE;
/* The documentation of every key: key, type, range, default, meaning. Gives text (adn_free). */
adn_status adn_config_doc(char **out) ADN_MUST_USE;
adn_status adn_config_doc_json(char **out) ADN_MUST_USE; /* the same, an object a key */
/* The word that means this value of the key ("edge.policy"); never auto, which stands for another.
 * NULL: there is none. Static. */
const char *adn_config_word(const char *key, int value);
/* Records what `auto` became, so that dumps show it: key as in the file ("blocks[1].threads"),
 * value as text. */
adn_status adn_config_resolve(adn_config *conf, const char *key, const char *value) ADN_MUST_USE;
/* The place of a key for later errors: "exp.yaml:24:3" or "argument 'model.cuts=[9]'" or "default".
 * Static in conf. */
const char *adn_config_place(const adn_config *conf, const char *key);

#endif
