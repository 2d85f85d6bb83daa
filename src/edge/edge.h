/* An edge carries batches from one stage (or the loader) to the next: a training lane of M slots
 * with a replay policy, a test lane (fifo), and markers. Slots belong to the edge: a producer
 * acquires and commits one, a consumer takes and releases one, each one at a time.
 *
 * A slot is committed (released) on the host when the work is enqueued; its event says when that is
 * true on the device. The edge makes queues wait for those events. On the host
 *   - a producer waits for a consumer only where it must not drop, a consumer for a producer only
 *     where nothing that it may read is committed: both for a call of the other's, never for work
 *     on a device. So every wake-up comes from a call, and no completion can be missed;
 *   - with all policies but fifo both wait for their own work before the last, as a stage's
 * run-ahead does anyway: then the four spare slots suffice. These policies choose among slots whose
 * writing has ended. While there is none, the consumer gets the one that will be first and its
 * queue waits, as with fifo, which never asks.
 *
 * Whether a source step is fresh (not learned before) is not the edge's to know: it may come in
 * several slots. The edge counts reads of slots alone; the stage knows its source steps. What it
 * has not learned yet lies in slots not yet read. */
#ifndef ADN_EDGE_H
#define ADN_EDGE_H

#include "device/device.h"
#include "edge/ages.h"
#include "edge/replay.h"

typedef enum adn_lane { ADN_LANE_TRAIN, ADN_LANE_TEST, ADN_N_LANE } adn_lane;

typedef struct adn_slot {
    void *x;           /* device memory [n, h, w, c], as the edge says */
    adn_label *labels; /* device memory [n] */
    uint32_t *samples; /* host memory [n]: ids in the data set */
    int n_valid;
    int64_t step;       /* source step, from 0; test lane: batch of its pass */
    int epoch;          /* of the source, from 1 */
    int learner;        /* the stage that learns from it; -1: all (greedy names one) */
    int n_test;         /* training lane: test batches that follow it. */
    bool is_last_test;  /* test lane: the pass ends with it */
    adn_event *written; /* recorded by the producer's queue when x and labels are there */
    adn_event *read;    /* recorded by the consumer's queue when it has done with them */
    int64_t version;    /* the producer's: its updates before it wrote x */
    int64_t push;       /* when it was committed, by count */
    int64_t use;        /* reads of it, this one included; 1: the first */
    int64_t age;        /* at this read: pushes behind the newest whose writing had ended */
    adn_lane lane;
} adn_slot;

typedef struct adn_edge adn_edge;
typedef struct adn_edge_conf {
    adn_device *dev;        /* borrowed: the consumer's */
    int n_slot[ADN_N_LANE]; /* M; policies that re-read have spares beside */
    adn_replay_conf replay; /* of the training lane; zeroed: fifo */
    adn_shape shape;        /* of a full slot, n included */
    adn_type type;
} adn_edge_conf;
adn_status adn_edge_create(const adn_edge_conf *conf, adn_edge **out) ADN_MUST_USE;
void adn_edge_destroy(adn_edge *e); /* nobody may use it any more */
size_t adn_edge_slot_bytes(const adn_edge_conf *conf);
int adn_edge_n_slot(const adn_edge_conf *conf, adn_lane lane); /* that it has, with the spares */

/* Producer. Waits for a free slot; q (the queue that will write it) then waits for its last reader.
 * With drop_oldest there is always one that nobody reads any more: neither waits for a consumer.
 * *out is NULL, with ADN_OK, when the consumer is gone: the batch is dropped, whatever when_full
 * says. ADN_STOPPED after adn_edge_abort. */
adn_status adn_edge_acquire(adn_edge *e, adn_lane lane, adn_queue *q, adn_slot **out) ADN_MUST_USE;
/* The work that writes it, with the record of its `written`, is enqueued: consumers may take it. */
void adn_edge_commit(adn_edge *e, adn_slot *s);
/* No more batches will come: take gives ADN_END once all are taken (or dropped; replay.reads_on:
 * once nothing may be read again). A producer that is only silent ends nothing: its slots are
 * re-read up to max_reuse, then the consumer waits. */
void adn_edge_close(adn_edge *e);

/* Consumer. Waits for the slot that the policy names; q then waits for its writer. *out is NULL
 * when a marker comes before it: pop that first. ADN_END, ADN_STOPPED. */
adn_status adn_edge_take(adn_edge *e, adn_lane lane, adn_queue *q, adn_slot **out) ADN_MUST_USE;
/* The work that reads it, with the record of its `read`, is enqueued. */
void adn_edge_release(adn_edge *e, adn_slot *s);
void adn_edge_leave(adn_edge *e); /* the consumer is gone: the edge drops from now on */

/* A marker: "save after source step `step`". Never dropped. The producer pushes it after it
 * committed that step and before it commits a later one; the consumer meets it between the two. So
 * many may be on the way; the producer waits before more. */
enum { ADN_EDGE_MARKERS = 16 };
adn_status adn_edge_mark(adn_edge *e, int64_t step) ADN_MUST_USE;
int64_t adn_edge_pop_marker(adn_edge *e); /* the marker that take announced */

/* Wakes all who wait, for good: they get ADN_STOPPED. Any thread. */
void adn_edge_abort(adn_edge *e);

/* Of the training lane, but for who waits. */
typedef struct adn_edge_stats {
    int64_t pushed, pulled;
    double wait_out_s, wait_in_s; /* of the producer for a consumer, of the consumer for a batch
                                     (starved); what queues wait is in their profiles */
    bool producer_waits, consumer_waits; /* now: on either lane, or for a marker's place */
    int64_t reused, dropped;             /* pulled, but not for the first time; never pulled */
    int n_full, n_unread; /* now: batches it holds, dropped ones left out; never pulled of them */
    adn_ages ages;        /* of all pulls, in pushes (the producer's steps that emit) */
} adn_edge_stats;
adn_edge_stats adn_edge_counts(adn_edge *e);

#endif
