/* The source: the data loader seen as a producer. It fills slots of edge 0, announces test passes
 * and saves, and knows when the run ends:
 *   sync, greedy  at `until` of its own steps; test passes and saves stand between two steps.
 *   async         when every stage is done (or at `until`, by time); a test pass goes on beside
 *                 training, and once more at the end. */
#include "pipeline/inside.h"

#include <string.h>

adn_status adn_source_create(adn_run *r, adn_source *s)
{
    adn_status st;

    s->run = r;
    s->learner = -1; /* a resumed run may have nothing left but its last pass */
    ADN_TRY(st, adn_source_seek(s, 0), done);
    for (int k = 0; k < r->plan->n_column; k++) {
        ADN_TRY(st, adn_upload_create(r, k, &s->uploads[k]), done);
        s->queues[k] = s->uploads[k].queue;
    }
done:
    return st;
}

void adn_source_clear(adn_source *s)
{
    if (s->run == NULL) return;
    adn_loader_destroy(s->train);
    adn_loader_destroy(s->test);
    for (int k = 0; k < s->run->plan->n_column; k++) adn_upload_clear(&s->uploads[k]);
}

adn_status adn_source_seek(adn_source *s, int64_t step)
{
    adn_status st;
    adn_loader_conf train = adn_plan_loader(s->run->plan, s->run->conf.data, false, step);
    adn_loader_conf test = adn_plan_loader(s->run->plan, s->run->conf.data, true, 0);

    train.gives_moves = test.gives_moves = s->run->is_resident;
    adn_loader_destroy(s->train);
    adn_loader_destroy(s->test);
    s->train = s->test = NULL;
    ADN_TRY(st, adn_loader_create(&train, &s->train), done);
    ADN_TRY(st, adn_loader_create(&test, &s->test), done);
    atomic_store(&s->steps, step);
    s->saved_step = step;
done:
    return st;
}

/* One batch after another, a column each: so a column has its own share of the epoch. The last
 * columns get none where the pass is through. */
static adn_status fill(adn_source *s, adn_loader *loader, adn_slot *slot, int n_batch)
{
    adn_status st = ADN_OK;

    for (int k = 0; slot != NULL; k++, slot = slot->beside) {
        slot->n_valid = 0;
        if (k < n_batch)
            ADN_TRY(st, adn_upload_batch(&s->uploads[k], loader, s->turn, slot, &slot->epoch),
                    done);
    }
    s->turn = 1 - s->turn;
done:
    return st;
}

static void record(adn_source *s, const adn_slot *out)
{
    int flags = (out->lane == ADN_LANE_TEST ? ADN_ORDER_TEST : 0) |
                (out->n_test > 0 ? ADN_ORDER_TESTED : 0) |
                (out->is_last_test ? ADN_ORDER_LAST_TEST : 0);
    adn_run_record(s->run, &(adn_order_step){.stage = -1,
                                             .in_slot = -1,
                                             .out_slot = out->index,
                                             .act = ADN_ACT_FORWARD,
                                             .flags = (uint8_t)flags,
                                             .source_step = out->step});
}

/* The next batches of the open pass, into a slot. */
static adn_status offer_test(adn_source *s, adn_slot *slot)
{
    const adn_plan *p = s->run->plan;
    int n_left = adn_loader_batches(p->n_test, p->batch, false, true) - s->n_tested * p->n_column;
    adn_status st;

    ADN_TRY(st, fill(s, s->test, slot, n_left), done);
    slot->step = s->n_tested++;
    slot->learner = s->learner;
    slot->n_test = 0;
    slot->is_last_test = s->n_tested == p->test_steps;
    if (slot->is_last_test) s->n_tested = 0;
    record(s, slot);
done:
    return st;
}

/* The next training batches, into a slot. */
static adn_status offer_step(adn_source *s, adn_slot *slot, int learner, int n_test)
{
    int64_t step = atomic_load(&s->steps);
    adn_status st;

    ADN_TRY(st, fill(s, s->train, slot, s->run->plan->n_column), done);
    slot->step = step;
    slot->learner = s->learner = learner;
    slot->n_test = n_test;
    slot->is_last_test = false;
    record(s, slot);
    atomic_store(&s->steps, step + 1);
    atomic_store(&s->must_ask, true);
done:
    return st;
}

/* --- test passes */

