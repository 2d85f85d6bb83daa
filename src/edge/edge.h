/* An edge carries batches from one stage (or the loader) to the next: a training lane of M slots
 * with a replay policy, a test lane (fifo), and markers. Slots belong to the edge: a producer
 * acquires and commits one, a consumer takes and releases one, each one at a time on a lane.
 *
 * A slot is committed (released) on the host when the work is enqueued; its event says when that is
 * true on the device. The edge makes queues wait for those events. On the host
 *   - no call waits for the other side: it gives ADN_AGAIN, and the caller's bell (core/bell.h)
 *     rings when another answer may have come. Only a call of the other's changes an answer, never
 *     a completion on a device: so no ring can be missed;
 *   - with all policies but fifo both sides wait for their own work before the last, as a stage's
 *     run-ahead does anyway: then the four spare slots suffice. These policies choose among slots
 *     whose writing has ended. While there is none, the consumer gets the one that will be first
 *     and its queue waits, as with fifo, which never asks.
 *
 * Whether a source step is fresh (not learned before) is not the edge's to know: it may come in
 * several slots. The edge counts reads of slots alone; the stage knows its source steps. What it
 * has not learned yet lies in slots not yet read. */
#ifndef ADN_EDGE_H
#define ADN_EDGE_H

#include "core/bell.h"
#include "device/device.h"
#include "edge/ages.h"
#include "edge/replay.h"

/* With replicas an edge has columns, each on its consumers' and producers' own devices: a slot is
 * one batch in each, side by side, chosen, written and read together. */
typedef enum adn_lane { ADN_LANE_TRAIN, ADN_LANE_TEST, ADN_N_LANE } adn_lane;

typedef struct adn_slot {
    void *x;           /* [n, h, w, c], where and as the edge says */
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
    double ready_s;     /* modelled time: when it is there, set before it is committed */
    adn_lane lane;
    int index; /* on its lane, from 0 */
    /* The part of the next column, NULL behind the last: x, labels, samples, n_valid (0: it has no
     * batch), written and read are its own; the rest stands in the first column's part alone. */
    struct adn_slot *beside;
} adn_slot;

typedef enum adn_side { ADN_SIDE_PRODUCER, ADN_SIDE_CONSUMER, ADN_N_SIDE } adn_side;

typedef struct adn_edge adn_edge;
typedef struct adn_edge_conf {
    int n_column;                       /* 0: one */
    adn_device *dev[ADN_MAX_REPLICAS];  /* borrowed [n_column]: the consumer's */
    adn_device *from[ADN_MAX_REPLICAS]; /* borrowed: the producer's, of the same kind; NULL: dev */
    adn_edge_place place;               /* of x; labels are always on the device */
    const char *dir;        /* borrowed while creating: of files; NULL: the current one */
    int n_slot[ADN_N_LANE]; /* M; policies that re-read have spares beside */
    adn_replay_conf replay; /* of the training lane; zeroed: fifo */
    adn_shape shape;        /* of a full slot of one column, n included */
    adn_type type;
    adn_bell *bells[ADN_N_SIDE]; /* borrowed; NULL: that side never sleeps */
    /* Borrowed. NULL: the machine's time, and events say what has ended. Else time is modelled: a
     * batch is there at its ready_s, reads have ended when they are released. */
    const adn_clock *clock;
} adn_edge_conf;
adn_status adn_edge_create(const adn_edge_conf *conf, adn_edge **out) ADN_MUST_USE;
void adn_edge_destroy(adn_edge *e);                            /* nobody may use it any more */
size_t adn_edge_slot_bytes(const adn_edge_conf *conf);         /* of one column */
int adn_edge_n_slot(const adn_edge_conf *conf, adn_lane lane); /* that it has, with the spares */

