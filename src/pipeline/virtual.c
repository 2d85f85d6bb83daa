/* The `virtual` schedule: one host thread, one queue, modelled time, real gradients. A step is run
 * when it begins and hands its batch on when its modelled time is over.
 *   clock   a discrete-event clock: every block begins its next step as soon as it can.
 *   random  the simulator of Belilovsky et al. 2020 (its public code, cifar_buffer.py): at each
 * tick one block is drawn, as often as it is fast; each twice in order at first and after every
 *           decay of a learning rate. A tick lasts as long as the blocks' Poisson clocks would need
 *           for one event on average.
 * Test batches and saves take no time. */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "pipeline/inside.h"

typedef struct link {
    double free_s;   /* when it has sent what it was given */
    double *arrival; /* [room]: of batches on their way, ascending; n of them */
    int n, room;
} link;

struct adn_virtual {
    adn_clock clock;
    _Atomic double now_s; /* the thread that shows the run reads it too */
    double *ends_s;       /* [n_block]: of the step under way; INFINITY: none */
    link *links;          /* [n_block]: of the edge into it */
    double tick_s;
    int64_t tick;
    int n_warmup;   /* ticks of the warm-up order that are over */
    int64_t decays; /* of all blocks, when it began */
};

static double now(void *user)
{
    return atomic_load(&((struct adn_virtual *)user)->now_s);
}