adn_status adn_source_test(adn_source *s)
{
    adn_edge *e = s->run->edges[0];
    adn_slot *slot = NULL;
    adn_status st;

    ADN_TRY(st, adn_edge_acquire(e, ADN_LANE_TEST, s->queues, &slot), done);
    ADN_ASSERT(slot != NULL); /* block 0 leaves its test lane only after the source has closed it */
    ADN_TRY(st, offer_test(s, slot), done);
    s->n_pass -= slot->is_last_test;
    adn_edge_commit(e, slot);
done:
    return st;
}

static void tell_once(bool *has_told, const char *what)
{
    if (!*has_told) adn_warn("%s longer than what lies between them: some are left out", what);
    *has_told = true;
}

/* async: one pass may wait while another is open; more would only be of nearly the same weights. */
static void begin_pass(adn_source *s)
{
    if (s->n_pass < 2)
        s->n_pass++;
    else
        tell_once(&s->has_told_test, "test passes take");
}

/* Whether something "every so long" is due when source step `done` is finished. In greedy each
 * block's learning begins with a fresh count. */
static bool is_due(const adn_plan *p, adn_duration every, int64_t done)
{
    if (every.unit == ADN_NEVER || every.unit == ADN_SECONDS) return false;
    int64_t steps = every.unit == ADN_EPOCHS ? (int64_t)(every.value * p->epoch_steps + 0.5)
                                             : (int64_t)every.value;
    return steps > 0 && done % steps == 0;
}

static bool is_out_of_time(const adn_source *s)
{
    const adn_plan *p = s->run->plan;
    return p->until_steps < 0 && adn_run_seconds(s->run) >= p->until_s;
}

/* What the source knows when it begins a step. */
typedef struct ahead {
    int learner;     /* -1: all */
    bool ends_phase; /* a block's learning ends with this step (of all blocks, but for greedy) */
    bool ends_run;
} ahead;

static ahead look_ahead(adn_source *s, int64_t step)
{
    const adn_plan *p = s->run->plan;
    int64_t max = s->run->conf.max_steps;
    bool is_greedy = p->conf->mode == ADN_MODE_GREEDY;
    ahead a = {.learner = -1};

    if (s->run->is_async) return a;
    if (p->until_steps > 0) {
        if (is_greedy) a.learner = (int)(step / p->until_steps);
        a.ends_phase = (step + 1) % p->until_steps == 0;
    } else {
        a.ends_phase = is_out_of_time(s);
    }
    a.ends_run = a.ends_phase && (!is_greedy || a.learner == p->n_block - 1);
    if (max > 0 && step + 1 >= max) a.ends_run = true;
    return a;
}

/* --- saves */

/* "Save now." ADN_AGAIN: too many saves are on their way. In async that is one: a block that saves
 * for longer than its producer needs for what lies between two saves would do nothing else. There
 * blocks may have learned after the save of this very step, too: the last save is made in any case.
 */
static adn_status mark(adn_source *s)
{
    adn_run *r = s->run;
    int64_t done = atomic_load(&s->steps);
    bool is_last = r->is_async && s->is_ending;

    if (r->saver == NULL || (!is_last && done == s->saved_step)) return ADN_OK;
    if (r->is_async && adn_saver_is_busy(r->saver)) return ADN_AGAIN;
    if (!adn_saver_announce(r->saver)) return ADN_AGAIN;
    s->saved_step = done;
    adn_edge_mark(r->edges[0], done - 1, s->is_ending);
    return ADN_OK;
}

/* --- the end */

static bool tests(const adn_source *s)
{
    return s->run->plan->test_steps > 0 && s->run->conf.max_steps == 0;
}

/* Nobody learns any more; the passes that are due and one more are tested, and saved. */
static void end_async(adn_source *s)
{
    s->is_ending = true;
    s->n_pass = s->was_stopped || !tests(s) ? 0 : (s->n_tested > 0) + 1;
    s->must_mark = true;
    atomic_store(&s->run->is_ending, true);
    adn_run_ring(s->run);
}

/* Whether anything ends the run before its next step, in async. */
static bool is_over_async(const adn_source *s)
{
    const adn_run *r = s->run;
    int64_t max = r->conf.max_steps;

    return atomic_load(&r->n_done) == r->plan->n_block || is_out_of_time(s) ||
           (max > 0 && atomic_load(&s->steps) >= max);
}

