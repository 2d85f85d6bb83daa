/* A stage's worker: what it does next, by what its edges hold.
 *   sync, greedy  a slot says how many test batches follow it: a Kahn network, the result is the
 *                 same bits whatever the timing.
 *   async         test batches first, wherever there is room behind; then the replay buffer. */
#include "pipeline/inside.h"

#include <math.h>
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

static adn_edge *in_edge(const adn_worker *w)
{
    return w->run->edges[w->block];
}

static adn_edge *out_edge(const adn_worker *w)
{
    return w->block + 1 < w->run->plan->n_block ? w->run->edges[w->block + 1] : NULL;
}

static adn_stage *stage_of(const adn_worker *w)
{
    return w->run->stages[w->block];
}

static adn_queue *const *queues_of(const adn_worker *w)
{
    return adn_stage_queues(stage_of(w));
}

static adn_queue *const *in_queues_of(const adn_worker *w)
{
    return adn_stage_in_queues(stage_of(w));
}

static adn_queue *const *out_queues_of(const adn_worker *w)
{
    return adn_stage_out_queues(stage_of(w));
}

/* greedy: behind the block that learns everything is closed; before it blocks only run forward. */
static bool learns(const adn_worker *w, int learner)
{
    return learner < 0 || learner == w->block;
}

static bool passes_on(const adn_worker *w, int learner)
{
    return learner < 0 || learner > w->block;
}

static void record(const adn_worker *w, const adn_slot *in, const adn_slot *out, int act)
{
    bool is_test = in->lane == ADN_LANE_TEST;
    adn_run_record(w->run, &(adn_order_step){.stage = w->block,
                                             .in_slot = in->index,
                                             .out_slot = out != NULL ? out->index : -1,
                                             .act = (uint8_t)act,
                                             .flags = is_test ? ADN_ORDER_TEST : 0,
                                             .source_step = in->step});
}

/* --- tests */

/* A test batch, if there is one and room for it behind. */
adn_status adn_worker_test(adn_worker *w)
{
    adn_slot *out = NULL;
    adn_status st = ADN_OK;

    if (w->test_in == NULL)
        ADN_TRY(st, adn_edge_take(in_edge(w), ADN_LANE_TEST, in_queues_of(w), &w->test_in), done);
    adn_slot *in = w->test_in;
    bool emits = out_edge(w) != NULL && passes_on(w, in->learner);
    if (emits)
        ADN_TRY(st, adn_edge_acquire(out_edge(w), ADN_LANE_TEST, out_queues_of(w), &out), done);
    adn_stage_act act = learns(w, in->learner) ? ADN_ACT_TEST : ADN_ACT_FORWARD;
    record(w, in, out, (int)act);
    ADN_TRY(st, adn_stage_step(stage_of(w), in, out, act), done);
    if (out != NULL) adn_edge_commit(out_edge(w), out);
    adn_edge_release(in_edge(w), in);
    w->test_in = NULL;
    if (w->n_test_due > 0) w->n_test_due--;
done:
    return st;
}

/* --- async: done, and the end of learning */

static bool has_reached_until(const adn_worker *w)
{
    adn_duration u = w->run->plan->conf->until;
    adn_stage_clock c = adn_stage_clock_now(stage_of(w));

    if (u.unit == ADN_EPOCHS)
        return (double)c.samples >= u.value * (double)w->run->plan->epoch_samples;
    return u.unit == ADN_STEPS && (double)c.steps >= u.value;
}

/* It takes no training batch any more, and what lies behind gets none. */
static void leave_training(adn_worker *w)
{
    if (w->in != NULL) adn_edge_release(in_edge(w), w->in);
    w->in = NULL;
    w->has_left = true;
    adn_edge_leave(in_edge(w), ADN_LANE_TRAIN);
    if (out_edge(w) != NULL) adn_edge_close(out_edge(w), ADN_LANE_TRAIN);
}

static void become_done(adn_worker *w)
{
    if (w->is_done) return;
    w->is_done = true;
    if (w->run->plan->conf->after_end == ADN_AFTER_STOP && !w->has_left) leave_training(w);
    adn_edge_read_once(in_edge(w));
    atomic_fetch_add(&w->run->n_done, 1);
    adn_bell_ring(&w->run->source.bell);
}

double adn_worker_idle(adn_worker *w)
{
    adn_profile p;
    double sum = 0;

    if (w->run->virtual != NULL) return NAN; /* one queue for all, and no real time */
    for (int k = 0; k < adn_stage_n_copy(stage_of(w)); k++) {
        adn_queue *q = queues_of(w)[k];
        if (q->dev->ops->queue_profile(q, &p) != ADN_OK) return NAN;
        sum += p.wait_s;
    }
    return sum / adn_stage_n_copy(stage_of(w));
}

void adn_worker_open(adn_worker *w)
{
    w->seen_s = adn_clock_now(w->run->clock);
    w->n_begun = adn_stage_clock_now(stage_of(w)).updates;
    w->seen_idle_s = adn_worker_idle(w);
    if (w->run->is_async && has_reached_until(w)) become_done(w);
}

