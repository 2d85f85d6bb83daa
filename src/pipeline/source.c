/* The source: the data loader seen as a producer. It fills slots of edge 0, announces test passes
 * and saves. */
#include "pipeline/inside.h"

#include <string.h>

static adn_status staging_create(adn_run *r, struct staging *g)
{
    const adn_plan *p = r->plan;

    g->pixels = adn_alloc(adn_shape_count(p->image));
    g->labels = adn_alloc((size_t)p->batch * sizeof(*g->labels));
    g->classes = adn_alloc((size_t)p->batch * sizeof(*g->classes));
    if (g->pixels == NULL || g->labels == NULL || g->classes == NULL)
        return ADN_FAIL(ADN_NOMEM, "loader: no memory for a batch");
    return r->dev->ops->event_create(r->dev, &g->free);
}

adn_status adn_source_create(adn_run *r, adn_source *s)
{
    adn_status st;
    adn_queue_conf queue = {.name = "source", .n_thread = 1, .jitter = r->conf.jitter};

    s->run = r;
    ADN_TRY(st, r->dev->ops->queue_create(r->dev, &queue, &s->queue), done);
    for (int k = 0; k < 2; k++) ADN_TRY(st, staging_create(r, &s->staging[k]), done);
    st = adn_source_seek(s, 0);
done:
    return st;
}

void adn_source_clear(adn_source *s)
{
    if (s->run == NULL) return;
    const adn_device_ops *ops = s->run->dev->ops;
    adn_loader_destroy(s->train);
    adn_loader_destroy(s->test);
    if (s->queue != NULL) ops->queue_destroy(s->queue);
    for (int k = 0; k < 2; k++) {
        adn_free(s->staging[k].pixels);
        adn_free(s->staging[k].labels);
        adn_free(s->staging[k].classes);
        ops->event_destroy(s->staging[k].free);
    }
}

