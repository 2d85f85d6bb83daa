/* A bell: one thread sleeps until another rings, and no ring is missed between its last look and
 * its sleep. Who waits for several things at once gives all of them the same bell:
 *
 *   seen = adn_bell_count(b); look at everything; nothing to do? adn_bell_wait(b, seen); again. */
#ifndef ADN_BELL_H
#define ADN_BELL_H

#include <pthread.h>
#include <stdint.h>

typedef struct adn_bell { /* caller's memory */
    pthread_mutex_t lock;
    pthread_cond_t rung;
    uint64_t count;
} adn_bell;

void adn_bell_init(adn_bell *b);
void adn_bell_clear(adn_bell *b);
uint64_t adn_bell_count(adn_bell *b);           /* rings so far */
void adn_bell_ring(adn_bell *b);                /* any thread; NULL: nobody waits */
void adn_bell_wait(adn_bell *b, uint64_t seen); /* until the count is another than `seen` */

#endif