/* Producer. ADN_AGAIN: no slot is free. The queues that will write it, qs[n_column], wait for its
 * last readers.
 * With drop_oldest there is always one that nobody reads any more: never ADN_AGAIN, in real time.
 * *out is NULL, with ADN_OK, when the consumer has left the lane: the batch is dropped, whatever
 * when_full says. ADN_STOPPED after adn_edge_abort. */
adn_status adn_edge_acquire(adn_edge *e, adn_lane lane, adn_queue *const *qs,
                            adn_slot **out) ADN_MUST_USE;
/* The work that writes it, with the record of its `written`, is enqueued: consumers may take it. */
void adn_edge_commit(adn_edge *e, adn_slot *s);
/* No more batches will come on the lane: take gives ADN_END once all are taken (or dropped;
 * replay.reads_on: once nothing may be read again). A producer that is only silent ends nothing:
 * its slots are re-read up to max_reuse, then there is no batch. */
void adn_edge_close(adn_edge *e, adn_lane lane);
void adn_edge_lose(adn_edge *e); /* counts a batch that a modelled link lost */

/* Consumer. The slot that the policy names; qs[n_column] wait for its writers. ADN_AGAIN: there is
 * none. *out is NULL, with ADN_OK, when a marker comes before it: pop that first. ADN_END,
 * ADN_STOPPED. After adn_edge_leave there are markers and the end alone. */
adn_status adn_edge_take(adn_edge *e, adn_lane lane, adn_queue *const *qs,
                         adn_slot **out) ADN_MUST_USE;
/* The work that reads it, with the record of its `read`, is enqueued (or there was none). */
void adn_edge_release(adn_edge *e, adn_slot *s);
/* The consumer takes no more batches of the lane: the edge drops them from now on. Who has left the
 * test lane is gone: markers are dropped, too. */
void adn_edge_leave(adn_edge *e, adn_lane lane);
/* Whether the training lane holds a batch that was never taken, written or about to be. */
bool adn_edge_has_unread(adn_edge *e);
/* From now on no batch of the training lane is read a second time. */
void adn_edge_read_once(adn_edge *e);

/* A marker: "save after source step `step`". Never dropped. The producer pushes it after it
 * committed that step and before it commits a later one; the consumer meets it between the two.
 * after_tests: and not before it has released the test batches that were committed before it;
 * until then take may give ADN_END: ask again. At most so many are on the way (the producer sees to
 * it). */
enum { ADN_EDGE_MARKERS = 16 };
void adn_edge_mark(adn_edge *e, int64_t step, bool after_tests);
int64_t adn_edge_pop_marker(adn_edge *e); /* the marker that was announced */

/* For good: all calls give ADN_STOPPED, bells ring. Any thread. */
void adn_edge_abort(adn_edge *e);

/* A slot by its place, for who replays a recorded order; NULL: there is none. */
adn_slot *adn_edge_slot(adn_edge *e, adn_lane lane, int index);

/* Draws of `uniform` go on behind so many reads of an earlier process. Before the first take. */
void adn_edge_resume(adn_edge *e, int64_t pulled);

/* Of the training lane, but for who waits. */
typedef struct adn_edge_stats {
    int64_t pushed, pulled;
    double wait_out_s, wait_in_s; /* of the producer for a consumer, of the consumer for a batch
                                     (starved): from ADN_AGAIN to the next other answer; what queues
                                     wait is in their profiles */
    bool producer_waits, consumer_waits; /* now: on either lane */
    int64_t reused, dropped, lost;       /* pulled, but not for the first time; never pulled; lost
                                            by a modelled link, not pushed */
    int64_t bytes;                       /* pushed: of the valid samples, with labels and ids */
    double occupancy_sum; /* over all pulls: share of the M slots with an unread batch that is
                             there, the pulled one included */
    int n_full, n_unread; /* now: batches it holds, dropped ones left out; never pulled of them */
    adn_ages ages;        /* of all pulls, in pushes (the producer's steps that emit) */
} adn_edge_stats;
adn_edge_stats adn_edge_counts(adn_edge *e);

#endif