adn_status adn_source_seek(adn_source *s, int64_t step)
{
    adn_status st;
    adn_loader_conf train = adn_plan_loader(s->run->plan, s->run->conf.data, false, step);
    adn_loader_conf test = adn_plan_loader(s->run->plan, s->run->conf.data, true, 0);

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

/* The loader's next batch into a slot of edge 0, committed by the caller. */
static adn_status fill(adn_source *s, adn_loader *loader, adn_slot *slot, int *index)
{
    const adn_device_ops *ops = s->run->dev->ops;
    struct staging *g = &s->staging[s->turn];
    adn_batch b = {.pixels = g->pixels, .labels = g->classes, .samples = slot->samples};
    adn_shape image = s->run->plan->image;
    adn_status st;

    s->turn = 1 - s->turn;
    ADN_TRY(st, ops->event_sync(g->free), done);
    ADN_TRY(st, adn_loader_next(loader, &b, &slot->epoch, index), done);
    for (int i = 0; i < b.n_valid; i++) g->labels[i] = (adn_label){b.labels[i], b.labels[i], 1};
    slot->n_valid = image.n = b.n_valid;
    ADN_TRY(st, ops->upload(s->queue, slot->x, g->pixels, adn_shape_count(image)), done);
    ADN_TRY(st,
            ops->upload(s->queue, slot->labels, g->labels, (size_t)b.n_valid * sizeof(*g->labels)),
            done);
    ADN_TRY(st, ops->event_record(s->queue, g->free), done);
    st = ops->event_record(s->queue, slot->written);
done:
    return st;
}

adn_status adn_source_test_pass(adn_source *s, int learner)
{
    adn_edge *e = s->run->edges[0];
    int n = s->run->plan->test_batches;
    adn_status st = ADN_OK;

    for (int k = 0; k < n; k++) {
        adn_slot *slot = NULL;
        int index = 0;
        ADN_TRY(st, adn_edge_acquire(e, ADN_LANE_TEST, s->queue, &slot), done);
        if (slot == NULL) break;
        ADN_TRY(st, fill(s, s->test, slot, &index), done);
        slot->step = k;
        slot->learner = learner;
        slot->n_test = 0;
        slot->is_last_test = k == n - 1;
        adn_edge_commit(e, slot);
    }
done:
    return st;
}

/* Whether something "every so long" is due when source step `done` is finished. In greedy each
 * block's learning begins with a fresh count. */
static bool is_due(const adn_plan *p, adn_duration every, int64_t done)
{
    if (every.unit == ADN_NEVER || every.unit == ADN_SECONDS) return false;
    int64_t steps = every.unit == ADN_EPOCHS ? (int64_t)(every.value * p->epoch_batches + 0.5)
                                             : (int64_t)every.value;
    return steps > 0 && done % steps == 0;
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

    if (p->until_steps > 0) {
        if (is_greedy) a.learner = (int)(step / p->until_steps);
        a.ends_phase = (step + 1) % p->until_steps == 0;
    } else {
        a.ends_phase = adn_now() - s->began_s >= p->until_s;
    }
    a.ends_run = a.ends_phase && (!is_greedy || a.learner == p->n_block - 1);
    if (max > 0 && step + 1 >= max) a.ends_run = true;
    return a;
}

static adn_status mark(adn_source *s, int64_t done)
{
    if (s->run->saver == NULL || done == s->saved_step) return ADN_OK;
    s->saved_step = done;
    return adn_edge_mark(s->run->edges[0], done - 1);
}

static adn_status one_step(adn_source *s, bool *is_over)
{
    adn_run *r = s->run;
    const adn_plan *p = r->plan;
    adn_slot *slot = NULL;
    int64_t step = atomic_load(&s->steps);
    ahead a = look_ahead(s, step);
    int index = 0;
    adn_status st;

    ADN_TRY(st, adn_edge_acquire(r->edges[0], ADN_LANE_TRAIN, s->queue, &slot), done);
    ADN_ASSERT(slot != NULL); /* block 0 leaves only after the source has closed */
    ADN_TRY(st, fill(s, s->train, slot, &index), done);
    bool tests = p->conf->eval_every.unit != ADN_NEVER && p->test_batches > 0 &&
                 r->conf.max_steps == 0 &&
                 (is_due(p, p->conf->eval_every, step + 1) || a.ends_phase);
    slot->step = step;
    slot->learner = a.learner;
    slot->n_test = tests ? p->test_batches : 0;
    adn_edge_commit(r->edges[0], slot);
    atomic_store(&s->steps, step + 1);
    if (tests) ADN_TRY(st, adn_source_test_pass(s, a.learner), done);
    if (is_due(p, p->conf->checkpoint_every, step + 1) || a.ends_phase) st = mark(s, step + 1);
    *is_over = a.ends_run;
done:
    return st;
}

/* A run that was killed between its last checkpoint and its end has no step left. */
static bool is_at_end(const adn_source *s)
{
    const adn_plan *p = s->run->plan;
    int n_phase = p->conf->mode == ADN_MODE_GREEDY ? p->n_block : 1;
    int64_t steps = atomic_load(&s->steps);

    if (p->until_steps < 0) return steps > 0 && adn_now() - s->began_s >= p->until_s;
    return steps >= p->until_steps * n_phase;
}

adn_status adn_source_work(void *user)
{
    adn_source *s = user;
    adn_run *r = s->run;
    adn_status st = ADN_OK;
    bool is_over = is_at_end(s);

    while (st == ADN_OK && !is_over) {
        if (r->conf.must_stop != NULL && r->conf.must_stop(r->conf.user)) {
            s->was_stopped = true;
            st = mark(s, atomic_load(&s->steps));
            break;
        }
        st = one_step(s, &is_over);
    }
    if (st != ADN_OK) adn_run_fail(r, st);
    adn_edge_close(r->edges[0]);
    return st;
}
