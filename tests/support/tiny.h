/* Tiny experiments for tests: images that a test makes, configs from text, a run that keeps its
 * rows. */
#ifndef ADN_TEST_TINY_H
#define ADN_TEST_TINY_H

#include "pipeline/pipeline.h"

/* Images of h x w x c whose class shows in their pixels (so that a net learns something) under
 * noise. */
void tiny_data(adn_dataset_pair *out, int n_train, int n_test, int h, int w, int c, int classes);
void tiny_data_clear(adn_dataset_pair *data);

/* A config from YAML text (without its `version` line), with overrides ("a.b=c", NULL ends).
 * Asserts. */
adn_config *tiny_config(const char *yaml, const char *const *overrides);

/* The same; overrides in one text, parted by spaces. */
adn_config *tiny_config_of(const char *yaml, const char *overrides);

enum { TINY_ROWS = 1024 };
typedef struct tiny_rows {
    adn_epoch_row rows[TINY_ROWS]; /* in the order they came */
    int n;
} tiny_rows;
const adn_epoch_row *tiny_row(const tiny_rows *r, int block, int epoch); /* NULL: none */

typedef struct tiny_edge_rows {
    adn_edge_row rows[TINY_ROWS];
    int n;
} tiny_edge_rows;

enum { TINY_DEVICES = 4 };
typedef struct tiny_run { /* a plan, devices and a pipeline on them */
    adn_plan plan;
    adn_device *devs[TINY_DEVICES];
    int n_dev;
    adn_run *run;
    tiny_rows rows;
    tiny_edge_rows edge_rows;
    void (*before_step)(void *user, int block);
    void *user;
    int64_t stop_at; /* source steps after which it is asked to stop; 0: never */
    int64_t asked;   /* times the source asked */
    int64_t first_step;
    int n_save;
    double save_s;
} tiny_run;
typedef struct tiny_options {
    uint64_t jitter;
    size_t bucket_bytes;
    double save_s;         /* of its thread, that the last block saves for longer */
    const char *dir;       /* checkpoints go there; NULL: none */
    const char *order_dir; /* the order of events alone does; NULL: nowhere */
    const char *load;      /* a checkpoint folder to start from; NULL: none */
    int64_t load_step;
    int64_t stop_at;
    /* Taken: block j of replica k is on the (k n_block + j)-th of them; where there are fewer, on
     * the (j + k)-th, by turns. */
    adn_device *devs[TINY_DEVICES];
    int n_dev; /* 0: the cpu device, or GPUs (devices_get), which the run opens */
    void (*before_step)(void *user, int block); /* as in adn_run_conf; NULL: nothing */
    void *user;                                 /* its */
} tiny_options;
/* Builds; asserts. */
void tiny_open(tiny_run *t, const adn_config *conf, const adn_dataset_pair *data,
               const tiny_options *o);
void tiny_close(tiny_run *t);

/* Parameters and statistics of a net and its optimizer's states as one number: FNV-1a over their
 * doubles in PyTorch's order. */
uint64_t tiny_hash(adn_net *net, adn_optim *optim);
uint64_t tiny_run_hash(tiny_run *t); /* of all blocks */

#endif
