/* A stage's inside: stage.c (steps), settle.c (what they leave), copy.c, state.c (files). Private
 * to src/stage. */
#ifndef ADN_STAGE_INSIDE_H
#define ADN_STAGE_INSIDE_H

#include <pthread.h>

#include "optim/optim.h"
#include "stage/carry.h"
#include "stage/fresh.h"
#include "stage/stage.h"

enum {
    RUN_AHEAD = 2, /* steps enqueued beyond what the device has finished (design: run-ahead) */
    N_RESULT = 4   /* results on the way: more than RUN_AHEAD, a power of two */
};

typedef struct adn_sums { /* of an epoch or a test pass */
    double loss_sum;
    int64_t hits, n;
} adn_sums;

/* The open epoch. */
typedef struct adn_open_row {
    int epoch;
    int64_t steps;     /* updates of this epoch */
    int64_t n_stepped; /* of these since first_s */
    adn_sums train, test;
    double test_loss, test_top1; /* of the last whole pass; NaN */
    bool is_closing;             /* the epoch is over; its test pass, or the next step, is not */
    int64_t n_timed; /* fresh samples since first_s: after a resume not the whole epoch's */
    double first_s, last_s, test_s, test_first_s; /* host times; seconds spent in tests */
} adn_open_row;

typedef struct adn_pending { /* an enqueued step */
    adn_stage_act act;
    int n_copy; /* that had a batch: the first ones */
    int64_t step, clock_steps, clock_samples, rereads;
    double lr, enqueued_s;
    bool is_fresh, is_counted; /* by the clock */
    bool ends_epoch, is_last_test;
    int n_test;
} adn_pending;

/* What stands once for each column. */
typedef struct adn_copy {
    adn_device *dev;
    adn_queue *queue, *own_queue; /* own_queue NULL: it is shared */
    adn_carry *in, *out;          /* NULL: slots that it takes, emits into, are on its own device */
    adn_net *net;
    adn_optim *optim;
    adn_event **ready;        /* [n_bucket] of the net: gradients stand; NULL: it is alone */
    adn_loss_result *results; /* device memory [N_RESULT] */
    int32_t *halt;            /* device memory */
    adn_loss_result *host;    /* the same, brought to the host */
    adn_event *done[N_RESULT];
} adn_copy;
/* copy.c. One whose create failed is cleared by its owner, after a sync of its queue. */
adn_status adn_copy_create(const adn_stage_conf *conf, int column, adn_copy *c) ADN_MUST_USE;
void adn_copy_clear(adn_copy *c);

struct adn_stage {
    int block;
    adn_copy copies[ADN_MAX_REPLICAS];
    int n_copy;
    adn_group *group; /* of the copies' queues; NULL: there is one */
    adn_queue *queues[ADN_MAX_REPLICAS];
    adn_queue *in_queues[ADN_MAX_REPLICAS], *out_queues[ADN_MAX_REPLICAS];
    const adn_optim_conf *optim_conf;
    adn_duration until;
    int64_t epoch_samples;
    adn_clock_kind counts;
    adn_bn_reuse bn_reuse;
    bool is_async;
    const adn_clock *clock;
    adn_type type;
    adn_status (*on_row)(void *user, const adn_epoch_row *row);
    void *user;

    int64_t steps, samples, decays; /* the clock, as enqueued */
    int64_t rereads;                /* updates on what it had learned from before */
    adn_fresh fresh;
    adn_pending pending[N_RESULT];
    uint64_t n_enqueued, n_settled;
    bool is_in_phase; /* a range of a profiler is open */
    double settled_s; /* when the last one was settled */

    pthread_mutex_t lock; /* of what adn_stage_look reads: row, view */
    adn_open_row row;
    adn_stage_view view;
};

void adn_row_open(adn_open_row *row, int epoch);

/* settle.c: waits for the oldest step that is enqueued, and counts it. */
adn_status adn_stage_settle(adn_stage *s);

/* range.c: a step's range, which the caller ends, and the phase in it that begins; name NULL: the
 * last one is over. */
void adn_stage_range(adn_stage *s, const adn_slot *in, adn_stage_act act);
void adn_stage_phase(adn_stage *s, const char *name);

#endif
