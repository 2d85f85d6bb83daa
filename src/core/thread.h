/* Host threads with a name, a start function that returns a status, and the cores they may use. */
#ifndef ADN_THREAD_H
#define ADN_THREAD_H

#include <pthread.h>
#include <sched.h>

#include "core/core.h"

typedef struct adn_thread { /* caller's memory; stays put until joined */
    pthread_t id;
    adn_status (*run)(void *user);
    void *user;
    char name[16];
    adn_status result;
    bool is_started;
} adn_thread;

adn_status adn_thread_start(adn_thread *t, const char *name, adn_status (*run)(void *),
                            void *user) ADN_MUST_USE;
adn_status adn_thread_join(adn_thread *t); /* what run returned; ADN_OK if never started */

/* The cores this process may use, in order: at most `room` numbers into `cores`. Returns how many.
 */
int adn_cores_allowed(int *cores, int room);
/* Pins the calling thread to these cores. */
adn_status adn_thread_pin(const int *cores, int n_cores) ADN_MUST_USE;

#endif