adn_status adn_virtual_create(adn_run *r)
{
    const adn_plan *p = r->plan;
    adn_queue_conf queue = {.name = "blocks", .n_thread = p->blocks[0].queue.n_thread};
    struct adn_virtual *v = adn_alloc(sizeof(*v));
    double rate = 0;

    if (v == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
    r->virtual = v;
    v->clock = (adn_clock){now, v};
    r->clock = &v->clock;
    v->ends_s = adn_alloc((size_t)p->n_block * sizeof(*v->ends_s));
    v->links = adn_alloc((size_t)p->n_block * sizeof(*v->links));
    if (v->ends_s == NULL || v->links == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
    for (int j = 0; j < p->n_block; j++) {
        adn_edge_conf edge = adn_plan_edge(p, j);
        v->ends_s[j] = INFINITY;
        v->links[j].room = adn_edge_n_slot(&edge, ADN_LANE_TRAIN);
        v->links[j].arrival = adn_alloc((size_t)v->links[j].room * sizeof(double));
        if (v->links[j].arrival == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
        rate += 1 / p->blocks[j].step_s;
    }
    v->tick_s = 1 / rate;
    return r->devs[0]->ops->queue_create(r->devs[0], &queue, &r->queue);
}

void adn_virtual_destroy(adn_run *r)
{
    struct adn_virtual *v = r->virtual;

    if (v == NULL) return;
    if (r->queue != NULL) r->queue->dev->ops->queue_destroy(r->queue);
    for (int j = 0; v->links != NULL && j < r->plan->n_block; j++) adn_free(v->links[j].arrival);
    adn_free(v->links);
    adn_free(v->ends_s);
    adn_free(v);
}

void adn_virtual_set_seconds(adn_run *r, double seconds)
{
    atomic_store(&r->virtual->now_s, seconds);
}

static bool is_over(const adn_run *r)
{
    for (int j = 0; j < r->plan->n_block; j++)
        if (!r->workers[j].is_over) return false;
    return r->source.is_closed;
}

/* --- links */

/* A link sends one batch after another and holds one more that waits. */
static bool is_saturated(const adn_run *r, int edge, double at_s)
{
    return r->virtual->links[edge].free_s > at_s + adn_plan_transfer_s(r->plan, edge);
}

static bool is_lost(const adn_run *r, int edge)
{
    double loss = r->plan->blocks[edge].link.loss;
    uint64_t step = (uint64_t)r->workers[edge - 1].n_begun;

    if (loss == 0) return false;
    adn_draw d = adn_rng_draw(r->plan->conf->seed, ADN_RNG_LOSS, (uint64_t)edge, step);
    return (double)adn_rng_unit(d.u[0]) < loss;
}

/* Puts a batch on its way at the time that it is now. */
static void send(adn_run *r, int edge, adn_slot *slot)
{
    struct adn_virtual *v = r->virtual;
    link *l = &v->links[edge];

    l->free_s = ADN_MAX(l->free_s, v->now_s) + adn_plan_transfer_s(r->plan, edge);
    slot->ready_s = l->free_s + r->plan->blocks[edge].link.delay_s;
    if (slot->ready_s <= v->now_s) return;
    ADN_ASSERT(l->n < l->room);
    l->arrival[l->n++] = slot->ready_s;
}

static void forget_arrivals(link *l, double now_s)
{
    int n_old = 0;
    while (n_old < l->n && l->arrival[n_old] <= now_s) n_old++;
    l->n -= n_old;
    memmove(l->arrival, l->arrival + n_old, (size_t)l->n * sizeof(*l->arrival));
}

/* --- steps */

static double duration(const adn_run *r, int block)
{
    double spread = r->plan->conf->chaos.spread;
    uint64_t step = (uint64_t)r->workers[block].n_begun;
    adn_draw d = adn_rng_draw(r->plan->conf->seed, ADN_RNG_SPREAD, (uint64_t)block, step);

    return r->plan->blocks[block].step_s * (1 + spread * (2 * (double)adn_rng_unit(d.u[0]) - 1));
}

/* Begins a step that will end at `ends_s`, or meets a marker or the end. */
static adn_status begin(adn_run *r, int block, double ends_s)
{
    adn_worker *w = &r->workers[block];
    int out = block + 1;

    w->loses = false;
    if (out < r->plan->n_block) {
        bool drops = r->plan->blocks[out].edge.when_full == ADN_FULL_DROP_OLDEST;
        /* Who waits for room begins when there is some: a time at which the link itself changes. */
        bool is_full = is_saturated(r, out, drops ? ends_s : r->virtual->now_s);
        if (is_full && !drops) return ADN_AGAIN;
        w->loses = is_full || is_lost(r, out);
    }
    adn_status st = adn_worker_begin(w);
    if (st == ADN_OK && w->has_begun && w->loses) adn_edge_lose(r->edges[out]);
    return st;
}

static adn_status end(adn_run *r, int block)
{
    adn_worker *w = &r->workers[block];
    adn_status st = adn_stage_drain(r->stages[block]); /* its rows tell this time */

    if (st == ADN_OK && w->out != NULL) send(r, block + 1, w->out);
    return st == ADN_OK ? adn_worker_end(w) : st;
}

/* All that takes no time, until nothing moves. */
static adn_status serve_all(adn_run *r)
{
    bool moves = true;

    while (moves) {
        adn_status st = adn_source_next(&r->source);
        moves = st == ADN_OK;
        if (st != ADN_OK && st != ADN_AGAIN && st != ADN_END) return st;
        for (int j = 0; j < r->plan->n_block; j++) {
            if (r->workers[j].has_begun) continue;
            st = adn_worker_serve(&r->workers[j]);
            moves = moves || st == ADN_OK;
            if (st != ADN_OK && st != ADN_AGAIN && st != ADN_END) return st;
        }
    }
    return ADN_OK;
}

static adn_status stuck(adn_run *r)
{
    adn_run_tell_waits(r);
    return ADN_FAIL(ADN_FAILED, "no block can go on at %g s of modelled time", r->virtual->now_s);
}

/* --- draw: clock */

/* Every idle block that can begin does. */
static adn_status begin_all(adn_run *r, bool *moves)
{
    struct adn_virtual *v = r->virtual;
    adn_status st = ADN_OK;

    for (int j = 0; j < r->plan->n_block; j++) {
        if (r->workers[j].has_begun || r->workers[j].is_over) continue;
        double ends_s = v->now_s + duration(r, j);
        st = begin(r, j, ends_s);
        if (st != ADN_OK && st != ADN_AGAIN) return st;
        *moves = *moves || st == ADN_OK;
        if (r->workers[j].has_begun) v->ends_s[j] = ends_s;
    }
    return ADN_OK;
}

/* The next time at which anything may change; INFINITY: never. */
static double next_event(const adn_run *r)
{
    const struct adn_virtual *v = r->virtual;
    double at = INFINITY;

    for (int j = 0; j < r->plan->n_block; j++) {
        const link *l = &v->links[j];
        at = fmin(at, v->ends_s[j]);
        if (l->n > 0) at = fmin(at, l->arrival[0]);
        double has_room_s = l->free_s - adn_plan_transfer_s(r->plan, j);
        if (has_room_s > v->now_s) at = fmin(at, has_room_s);
    }
    return at;
}

static adn_status go_to(adn_run *r, double at)
{
    struct adn_virtual *v = r->virtual;
    adn_status st = ADN_OK;

    atomic_store(&v->now_s, at);
    for (int j = 0; j < r->plan->n_block && st == ADN_OK; j++) {
        forget_arrivals(&v->links[j], at);
        if (v->ends_s[j] > at) continue;
        v->ends_s[j] = INFINITY;
        st = end(r, j);
    }
    return st;
}

static adn_status run_clock(adn_run *r)
{
    adn_status st = ADN_OK;

    while (st == ADN_OK) {
        bool moves = false;
        ADN_TRY(st, serve_all(r), done);
        if (is_over(r)) break;
        ADN_TRY(st, begin_all(r, &moves), done);
        if (moves) continue;
        double at = next_event(r);
        st = isfinite(at) ? go_to(r, at) : stuck(r);
    }
done:
    return st;
}

/* --- draw: random */

static int64_t decays_of_all(const adn_run *r)
{
    int64_t n = 0;
    for (int j = 0; j < r->plan->n_block; j++) n += adn_stage_clock_now(r->stages[j]).decays;
    return n;
}

static int whose_turn(adn_run *r)
{
    struct adn_virtual *v = r->virtual;
    const adn_plan *p = r->plan;
    int64_t decays = decays_of_all(r);

    if (decays != v->decays) v->n_warmup = 0;
    v->decays = decays;
    if (v->n_warmup < 2 * p->n_block) return v->n_warmup++ / 2;
    adn_draw d = adn_rng_draw(p->conf->seed, ADN_RNG_TICK, 0, (uint64_t)v->tick++);
    double at = (double)adn_rng_unit(d.u[0]) / v->tick_s;
    for (int j = 0; j < p->n_block; j++) {
        at -= 1 / p->blocks[j].step_s;
        if (at < 0) return j;
    }
    return p->n_block - 1;
}

/* A step of the block whose turn it is, if it can make one. */
static adn_status tick(adn_run *r, int block, bool *moves)
{
    adn_worker *w = &r->workers[block];
    adn_status st = w->is_over ? ADN_AGAIN : ADN_OK;

    while (st == ADN_OK && !w->has_begun) st = begin(r, block, r->virtual->now_s);
    if (st == ADN_OK) st = end(r, block);
    *moves = st == ADN_OK;
    return st == ADN_AGAIN ? ADN_OK : st;
}

static adn_status run_random(adn_run *r)
{
    struct adn_virtual *v = r->virtual;
    adn_status st = ADN_OK;
    /* Ticks in which everybody was drawn: each is missed with a probability of exp(-30). */
    double n_idle = 0, patience = 2 * r->plan->n_block;

    for (int j = 0; j < r->plan->n_block; j++)
        v->tick +=
            adn_stage_clock_now(r->stages[j]).updates; /* a resumed run draws other numbers */
    for (int j = 0; j < r->plan->n_block; j++)
        patience = fmax(patience, 30 * r->plan->blocks[j].step_s / v->tick_s);
    v->decays = decays_of_all(r);
    while (st == ADN_OK) {
        bool moves = false;
        ADN_TRY(st, serve_all(r), done);
        if (is_over(r)) break;
        ADN_TRY(st, tick(r, whose_turn(r), &moves), done);
        atomic_store(&v->now_s, v->now_s + v->tick_s);
        for (int j = 0; j < r->plan->n_block; j++) forget_arrivals(&v->links[j], v->now_s);
        n_idle = moves ? 0 : n_idle + 1;
        if (n_idle > patience && !isfinite(next_event(r))) st = stuck(r);
    }
done:
    return st;
}

adn_status adn_virtual_run(adn_run *r)
{
    adn_status st = r->plan->conf->draw == ADN_DRAW_RANDOM ? run_random(r) : run_clock(r);

    if (st != ADN_OK) adn_run_fail(r, st);
    return st;
}
