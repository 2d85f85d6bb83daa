/* A lane's slots as a state machine: "given the slots' states and this call, what happens". Its
 * owner calls it under a lock, waits where it says so, and tells it what has ended on the device;
 * there is no lock, clock, device or thread in it.
 *
 *   FREE -acquire-> WRITING -commit-> COMMITTED -written-> READY -dropped-> DROPPED -read-> FREE
 *
 * where DROPPED is passed over if nobody reads the slot. take and release leave the state alone.
 * In `fifo`, which never asks the device, it is FREE -> WRITING -commit-> READY -release-> FREE.
 *
 * With the other policies two writes and two slots being read may be unfinished, so four slots are
 * spare: M batches ready, two of them to come, two dropped ones still being read leave no slot
 * over, and an acquire finds less than two to come. No batch is dropped before its successor is
 * ready. */
#ifndef ADN_RING_H
#define ADN_RING_H

#include "edge/replay.h"

enum { ADN_RING_WRITES = 2, ADN_RING_READS = 2 };

typedef struct adn_ring {
    adn_replay book;
    int64_t pushed, reused, dropped; /* dropped: unread */
    bool is_left;
    bool must_wake; /* set by what may let a waiting caller go on; the owner clears it */
} adn_ring;

typedef enum adn_ring_verb {
    ADN_RING_GO,   /* it is `slot` */
    ADN_RING_WAIT, /* until must_wake is set, then ask again. No device's work ends such a wait */
    ADN_RING_SYNC, /* until the caller's own unfinished work on `slot` has ended, then ask again */
    ADN_RING_END   /* acquire: the consumer has left. take: the producer has ended */
} adn_ring_verb;
typedef struct adn_ring_answer {
    adn_ring_verb verb;
    int slot;
} adn_ring_answer;

/* Slots for M batches. */
int adn_ring_size(const adn_replay_conf *conf, int n_slot);
/* slots: [adn_ring_size], zeroed, borrowed. */
void adn_ring_init(adn_ring *r, const adn_replay_conf *conf, int n_slot, adn_replay_slot *slots);

/* Whether the last write to (read of) the slot has ended on the device. */
typedef bool (*adn_ring_ended)(void *user, int slot, bool is_write);
/* Asks it of all that is unfinished. To be called first by who acquires or takes. fifo: nothing. */
void adn_ring_poll(adn_ring *r, adn_ring_ended ended, void *user);

/* Producer. It has one slot at a time. GO: nobody reads the slot any more (fifo: its queue waits
 * for the last reader). */
adn_ring_answer adn_ring_acquire(adn_ring *r);
void adn_ring_commit(adn_ring *r, int slot);
void adn_ring_close(adn_ring *r);

/* Consumer. It has one slot at a time. What it would get, and getting it. */
adn_ring_answer adn_ring_next(const adn_ring *r);
void adn_ring_take(adn_ring *r, int slot);
void adn_ring_release(adn_ring *r, int slot);
void adn_ring_leave(adn_ring *r);

#endif
