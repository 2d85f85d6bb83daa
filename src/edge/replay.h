/* Replay policy: pure bookkeeping. Given the slots' states it names the slot to write, to read and
 * to drop. No lock, clock, device or thread; what changes the states is ring.h. */
#ifndef ADN_REPLAY_H
#define ADN_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "adonis/config.h"

typedef struct adn_replay_conf {
    adn_replay_policy policy;
    adn_when_full when_full;
    int64_t max_reuse; /* reads of a slot in all; 0: no limit. fifo: 1 */
    int64_t max_age;   /* in pushes behind the newest one; 0: no limit. Not with fifo */
    /* After the end of the producer, false: what is unread is read, then it ends. True: it ends
     * when nothing may be read again. */
    bool reads_on;
    uint64_t seed; /* of uniform's draws, and which edge's they are */
    uint64_t edge;
    int on_the_way; /* batches that a modelled link may hold, with a slot each; else 0 */
} adn_replay_conf;

typedef enum adn_slot_state {
    ADN_SLOT_FREE,
    ADN_SLOT_WRITING,   /* its producer has it */
    ADN_SLOT_COMMITTED, /* the writing is enqueued */
    ADN_SLOT_READY,     /* the writing has ended. fifo, which never asks: is committed */
    ADN_SLOT_DROPPED    /* still being read, for the last time */
} adn_slot_state;

typedef struct adn_replay_slot {
    adn_slot_state state;
    int64_t push;    /* order of commits, from 0 */
    int64_t use;     /* reads begun since */
    int64_t pull;    /* of its latest read: order of reads, from 0 */
    bool is_held;    /* a consumer has it */
    bool is_reading; /* given back, but the reading may not have ended. Not kept by fifo */
} adn_replay_slot;

typedef struct adn_replay {
    adn_replay_conf conf;
    int n_slot;             /* M: batches it may hold */
    int n;                  /* slots: M and the spares */
    adn_replay_slot *slots; /* [n] */
    int64_t newest;         /* the last push that was seen ready; -1 */
    int64_t pulled;         /* reads begun */
    int64_t drawn;          /* reads before this run was resumed: draws go on behind them */
    bool is_closed;         /* no push will follow */
    bool reads_once;        /* nothing is read again from now on */
} adn_replay;

/* Whether it asks what has ended on the device, and re-reads: all policies but fifo. */
bool adn_replay_asks(const adn_replay_conf *conf);
/* The slot to write next, or -1: the producer waits for a consumer. */
int adn_replay_write(const adn_replay *r);
/* The slot to read next, or -1: the consumer waits. One that is ready, as the policy says; while
 * there is none, the committed one that will be (least used, oldest): its reader's queue waits. */
int adn_replay_read(const adn_replay *r);
/* The slot to drop now that a batch became ready, or -1: there is room. */
int adn_replay_drop(const adn_replay *r);
/* In pushes behind the newest that is ready; 0 for one that is not. */
int64_t adn_replay_age(const adn_replay *r, int slot);
/* Batches it holds, those being written counted and dropped ones not; of these those that nobody
 * began to read. */
int adn_replay_full(const adn_replay *r);
int adn_replay_unread(const adn_replay *r);

#endif