/* --- markers, and the end of all */

static adn_status meet_marker(adn_worker *w)
{
    int64_t source_step = adn_edge_pop_marker(in_edge(w));
    adn_status st = adn_saver_block(w->run->saver, w->block, source_step + 1);

    if (st == ADN_OK && out_edge(w) != NULL)
        adn_edge_mark(out_edge(w), source_step, w->run->is_async && w->has_left);
    return st;
}

/* Leaves its edges; an unfinished epoch has a row, but not when the run goes on later. */
static adn_status close_worker(adn_worker *w)
{
    adn_status st =
        w->run->source.was_stopped ? adn_stage_drain(stage_of(w)) : adn_stage_finish(stage_of(w));

    w->is_over = true;
    w->is_done = true;
    for (adn_lane lane = 0; lane < ADN_N_LANE; lane++) {
        adn_edge_leave(in_edge(w), lane);
        if (out_edge(w) != NULL) adn_edge_close(out_edge(w), lane);
    }
    return st;
}

/* When no training batch will come: what is left on the lane are markers; then the end, which is
 * there when the producer has closed its test lane, too. */
static adn_status serve_rest(adn_worker *w)
{
    adn_slot *none = NULL;
    adn_status st = adn_edge_take(in_edge(w), ADN_LANE_TRAIN, in_queues_of(w), &none);

    if (st == ADN_OK) return meet_marker(w);
    if (st != ADN_END) return st;
    return w->is_dry ? close_worker(w) : ADN_AGAIN;
}

adn_status adn_worker_serve(adn_worker *w)
{
    adn_status st = ADN_AGAIN;

    if (w->is_over) return ADN_END;
    if (atomic_load(&w->run->is_ending) && !w->has_left) {
        leave_training(w);
        return ADN_OK;
    }
    if (!w->is_dry && (w->run->is_async || w->n_test_due > 0 || w->has_left))
        st = adn_worker_test(w);
    if (st == ADN_END) {
        w->is_dry = true;
        return ADN_OK;
    }
    if (st != ADN_AGAIN || !w->has_left) return st;
    return serve_rest(w);
}

/* --- training steps */

/* The producer has ended, and no unlearned batch is left. */
static adn_status end_of_batches(adn_worker *w)
{
    if (w->run->is_async) become_done(w);
    if (!w->has_left) leave_training(w);
    return ADN_OK;
}

/* What the batch in hand is for. */
static adn_stage_act act_on(const adn_worker *w)
{
    return !w->is_done && learns(w, w->in->learner) ? ADN_ACT_LEARN : ADN_ACT_FORWARD;
}

/* A batch is read again only by a stage that has nothing else to do: while its device is busy a
 * fresh one may come yet. */
static adn_status await_unread(const adn_worker *w)
{
    bool may_reread = w->run->is_async && !adn_edge_has_unread(in_edge(w));
    return may_reread ? adn_stage_drain(stage_of(w)) : ADN_OK;
}

/* Whether the step's output goes on. */
static bool emits(const adn_worker *w)
{
    if (out_edge(w) == NULL || w->loses || !passes_on(w, w->in->learner)) return false;
    return !w->run->plan->blocks[w->block + 1].edge.emit_fresh || act_on(w) != ADN_ACT_LEARN ||
           adn_stage_is_fresh(stage_of(w), w->in);
}

adn_status adn_worker_begin(adn_worker *w)
{
    adn_status st = ADN_OK;

    ADN_ASSERT(!w->has_begun);
    if (w->has_left || w->n_test_due > 0) return ADN_AGAIN;
    if (w->in == NULL) {
        ADN_TRY(st, await_unread(w), done);
        st = adn_edge_take(in_edge(w), ADN_LANE_TRAIN, in_queues_of(w), &w->in);
        if (st == ADN_END) return end_of_batches(w);
        if (st == ADN_OK && w->in == NULL) return meet_marker(w);
        if (st != ADN_OK) return st;
    }
    if (emits(w))
        ADN_TRY(st, adn_edge_acquire(out_edge(w), ADN_LANE_TRAIN, out_queues_of(w), &w->out), done);
    jitter(w);
    if (w->run->conf.before_step != NULL) w->run->conf.before_step(w->run->conf.user, w->block);
    record(w, w->in, w->out, (int)act_on(w));
    ADN_TRY(st, adn_stage_step(stage_of(w), w->in, w->out, act_on(w)), done);
    w->has_begun = true;
    w->n_begun++;
done:
    return st;
}

adn_status adn_worker_end(adn_worker *w)
{
    ADN_ASSERT(w->has_begun);
    w->n_test_due = w->in->n_test;
    if (w->out != NULL) adn_edge_commit(out_edge(w), w->out);
    jitter(w);
    adn_edge_release(in_edge(w), w->in);
    w->in = w->out = NULL;
    w->has_begun = false;
    if (w->run->is_async && !w->is_done && has_reached_until(w)) become_done(w);
    return ADN_OK;
}
