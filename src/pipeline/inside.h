/* A run's inside. Private to src/pipeline. */
#ifndef ADN_PIPELINE_INSIDE_H
#define ADN_PIPELINE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/thread.h"
#include "pipeline/pipeline.h"

typedef struct adn_source { /* the loader's host thread: batches, test passes and markers into edge
                               0 */
    adn_run *run;
    adn_thread thread;
    adn_queue *queue; /* uploads */
    adn_loader *train, *test;
    struct staging { /* host memory that an upload reads; two in turn */
        uint8_t *pixels;
        adn_label *labels;
        int32_t *classes;
        adn_event *free; /* its upload is done */
    } staging[2];
    int turn;
    _Atomic int64_t steps; /* finished source steps */
    int64_t saved_step;    /* the last marker's, or the checkpoint's that was loaded */
    bool was_stopped;
    double before_s; /* trained before this process, of a run that ends by time */
    double began_s;  /* the clock when training began, those seconds taken off */
} adn_source;

typedef struct adn_worker { /* a stage's host thread */
    adn_run *run;
    adn_thread thread;
    int block;
    adn_edge_stats seen_in, seen_out; /* at the last row, for its shares of waiting */
    double seen_s;
    uint64_t jitter;
} adn_worker;

struct adn_run {
    adn_run_conf conf;
    const adn_plan *plan;
    adn_device *dev;
    adn_stage **stages;
    adn_edge **edges; /* [n_block]: edge j leads into block j */
    adn_worker *workers;
    adn_source source;
    adn_saver *saver; /* NULL: no checkpoints */
    const char *run_dir;
    pthread_mutex_t row_lock;  /* on_row: one call at a time; nothing else takes it */
    _Atomic adn_status failed; /* first failure */
};

/* The first failure ends everything: edges are aborted. */
void adn_run_fail(adn_run *r, adn_status st);
adn_status adn_run_row(void *user,
                       const adn_epoch_row *row); /* a stage's on_row; user: adn_worker */

adn_status adn_source_create(adn_run *r, adn_source *s) ADN_MUST_USE;
void adn_source_clear(adn_source *s);
adn_status adn_source_seek(adn_source *s,
                           int64_t step) ADN_MUST_USE; /* (re)makes the loaders there */
adn_status adn_source_work(void *source);
adn_status adn_source_test_pass(adn_source *s, int learner) ADN_MUST_USE;
adn_status adn_worker_work(void *worker);
adn_status adn_worker_tests(adn_worker *w, int n, int learner) ADN_MUST_USE;

/* save.c: blocks save when they meet a marker; the last one makes the checkpoint whole. A full disk
 * costs the checkpoint, not the run. Any thread. */
adn_status adn_saver_create(adn_run *r, adn_saver **out) ADN_MUST_USE;
void adn_saver_destroy(adn_saver *s); /* takes NULL; abandons what is not whole */
adn_status adn_saver_block(adn_saver *s, int block, int64_t step) ADN_MUST_USE;
void adn_saver_score(adn_saver *s, const adn_epoch_row *row); /* of the last block */

#endif
