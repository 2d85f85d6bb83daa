/* Threads and cores. */
#define _GNU_SOURCE
#include "core/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void *enter(void *arg)
{
    adn_thread *t = arg;
    pthread_setname_np(pthread_self(), t->name);
    t->result = t->run(t->user);
    return NULL;
}

adn_status adn_thread_start(adn_thread *t, const char *name, adn_status (*run)(void *), void *user)
{
    *t = (adn_thread){.run = run, .user = user};
    snprintf(t->name, sizeof(t->name), "%s", name);
    int bad = pthread_create(&t->id, NULL, enter, t);
    if (bad != 0) return ADN_FAIL(ADN_FAILED, "thread %s: %s", name, strerror(bad));
    t->is_started = true;
    return ADN_OK;
}

adn_status adn_thread_join(adn_thread *t)
{
    if (!t->is_started) return ADN_OK;
    pthread_join(t->id, NULL);
    t->is_started = false;
    return t->result;
}

int adn_cores_allowed(int *cores, int room)
{
    cpu_set_t set;
    int n = 0;

    if (sched_getaffinity(0, sizeof(set), &set) != 0) CPU_SET(0, &set);
    for (size_t i = 0; i < CPU_SETSIZE && n < room; i++)
        if (CPU_ISSET(i, &set)) cores[n++] = (int)i;
    return n;
}

adn_status adn_thread_pin(const int *cores, int n_cores)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (int i = 0; i < n_cores; i++) CPU_SET((size_t)cores[i], &set);
    int bad = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    if (bad != 0) return ADN_FAIL(ADN_DEVICE, "cores cannot be used: %s", strerror(bad));
    return ADN_OK;
}
