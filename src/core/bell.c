/* A counter under a lock: a ring that comes before the sleep has changed it. */
#include "core/bell.h"

#include <stddef.h>

void adn_bell_init(adn_bell *b)
{
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->rung, NULL);
    b->count = 0;
}

void adn_bell_clear(adn_bell *b)
{
    pthread_cond_destroy(&b->rung);
    pthread_mutex_destroy(&b->lock);
}

uint64_t adn_bell_count(adn_bell *b)
{
    pthread_mutex_lock(&b->lock);
    uint64_t count = b->count;
    pthread_mutex_unlock(&b->lock);
    return count;
}

void adn_bell_ring(adn_bell *b)
{
    if (b == NULL) return;
    pthread_mutex_lock(&b->lock);
    b->count++;
    pthread_cond_broadcast(&b->rung);
    pthread_mutex_unlock(&b->lock);
}

void adn_bell_wait(adn_bell *b, uint64_t seen)
{
    pthread_mutex_lock(&b->lock);
    while (b->count == seen) pthread_cond_wait(&b->rung, &b->lock);
    pthread_mutex_unlock(&b->lock);
}
