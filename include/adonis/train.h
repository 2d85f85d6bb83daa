/* The library's experiments: train, evaluate, plan, bench. Each takes a loaded config
 * (adonis/config.h) or a run's directory; failures are logged where they are seen, statuses are
 * those of adonis/status.h. */
#ifndef ADONIS_TRAIN_H
#define ADONIS_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "adonis/config.h"
#include "adonis/status.h"

/* A row of epochs.csv: block from 0, epoch of the block's own clock from 1. top1 in percent; img_s:
 * fresh samples learned over the seconds from the epoch's first step to its last, test passes taken
 * off; waits are shares of time, of the host's. NaN: not measured. */
typedef struct adn_epoch_row {
    int epoch, block;
    int64_t steps, samples; /* of the block's clock, when the epoch ended */
    double lr, train_loss, train_top1, test_loss, test_top1, img_s, wait_in, wait_out, seconds;
    int64_t reread; /* updates so far on batches that it had learned from before */
    double
        span_s;  /* since the row before (or the process began): waits and busy are shares of it */
    double busy; /* its queue worked or waited for a core. Its host runs ahead and waits at the
                    same time, so that waits and busy may sum up to more than 1 */
} adn_epoch_row;

/* A row of edges.csv: the edge into block `edge`, epoch of that block's clock. Counts are of the
 * training lane, since the edge's row before. Ages are in producer steps, of each read; 0 where
 * nothing was read. NaN: not measured. */
typedef struct adn_edge_row {
    int epoch, edge;
    int64_t pushed, pulled; /* by the producer, by the consumer */
    int64_t dropped;        /* overwritten before they were ever read */
    int64_t reused;         /* pulled, but not for the first time */
    int64_t lost;           /* on the way, by a modelled link */
    int64_t bytes;          /* moved over the link */
    double starved_s;       /* that the consumer waited for a batch */
    double occupancy;       /* share of its slots that hold an unread batch, mean over its reads */
    double age_mean;
    int64_t age_p50, age_p99, age_max;
    double codec_error;
} adn_edge_row;

/* How far a block is. */
typedef struct adn_stage_view {
    int64_t steps, samples; /* finished: the clock */
    int64_t rereads;        /* finished updates on batches learned from before */
    double lr;              /* of the last step */
    double loss, top1;      /* running, of the open (or last) epoch; NaN before its first step */
    int64_t tests;          /* test batches of the pass so far */
    double test_top1;       /* of the last whole pass; NaN before it */
    double img_s;           /* of the open epoch so far, test passes taken off */
    bool is_done;           /* learns no more */
} adn_stage_view;

/* What the edge into a block has done since this process began. */
typedef struct adn_edge_view {
    int64_t pushed, pulled, reused, dropped, lost; /* as in adn_edge_row */
    int64_t age_p50, age_p99;                      /* in producer steps, of all reads */
    double wait_in_s, wait_out_s; /* the block waited for a batch; its producer for a slot */
} adn_edge_view;

enum { ADN_MAX_BLOCKS = 1024 };
typedef struct adn_tick { /* a few times a second while a run trains */
    int n_block;
    adn_stage_view blocks[ADN_MAX_BLOCKS];
    adn_edge_view edges[ADN_MAX_BLOCKS]; /* [n_block]: into the block; 0 is the loader's */
    bool is_async;
    bool feeds_on; /* async: who is done still hands on what comes (after_end) */
    int64_t source_steps, until_steps; /* of the source; -1: the run ends by time */
    int64_t epoch_steps;               /* source steps an epoch */
    int64_t block_until_steps;         /* each block's own; -1 by time */
    int64_t epoch_samples;             /* of a block's clock */
    int64_t block_until_samples;       /* the same in samples, about so where `until` is in steps */
    double data_wait;                  /* share of time that block 0 waited for the loader */
    double seconds;                    /* since this process began to train */
    double before_s;                   /* trained before that, of a run that ends by time; else 0 */
    int64_t first_step;                /* source steps finished when it began */
} adn_tick;

typedef struct adn_train_start {
    const char *run_dir;
    bool is_resumed, was_finished; /* was_finished: nothing was done */
    int64_t step;                  /* source steps finished */
    int epoch;                     /* epochs finished by the source */
    int n_block;
} adn_train_start;

/* What a client sees of a run. Any may be NULL. Called from threads of the library, one call at a
 * time. */
typedef struct adn_watch {
    void *user;
    bool (*must_stop)(void *user); /* asked between steps: finish, save, ADN_STOPPED. Any thread */
    void (*on_start)(void *user, const adn_train_start *start);
    void (*on_row)(void *user, const adn_epoch_row *row);
    void (*on_tick)(void *user, const adn_tick *tick);
} adn_watch;

typedef struct adn_train_options {
    bool fresh_suffix;   /* --new */
    bool never_resume;   /* --resume never */
    const char *command; /* as typed, for command.txt */
} adn_train_options;

/* One run, to its end or to a stop; an unfinished one of the same name and config goes on. conf
 * gets what `auto` became. */
adn_status adn_train(adn_config *conf, const adn_train_options *options,
                     const adn_watch *watch) ADN_MUST_USE;

/* Tests checkpoint `which` ("last", "best" or a name) of a run: a row a block, test fields only,
 * one call at a time, from threads of the library. */
adn_status adn_eval(const char *run_dir, const char *which,
                    void (*on_row)(void *user, const adn_epoch_row *row), void *user) ADN_MUST_USE;

/* Takes the steps that a run recorded again, on one thread and whatever cores there are, and holds
 * its rows against epochs.csv: losses, accuracies, rates and clocks must be the same bits. A
 * resumed run's steps count from where its last process began. */
typedef struct adn_replay_result {
    int64_t n_step;               /* records of order.bin, or of the one a resume began */
    int64_t first_step;           /* source steps of the checkpoint it began at; 0: the start */
    int n_same, n_differ, n_more; /* rows; n_more: of an epoch that epochs.csv does not have */
    adn_epoch_row was, is;        /* the first that differ */
} adn_replay_result;
adn_status adn_replay_run(const char *run_dir,
                          void (*on_row)(void *user, const adn_epoch_row *row, bool is_same),
                          void *user, adn_replay_result *out) ADN_MUST_USE;

/* What `adonis plan` shows: text for people, or JSON. Gives (adn_free). Opens the data's headers
 * and plans on the device; trains nothing. */
adn_status adn_plan_text(adn_config *conf, bool as_json, char **out) ADN_MUST_USE;

/* The same for a model of GPU that need not be here ("h100"), for one or as many as the config
 * names: cuDNN plans for it by its properties, and nothing is measured. A name that is none:
 * ADN_USAGE; built without CUDA: ADN_DEVICE. ADN_NOMEM, it does not fit, or ADN_DEVICE, cuDNN has
 * no plan for an operation: *out is given all the same, and says what; else it stays. */
adn_status adn_plan_text_for(const adn_config *conf, const char *gpu, bool as_json,
                             char **out) ADN_MUST_USE;

/* Trains n_step steps (fewer where the config's `until` comes before) of full batches after
 * n_warmup without checkpoints, tests or a run directory and measures: see `adonis help bench`.
 * conf gets data.drop_last. Gives text (adn_free). */
typedef struct adn_bench_options {
    int n_step, n_warmup;
    bool as_json;
} adn_bench_options;
adn_status adn_bench_net(adn_config *conf, const adn_bench_options *options,
                         char **out) ADN_MUST_USE;

void adn_free(void *p); /* frees what the library gives; NULL is fine */
const char *adn_version(void);

#endif
