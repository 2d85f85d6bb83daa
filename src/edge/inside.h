/* Inside an edge: its lanes, and what its files share. Whoever looks at a lane has the lock. */
#ifndef ADN_EDGE_INSIDE_H
#define ADN_EDGE_INSIDE_H

#include <pthread.h>

#include "edge/edge.h"
#include "edge/ring.h"

/* Of a side, from ADN_AGAIN to the next other answer. */
typedef struct adn_edge_wait {
    bool is_on;
    double since_s, sum_s;
} adn_edge_wait;

typedef struct adn_edge_lane {
    adn_ring ring;
    adn_replay_slot *states; /* the ring's */
    adn_slot *slots;         /* [n_column][n]: what has a number is the first column's part */
    int n, n_made;
    adn_edge_place place;
    void *file; /* where all slots' x lie, if place is a file */
    size_t file_bytes;
    adn_ages ages;
    adn_edge_wait waits[ADN_N_SIDE];
    int64_t released, lost, bytes;
    double occupancy_sum;
} adn_edge_lane;

typedef struct adn_edge_marker {
    int64_t step;
    int64_t after; /* test batches that are released before it is met */
} adn_edge_marker;

struct adn_edge {
    pthread_mutex_t lock;
    adn_bell *bells[ADN_N_SIDE];
    const adn_clock *clock;
    size_t sample_bytes;
    adn_edge_lane lanes[ADN_N_LANE];
    adn_edge_marker markers[ADN_EDGE_MARKERS];
    int n_marker;
    bool is_aborted;
};

/* slots.c. A lane whose create failed is cleared by its owner. */
adn_status adn_edge_lane_create(const adn_edge_conf *conf, adn_lane lane,
                                adn_edge_lane *l) ADN_MUST_USE;
void adn_edge_lane_clear(adn_edge_lane *l);

/* Whether a committed batch is there: in modelled time it may be on its way. */
bool adn_edge_has_arrived(const adn_edge *e, const adn_slot *s);

/* counts.c. What a call of this side is answered, st, is noted and given back. */
adn_status adn_edge_answer(adn_edge *e, adn_lane lane, adn_side side, adn_status st);
void adn_edge_count_commit(adn_edge *e, const adn_slot *s);
/* Before the ring takes it; s->age is set. */
void adn_edge_count_take(adn_edge *e, const adn_slot *s);

#endif
