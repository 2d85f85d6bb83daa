/* A run's inside. Private to src/pipeline. */
#ifndef ADN_PIPELINE_INSIDE_H
#define ADN_PIPELINE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/bell.h"
#include "core/thread.h"
#include "pipeline/pipeline.h"

/* The source and the workers are state machines that never wait: a decider (threads.c, virtual.c)
 * calls them and says who is next. They answer ADN_OK: something was done; ADN_AGAIN: nothing can
 * be done until their bell rings; ADN_END: nothing will ever be; or a failure. */

typedef struct adn_upload { /* into a column's slots of edge 0: upload.c */
    adn_run *run;
    adn_queue *queue, *own_queue; /* NULL: the run's is shared */
    struct adn_staging {          /* host memory that an upload reads; two in turn */
        uint8_t *pixels;          /* of a batch; or, of a resident set: */
        uint32_t *picks;
        adn_move *moves; /* behind the picks */
        adn_label *labels;
        int32_t *classes;
        adn_event *free; /* its upload is done */
    } staging[2];
    /* A resident set, and what makes batches of it; else NULL. */
    void *sets[ADN_N_LANE];     /* u8 [n, h, w, c] */
    void *picks;                /* and moves: of the batch that is made */
    adn_op *ops[ADN_N_LANE][2]; /* of a full batch, of the short one */
} adn_upload;

typedef struct adn_source { /* the loader as a producer: batches, test passes and markers into edge
                               0 */
    adn_run *run;
    adn_thread thread;
    adn_bell bell;
    adn_loader *train, *test;
    adn_upload uploads[ADN_MAX_REPLICAS];
    adn_queue *queues[ADN_MAX_REPLICAS]; /* of the uploads */
    int turn;
    _Atomic int64_t steps; /* finished source steps */
    int n_pass;            /* test passes that are due, the open one included */
    int n_tested;          /* steps of the open pass that were offered */
    int learner;           /* of the open pass; -1: all */
    bool must_mark;        /* when the passes are through, in sync and greedy; async at once */
    bool is_ending;        /* no training batch follows */
    bool is_closed;
    _Atomic bool must_ask; /* whether to stop */
    int64_t saved_step;    /* the last marker's, or the checkpoint's that was loaded */
    bool was_stopped;
    bool has_told_test, has_told_save; /* that some are left out */
    double before_s;                   /* trained before this process, of a run that ends by time */
    double began_s;                    /* the clock when training began, those seconds taken off */
} adn_source;

typedef struct adn_worker { /* a stage's hand */
    adn_run *run;
    adn_thread thread;
    adn_bell bell;
    int block;
    adn_slot *in, *out; /* of the training step, from its begin to its end; out NULL: emits nothing,
                           or there was no room yet */
    bool has_begun;
    adn_slot *test_in;    /* a test batch that waits for room behind the block */
    int n_test_due;       /* sync, greedy: test batches that follow the step it learned last */
    bool loses;           /* virtual: the link will lose what the next step emits */
    int64_t n_begun;      /* training batches that it learned from or passed on; a resumed run goes
                             on behind its updates. Draws of the virtual schedule are by it */
    _Atomic bool is_done; /* async: its clock has reached `until`, or nothing unlearned will come */
    bool has_left;        /* async: it takes no training batch any more */
    bool is_dry;          /* no training batch will come, no test batch either */
    bool is_over;
    adn_edge_stats seen_in; /* at the last row, for what happened since */
    double seen_out_s, seen_s, seen_idle_s;
    uint64_t jitter;
} adn_worker;

struct adn_run {
    adn_run_conf conf;
    const adn_plan *plan;
    adn_device **devs;      /* [n_column][n_block] */
    adn_queue *queue;       /* the virtual schedule: one for all; else NULL */
    const adn_clock *clock; /* the virtual schedule's; else NULL */
    struct adn_virtual *virtual;
    adn_stage **stages;
    adn_edge **edges; /* [n_block]: edge j leads into block j */
    adn_worker *workers;
    adn_source source;
    adn_saver *saver; /* NULL: no checkpoints */
    adn_order *order; /* NULL: not recorded */
    const char *run_dir;
    bool is_async;
    bool is_resident;          /* the set lies in the memory of block 0's device */
    _Atomic int n_done;        /* async: workers that are done */
    _Atomic bool is_ending;    /* async: nobody learns any more */
    pthread_mutex_t row_lock;  /* on_row: one call at a time; nothing else takes it */
    _Atomic adn_status failed; /* first failure */
};