/* A run that was killed between its last checkpoint and its end has no step left. */
void adn_source_begin(adn_source *s)
{
    const adn_plan *p = s->run->plan;
    int n_phase = p->conf->mode == ADN_MODE_GREEDY ? p->n_block : 1;
    int64_t steps = atomic_load(&s->steps);

    s->began_s = adn_clock_now(s->run->clock) - s->before_s;
    atomic_store(&s->must_ask, true);
    if (s->run->is_async) return; /* its workers say so */
    s->is_ending =
        p->until_steps < 0 ? steps > 0 && is_out_of_time(s) : steps >= p->until_steps * n_phase;
}

/* Asked once a step, and when somebody nudges. */
static bool must_stop(adn_source *s)
{
    const adn_run_conf *c = &s->run->conf;
    return atomic_exchange(&s->must_ask, false) && c->must_stop != NULL && c->must_stop(c->user);
}

static adn_status close_source(adn_source *s)
{
    s->is_closed = true;
    for (adn_lane lane = 0; lane < ADN_N_LANE; lane++) adn_edge_close(s->run->edges[0], lane);
    return ADN_OK;
}

/* --- a step */

static adn_status train(adn_source *s)
{
    adn_run *r = s->run;
    const adn_plan *p = r->plan;
    adn_slot *slot = NULL;
    int64_t step = atomic_load(&s->steps);
    ahead a = look_ahead(s, step);
    adn_status st;

    ADN_TRY(st, adn_edge_acquire(r->edges[0], ADN_LANE_TRAIN, s->queues, &slot), done);
    if (slot == NULL) return ADN_AGAIN; /* async: block 0 learns no more, the others will end */
    bool passes = tests(s) && (is_due(p, p->conf->eval_every, step + 1) || a.ends_phase);
    ADN_TRY(st, offer_step(s, slot, a.learner, passes && !r->is_async ? p->test_steps : 0), done);
    adn_edge_commit(r->edges[0], slot);
    if (passes) begin_pass(s);
    s->must_mark = is_due(p, p->conf->checkpoint_every, step + 1) || a.ends_phase;
    s->is_ending = a.ends_run;
done:
    return st;
}

adn_status adn_source_replay(adn_source *s, const adn_order_step *step, adn_slot *out)
{
    const adn_plan *p = s->run->plan;
    bool is_test = step->flags & ADN_ORDER_TEST;
    int64_t at = atomic_load(&s->steps), expected = is_test ? s->n_tested : at;

    if (step->source_step != expected)
        return ADN_FAIL(ADN_BADDATA, "the order gives %s %lld where %lld would follow",
                        is_test ? "test batch" : "step", (long long)step->source_step,
                        (long long)expected);
    if (is_test) return offer_test(s, out);
    return offer_step(s, out, look_ahead(s, at).learner,
                      step->flags & ADN_ORDER_TESTED ? p->test_steps : 0);
}

static adn_status next_sync(adn_source *s)
{
    if (s->n_pass > 0) return adn_source_test(s);
    if (s->must_mark) {
        adn_status st = mark(s);
        if (st == ADN_OK) s->must_mark = false;
        return st;
    }
    if (s->is_ending) return close_source(s);
    if (must_stop(s)) {
        s->was_stopped = s->is_ending = s->must_mark = true;
        return ADN_OK;
    }
    return train(s);
}

static adn_status next_async(adn_source *s)
{
    adn_status st = ADN_AGAIN;

    if (s->n_pass > 0) st = adn_source_test(s);
    if (st != ADN_AGAIN) return st;
    if (s->n_pass > 0 && s->is_ending) return st;
    if (s->must_mark) {
        st = mark(s);
        if (st == ADN_AGAIN && s->is_ending) return st;
        if (st == ADN_AGAIN) tell_once(&s->has_told_save, "saves take");
        s->must_mark = false;
        return ADN_OK;
    }
    if (s->is_ending) return close_source(s);
    s->was_stopped = must_stop(s);
    if (s->was_stopped || is_over_async(s)) {
        end_async(s);
        return ADN_OK;
    }
    return train(s);
}

adn_status adn_source_next(adn_source *s)
{
    if (s->is_closed) return ADN_END;
    /* It may wait for a save, which no edge's end would tell it of. */
    if (atomic_load(&s->run->failed) != ADN_OK) return ADN_STOPPED;
    return s->run->is_async ? next_async(s) : next_sync(s);
}
