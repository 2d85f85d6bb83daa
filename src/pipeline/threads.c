/* The `threads` schedule: the source and each stage's worker on a host thread of its own, in real
 * time. Who finds nothing to do sleeps until its bell rings. */
#include <time.h>

#include "pipeline/inside.h"

/* chaos.slow: the step takes `factor` times its own time. */
static adn_status linger(adn_worker *w, double began_s)
{
    double factor = w->run->plan->blocks[w->block].slow;

    if (factor <= 1) return ADN_OK;
    adn_status st = adn_stage_drain(w->run->stages[w->block]);
    double rest_s = (factor - 1) * (adn_now() - began_s);
    struct timespec t = {(time_t)rest_s, (long)(1e9 * (rest_s - (double)(time_t)rest_s))};
    nanosleep(&t, NULL);
    return st;
}

static adn_status train_step(adn_worker *w)
{
    double began_s = adn_now();
    adn_status st = adn_worker_begin(w);

    if (st != ADN_OK || !w->has_begun) return st;
    st = linger(w, began_s);
    return st == ADN_OK ? adn_worker_end(w) : st;
}

adn_status adn_worker_run(void *user)
{
    adn_worker *w = user;
    adn_status st = ADN_OK;

    while (st == ADN_OK || st == ADN_AGAIN) {
        uint64_t seen = adn_bell_count(&w->bell);
        st = adn_worker_serve(w);
        if (st == ADN_AGAIN) st = train_step(w);
        if (st == ADN_AGAIN) adn_bell_wait(&w->bell, seen);
    }
    if (st == ADN_END) return ADN_OK;
    adn_run_fail(w->run, st);
    return st;
}

adn_status adn_source_run(void *user)
{
    adn_source *s = user;
    adn_status st = ADN_OK;

    while (st == ADN_OK || st == ADN_AGAIN) {
        uint64_t seen = adn_bell_count(&s->bell);
        st = adn_source_next(s);
        if (st == ADN_AGAIN) adn_bell_wait(&s->bell, seen);
    }
    if (st == ADN_END) return ADN_OK;
    adn_run_fail(s->run, st);
    return st;
}