adn_device *adn_run_dev(const adn_run *r, int column, int block);

/* What order.bin's bytes mean here: acts are a stage's (adn_stage_act). */
enum {
    ADN_ORDER_TEST = 1,     /* flag: slots of the test lane */
    ADN_ORDER_TESTED = 2,   /* flag: test batches follow the step (sync, greedy) */
    ADN_ORDER_LAST_TEST = 4 /* flag: the pass ends with this batch */
};
/* After the slots are held, before either is given on: so the file's order is a valid one. */
void adn_run_record(adn_run *r, const adn_order_step *step);

/* The first failure ends everything: edges are aborted. */
void adn_run_fail(adn_run *r, adn_status st);
void adn_run_ring(adn_run *r); /* everybody's bell */
adn_status adn_run_row(void *user,
                       const adn_epoch_row *row); /* a stage's on_row; user: adn_worker */
double adn_run_seconds(const adn_run *r);         /* trained so far, before this process too */

/* upload.c: a column's staging and, where the run is resident, its set. Cleared after a failure,
 * too. */
adn_status adn_upload_create(adn_run *r, int column, adn_upload *u) ADN_MUST_USE;
void adn_upload_clear(adn_upload *u);
/* The loader's next batch into the column's part of a slot, by staging memory `turn`; *out_epoch is
 * the batch's. */
adn_status adn_upload_batch(adn_upload *u, adn_loader *loader, int turn, adn_slot *part,
                            int *out_epoch) ADN_MUST_USE;

adn_status adn_source_create(adn_run *r, adn_source *s) ADN_MUST_USE;
void adn_source_clear(adn_source *s);
adn_status adn_source_seek(adn_source *s,
                           int64_t step) ADN_MUST_USE; /* (re)makes the loaders there */
void adn_source_begin(adn_source *s); /* before the first call of next: is anything left to do? */
adn_status adn_source_next(adn_source *s) ADN_MUST_USE;
adn_status adn_source_test(adn_source *s) ADN_MUST_USE; /* a batch of the open pass */
/* The recorded step into this slot, whose last reader is known to the queues. */
adn_status adn_source_replay(adn_source *s, const adn_order_step *step, adn_slot *out) ADN_MUST_USE;

/* worker.c. serve: test batches, markers, the end. begin and end: a training step, which holds its
 * slots in between; end after a begin alone (has_begun). */
void adn_worker_open(adn_worker *w); /* before the first call: may be done already */
/* Seconds that its queue (of its copies', on average) had nothing to do, or waited for other
 * queues; waits for what is enqueued. NaN: not measured. */
double adn_worker_idle(adn_worker *w);
adn_status adn_worker_serve(adn_worker *w) ADN_MUST_USE;
adn_status adn_worker_test(adn_worker *w) ADN_MUST_USE; /* a test batch alone */
adn_status adn_worker_begin(adn_worker *w) ADN_MUST_USE;
adn_status adn_worker_end(adn_worker *w) ADN_MUST_USE;
adn_status adn_worker_run(void *worker); /* threads.c: on a host thread of its own */
adn_status adn_source_run(void *source);

/* virtual.c */
adn_status adn_virtual_create(adn_run *r) ADN_MUST_USE; /* sets r->virtual, clock and queue */
void adn_virtual_destroy(adn_run *r);
void adn_virtual_set_seconds(adn_run *r, double seconds); /* modelled before, of a resumed run */
adn_status adn_virtual_run(adn_run *r) ADN_MUST_USE;

/* save.c: blocks save when they meet a marker; the last one makes the checkpoint whole. A full disk
 * costs the checkpoint, not the run. Any thread. */
adn_status adn_saver_create(adn_run *r, adn_saver **out) ADN_MUST_USE;
void adn_saver_destroy(adn_saver *s); /* takes NULL; abandons what is not whole */
/* Of the source, before it marks: false when too many are on their way. Its bell rings when one
 * is through. */
bool adn_saver_announce(adn_saver *s);
bool adn_saver_is_busy(adn_saver *s); /* a save was announced and is not through */
adn_status adn_saver_block(adn_saver *s, int block, int64_t step) ADN_MUST_USE;
void adn_saver_score(adn_saver *s, const adn_epoch_row *row); /* of the last block */

#endif
