/* The `threads` schedule: each stage's host thread decides by what its edges hold, in real time.
 * With edges that block, never drop and never reuse this is a Kahn network: the result is the same
 * bits whatever the timing. */
#include "pipeline/inside.h"

#include <time.h>

/* Tests: a random pause, to try other interleavings. */
static void jitter(adn_worker *w)
{
    if (w->jitter == 0) return;
    w->jitter = w->jitter * 6364136223846793005u + 1442695040888963407u;
    if ((w->jitter >> 33) % 3 != 0) return;
    struct timespec t = {0, (long)((w->jitter >> 40) % 1000000)};
    nanosleep(&t, NULL);
}

static adn_edge *out_edge(const adn_worker *w)
{
    return w->block + 1 < w->run->plan->n_block ? w->run->edges[w->block + 1] : NULL;
}

/* Takes what came, makes one step of it, hands the result on. */
static adn_status step(adn_worker *w, adn_lane lane, adn_slot *in, adn_stage_act act, bool emits)
{
    adn_run *r = w->run;
    adn_stage *stage = r->stages[w->block];
    adn_edge *out = emits ? out_edge(w) : NULL;
    adn_slot *slot = NULL;
    adn_status st;

    if (out != NULL) ADN_TRY(st, adn_edge_acquire(out, lane, adn_stage_queue(stage), &slot), done);
    jitter(w);
    ADN_TRY(st, adn_stage_step(stage, in, slot, act), done);
    if (slot != NULL) adn_edge_commit(out, slot);
    jitter(w);
    adn_edge_release(r->edges[w->block], in);
done:
    return st;
}

/* Behind the block that learns everything is closed; before it blocks only run forward. */
static bool learns(const adn_worker *w, int learner)
{
    return learner < 0 || learner == w->block;
}

static bool emits(const adn_worker *w, int learner)
{
    return learner < 0 || learner > w->block;
}

adn_status adn_worker_tests(adn_worker *w, int n, int learner)
{
    adn_status st = ADN_OK;

    for (int k = 0; k < n; k++) {
        adn_slot *in = NULL;
        ADN_TRY(st,
                adn_edge_take(w->run->edges[w->block], ADN_LANE_TEST,
                              adn_stage_queue(w->run->stages[w->block]), &in),
                done);
        ADN_TRY(st,
                step(w, ADN_LANE_TEST, in, learns(w, learner) ? ADN_ACT_TEST : ADN_ACT_FORWARD,
                     emits(w, learner)),
                done);
    }
done:
    return st;
}

static adn_status meet_marker(adn_worker *w)
{
    int64_t source_step = adn_edge_pop_marker(w->run->edges[w->block]);
    adn_status st = adn_saver_block(w->run->saver, w->block, source_step + 1);

    if (st == ADN_OK && out_edge(w) != NULL) st = adn_edge_mark(out_edge(w), source_step);
    return st;
}

static adn_status one_step(adn_worker *w)
{
    adn_run *r = w->run;
    adn_slot *in = NULL;
    adn_status st;

    ADN_TRY(st,
            adn_edge_take(r->edges[w->block], ADN_LANE_TRAIN, adn_stage_queue(r->stages[w->block]),
                          &in),
            done);
    if (in == NULL) return meet_marker(w);
    int n_test = in->n_test, learner = in->learner;
    ADN_TRY(st,
            step(w, ADN_LANE_TRAIN, in, learns(w, learner) ? ADN_ACT_LEARN : ADN_ACT_FORWARD,
                 emits(w, learner)),
            done);
    st = adn_worker_tests(w, n_test, learner);
done:
    return st;
}

adn_status adn_worker_work(void *user)
{
    adn_worker *w = user;
    adn_run *r = w->run;
    adn_stage *stage = r->stages[w->block];
    adn_status st = ADN_OK;

    w->seen_s = adn_now();
    while (st == ADN_OK) st = one_step(w);
    if (st == ADN_END) /* an unfinished epoch has a row, but not when the run goes on later */
        st = r->source.was_stopped ? adn_stage_drain(stage) : adn_stage_finish(stage);
    if (st != ADN_OK) adn_run_fail(r, st);
    adn_edge_leave(r->edges[w->block]);
    if (out_edge(w) != NULL) adn_edge_close(out_edge(w));
    return st;
}
