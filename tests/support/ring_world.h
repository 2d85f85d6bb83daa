/* A state of an edge's lane with its producer, consumer and their device queues, in few bytes, and
 * the set of those that an exploration has seen. */
#ifndef ADN_TEST_RING_WORLD_H
#define ADN_TEST_RING_WORLD_H

#include "edge/ring.h"

enum { MAX_SLOTS = 3, SLOTS = MAX_SLOTS + ADN_RING_WRITES + ADN_RING_READS, PULLS = 4 };
enum { ROOM = 1 << 19 };                   /* states */
enum { IDLE, HOLDS, ASLEEP, SYNCS, GONE }; /* a host thread */
enum { HELD = 8, READING = 16 };           /* beside a slot's state */
enum { CLOSED = 1, LEFT = 2, ONCE = 4 };   /* ONCE: nothing is re-read any more */

/* Work on a device, slot and push: it ends in the order of its queue. */
typedef struct work {
    uint8_t slot, push;
} work;

/* All of a state, in bytes, so that equal states have equal bytes. */
typedef struct world {
    struct {
        uint8_t state, push, use, pull;
    } slot[SLOTS];
    uint8_t memory[SLOTS]; /* push + 1 of what was written last */
    work write[SLOTS], read[PULLS];
    uint8_t n_write, n_read;
    uint8_t producer, consumer, producer_slot, consumer_slot;
    uint8_t pushed, pulled, newest, flags, dropped;
} world;

typedef struct explorer {
    adn_replay_conf conf;
    int n_slot, n_push, n_pull;
    bool may_read_once; /* the consumer may say so */
    world seen[ROOM];   /* a hash table: n of it in use, those to do in a stack */
    bool used[ROOM];
    uint32_t todo[ROOM];
    uint32_t n, n_todo;
    uint32_t reached;  /* bits of what happened at all: a check that never applied shows */
    const char *wrong; /* the first broken claim */
    world at;          /* where */
} explorer;

/* A world as the ring that is tested, with slots[SLOTS]; and back. */
void ring_world_unpack(const explorer *x, const world *w, adn_ring *r, adn_replay_slot *slots);
void ring_world_pack(const adn_ring *r, world *w);
/* To be explored, unless it was seen before. */
void ring_world_visit(explorer *x, const world *w);

#endif
