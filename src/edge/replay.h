/* Replay policy: pure bookkeeping. Given the slots' states it names the slot to write and the slot
 * to read. No lock, clock, device or thread. Policy `fifo`: blocks, nothing lost, nothing read
 * twice. */
#ifndef ADN_REPLAY_H
#define ADN_REPLAY_H

#include <stdint.h>

typedef enum adn_slot_state {
    ADN_SLOT_FREE,
    ADN_SLOT_WRITING,
    ADN_SLOT_READY,
    ADN_SLOT_READING
} adn_slot_state;
typedef struct adn_replay_slot {
    adn_slot_state state;
    int64_t push; /* order of commits */
} adn_replay_slot;

/* The slot to write next, or -1: the producer waits. */
int adn_replay_write(const adn_replay_slot *slots, int n);
/* The slot to read next, or -1: the consumer waits. */
int adn_replay_read(const adn_replay_slot *slots, int n);

#endif
