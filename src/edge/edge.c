/* The local edge: slots in the consumer's device memory, a lock for the bookkeeping, events for the
 * data. */
#include "edge/inside.h"

adn_status adn_edge_create(const adn_edge_conf *conf, adn_edge **out)
{
    adn_status st = ADN_OK;
    adn_edge *e = adn_alloc(sizeof(*e));

    if (e == NULL) return ADN_FAIL(ADN_NOMEM, "edge: no memory");
    e->clock = conf->clock;
    e->sample_bytes = adn_edge_slot_bytes(conf) / (size_t)conf->shape.n;
    for (int k = 0; k < ADN_N_SIDE; k++) e->bells[k] = conf->bells[k];
    pthread_mutex_init(&e->lock, NULL);
    for (adn_lane k = 0; k < ADN_N_LANE; k++)
        ADN_TRY(st, adn_edge_lane_create(conf, k, &e->lanes[k]), fail);
    *out = e;
    return ADN_OK;
fail:
    adn_edge_destroy(e);
    return st;
}

void adn_edge_destroy(adn_edge *e)
{
    if (e == NULL) return;
    for (int k = 0; k < ADN_N_LANE; k++) adn_edge_lane_clear(&e->lanes[k]);
    pthread_mutex_destroy(&e->lock);
    adn_free(e);
}

/* --- the lock */

static void unlock(adn_edge *e)
{
    bool must_ring = false;

    for (int k = 0; k < ADN_N_LANE; k++) {
        must_ring = must_ring || e->lanes[k].ring.must_wake;
        e->lanes[k].ring.must_wake = false;
    }
    pthread_mutex_unlock(&e->lock);
    for (int k = 0; must_ring && k < ADN_N_SIDE; k++) adn_bell_ring(e->bells[k]);
}

static adn_event *event_of(const adn_slot *s, bool is_write)
{
    return is_write ? s->written : s->read;
}

/* Locked, and let go meanwhile: nobody else records the caller's own events. Modelled time does not
 * pass meanwhile. */
static adn_status wait_own(adn_edge *e, const adn_slot *s, bool is_write)
{
    adn_status st = ADN_OK;

    if (e->clock != NULL) return ADN_AGAIN;
    unlock(e);
    for (; s != NULL && st == ADN_OK; s = s->beside) {
        adn_event *own = event_of(s, is_write);
        st = own->dev->ops->event_sync(own);
    }
    pthread_mutex_lock(&e->lock);
    return st;
}

/* Each column's queue waits for what the other side recorded there. */
static adn_status queues_wait(adn_queue *const *qs, const adn_slot *s, bool is_write)
{
    adn_status st = ADN_OK;

    for (int k = 0; s != NULL && st == ADN_OK; k++, s = s->beside) {
        adn_event *ev = event_of(s, is_write);
        st = ev->dev->ops->event_wait(qs[k], ev);
    }
    return st;
}

/* What has_ended asks about. */
typedef struct asked {
    const adn_edge *e;
    const adn_edge_lane *lane;
} asked;

bool adn_edge_has_arrived(const adn_edge *e, const adn_slot *s)
{
    return e->clock == NULL || s->ready_s <= adn_clock_now(e->clock);
}

static bool has_ended(void *user, int slot, bool is_write)
{
    const asked *a = user;
    const adn_slot *s = &a->lane->slots[slot];
    if (a->e->clock != NULL) return !is_write || adn_edge_has_arrived(a->e, s);
    bool has = true;
    for (; s != NULL && has; s = s->beside) {
        const adn_event *ev = event_of(s, is_write);
        has = ev->dev->ops->event_query(ev);
    }
    return has;
}

static void poll(adn_edge *e, adn_edge_lane *l)
{
    adn_ring_poll(&l->ring, has_ended, &(asked){e, l});
}

/* --- producer */

adn_status adn_edge_acquire(adn_edge *e, adn_lane lane, adn_queue *const *qs, adn_slot **out)
{
    adn_edge_lane *l = &e->lanes[lane];
    adn_ring_answer a = {.verb = ADN_RING_SYNC};
    adn_status st = ADN_OK;

    pthread_mutex_lock(&e->lock);
    while (st == ADN_OK && a.verb == ADN_RING_SYNC && !e->is_aborted) {
        poll(e, l);
        a = adn_ring_acquire(&l->ring);
        if (a.verb == ADN_RING_WAIT) st = ADN_AGAIN;
        if (a.verb == ADN_RING_SYNC) st = wait_own(e, &l->slots[a.slot], true);
    }
    if (e->is_aborted && st != ADN_DEVICE) st = ADN_STOPPED;
    st = adn_edge_answer(e, lane, ADN_SIDE_PRODUCER, st);
    unlock(e);
    if (st != ADN_OK) return st;
    adn_slot *s = a.verb == ADN_RING_GO ? &l->slots[a.slot] : NULL;
    st = queues_wait(qs, s, false);
    if (st == ADN_OK) *out = s;
    return st;
}

void adn_edge_commit(adn_edge *e, adn_slot *s)
{
    adn_edge_lane *l = &e->lanes[s->lane];

    pthread_mutex_lock(&e->lock);
    adn_ring_commit(&l->ring, (int)(s - l->slots));
    s->push = l->states[s - l->slots].push;
    adn_edge_count_commit(e, s);
    unlock(e);
}

void adn_edge_close(adn_edge *e, adn_lane lane)
{
    pthread_mutex_lock(&e->lock);
    adn_ring_close(&e->lanes[lane].ring);
    (void)adn_edge_answer(e, lane, ADN_SIDE_PRODUCER, ADN_END);
    unlock(e);
}

void adn_edge_abort(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    e->is_aborted = true;
    for (int k = 0; k < ADN_N_LANE; k++) {
        e->lanes[k].ring.must_wake = true;
        for (int side = 0; side < ADN_N_SIDE; side++)
            (void)adn_edge_answer(e, (adn_lane)k, (adn_side)side, ADN_STOPPED);
    }
    unlock(e);
}

/* --- consumer */

/* Whether the oldest marker comes before what the consumer would get. Locked. */
static bool marker_is_next(const adn_edge *e, adn_ring_answer a)
{
    if (e->n_marker == 0 || e->lanes[ADN_LANE_TEST].released < e->markers[0].after) return false;
    return a.verb != ADN_RING_GO ||
           e->lanes[ADN_LANE_TRAIN].slots[a.slot].step > e->markers[0].step;
}

/* Locked. */
static adn_slot *take(adn_edge *e, adn_edge_lane *l, int slot)
{
    adn_slot *s = &l->slots[slot];

    s->age = adn_replay_age(&l->ring.book, slot);
    adn_edge_count_take(e, s);
    adn_ring_take(&l->ring, slot);
    s->use = l->states[slot].use;
    return s;
}

/* Locked. What comes next on the lane, as far as the ring knows. */
static adn_ring_answer next(adn_edge *e, adn_edge_lane *l)
{
    poll(e, l);
    if (l->ring.is_left)
        return (adn_ring_answer){l->ring.book.is_closed ? ADN_RING_END : ADN_RING_WAIT, -1};
    return adn_ring_next(&l->ring);
}

adn_status adn_edge_take(adn_edge *e, adn_lane lane, adn_queue *const *qs, adn_slot **out)
{
    adn_edge_lane *l = &e->lanes[lane];
    adn_ring_answer a = {.verb = ADN_RING_SYNC};
    adn_status st = ADN_OK;
    adn_slot *s = NULL;

    pthread_mutex_lock(&e->lock);
    while (st == ADN_OK && a.verb == ADN_RING_SYNC && !e->is_aborted) {
        a = next(e, l);
        if (a.verb == ADN_RING_SYNC)
            st = wait_own(e, &l->slots[a.slot], false);
        else if (lane == ADN_LANE_TRAIN && marker_is_next(e, a))
            break;
        else if (a.verb == ADN_RING_END)
            st = ADN_END;
        else if (a.verb == ADN_RING_WAIT || !adn_edge_has_arrived(e, &l->slots[a.slot]))
            st = ADN_AGAIN;
        else
            s = take(e, l, a.slot);
    }
    if (e->is_aborted && st != ADN_DEVICE) st = ADN_STOPPED;
    st = adn_edge_answer(e, lane, ADN_SIDE_CONSUMER, st);
    unlock(e);
    if (st == ADN_OK) st = queues_wait(qs, s, true);
    if (st == ADN_OK) *out = s;
    return st;
}

void adn_edge_release(adn_edge *e, adn_slot *s)
{
    adn_edge_lane *l = &e->lanes[s->lane];

    pthread_mutex_lock(&e->lock);
    adn_ring_release(&l->ring, (int)(s - l->slots));
    l->released++;
    unlock(e);
}

void adn_edge_leave(adn_edge *e, adn_lane lane)
{
    adn_edge_lane *l = &e->lanes[lane];

    pthread_mutex_lock(&e->lock);
    adn_ring_leave(&l->ring);
    (void)adn_edge_answer(e, lane, ADN_SIDE_CONSUMER, ADN_END);
    unlock(e);
}

bool adn_edge_has_unread(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    bool has = adn_replay_unread(&e->lanes[ADN_LANE_TRAIN].ring.book) > 0;
    pthread_mutex_unlock(&e->lock);
    return has;
}

void adn_edge_read_once(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    e->lanes[ADN_LANE_TRAIN].ring.book.reads_once = true;
    unlock(e);
}

void adn_edge_resume(adn_edge *e, int64_t pulled)
{
    pthread_mutex_lock(&e->lock);
    e->lanes[ADN_LANE_TRAIN].ring.book.drawn = pulled;
    unlock(e);
}

/* --- markers */

void adn_edge_mark(adn_edge *e, int64_t step, bool after_tests)
{
    adn_edge_lane *l = &e->lanes[ADN_LANE_TRAIN], *t = &e->lanes[ADN_LANE_TEST];

    pthread_mutex_lock(&e->lock);
    if (!t->ring.is_left) {
        ADN_ASSERT(e->n_marker < ADN_EDGE_MARKERS);
        e->markers[e->n_marker++] = (adn_edge_marker){step, after_tests ? t->ring.pushed : 0};
    }
    l->ring.must_wake = true;
    unlock(e);
}

int64_t adn_edge_pop_marker(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    ADN_ASSERT(e->n_marker > 0);
    int64_t step = e->markers[0].step;
    e->n_marker--;
    for (int i = 0; i < e->n_marker; i++) e->markers[i] = e->markers[i + 1];
    unlock(e);
    return step;
}

adn_slot *adn_edge_slot(adn_edge *e, adn_lane lane, int index)
{
    adn_edge_lane *l = &e->lanes[lane];
    return index >= 0 && index < l->n ? &l->slots[index] : NULL;
}
