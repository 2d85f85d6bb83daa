/* The local edge: slots in the consumer's device memory, a lock for the bookkeeping, events for the
 * data. */
#include "edge/edge.h"

#include <pthread.h>

#include "edge/ring.h"

typedef struct lane_state {
    adn_ring ring;
    adn_replay_slot *states; /* the ring's */
    adn_slot *slots;
    int n; /* made */
    adn_ages ages;
    double wait_out_s, wait_in_s;
    bool producer_waits, consumer_waits;
} lane_state;

struct adn_edge {
    adn_device *dev;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    lane_state lanes[ADN_N_LANE];
    int64_t markers[ADN_EDGE_MARKERS];
    int n_marker;
    bool is_aborted;
};

static size_t x_bytes(const adn_edge_conf *conf)
{
    return adn_shape_count(conf->shape) * adn_type_bytes(conf->type);
}

size_t adn_edge_slot_bytes(const adn_edge_conf *conf)
{
    return x_bytes(conf) + (size_t)conf->shape.n * (sizeof(adn_label) + sizeof(uint32_t));
}

/* The test lane is a fifo whatever the training lane is. */
static adn_replay_conf lane_conf(const adn_edge_conf *conf, adn_lane lane)
{
    return lane == ADN_LANE_TRAIN ? conf->replay : (adn_replay_conf){0};
}

int adn_edge_n_slot(const adn_edge_conf *conf, adn_lane lane)
{
    adn_replay_conf replay = lane_conf(conf, lane);
    return adn_ring_size(&replay, conf->n_slot[lane]);
}

static adn_status slot_create(const adn_edge_conf *conf, adn_lane lane, adn_slot *s)
{
    const adn_device_ops *ops = conf->dev->ops;
    adn_status st;
    void *labels = NULL;

    s->lane = lane;
    ADN_TRY(st, ops->alloc(conf->dev, x_bytes(conf), &s->x), done);
    ADN_TRY(st, ops->alloc(conf->dev, (size_t)conf->shape.n * sizeof(adn_label), &labels), done);
    s->labels = labels;
    ADN_TRY(st, ops->event_create(conf->dev, &s->written), done);
    ADN_TRY(st, ops->event_create(conf->dev, &s->read), done);
    s->samples = adn_alloc((size_t)conf->shape.n * sizeof(uint32_t));
    if (s->samples == NULL) st = ADN_FAIL(ADN_NOMEM, "edge: no memory for a slot");
done:
    return st;
}

static void slot_destroy(adn_device *dev, adn_slot *s)
{
    if (s->x != NULL) dev->ops->release(dev, s->x);
    if (s->labels != NULL) dev->ops->release(dev, s->labels);
    dev->ops->event_destroy(s->written);
    dev->ops->event_destroy(s->read);
    adn_free(s->samples);
}

static adn_status lane_create(const adn_edge_conf *conf, adn_lane lane, lane_state *l)
{
    adn_replay_conf replay = lane_conf(conf, lane);
    int n = adn_edge_n_slot(conf, lane);
    adn_status st = ADN_OK;

    l->slots = adn_alloc((size_t)n * sizeof(*l->slots));
    l->states = adn_alloc((size_t)n * sizeof(*l->states));
    if (l->slots == NULL || l->states == NULL)
        return ADN_FAIL(ADN_NOMEM, "edge: no memory for %d slots", n);
    adn_ring_init(&l->ring, &replay, conf->n_slot[lane], l->states);
    for (; st == ADN_OK && l->n < n; l->n++) st = slot_create(conf, lane, &l->slots[l->n]);
    return st;
}

adn_status adn_edge_create(const adn_edge_conf *conf, adn_edge **out)
{
    adn_status st = ADN_OK;
    adn_edge *e = adn_alloc(sizeof(*e));

    if (e == NULL) return ADN_FAIL(ADN_NOMEM, "edge: no memory");
    e->dev = conf->dev;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    for (adn_lane k = 0; k < ADN_N_LANE; k++) ADN_TRY(st, lane_create(conf, k, &e->lanes[k]), fail);
    *out = e;
    return ADN_OK;
fail:
    adn_edge_destroy(e);
    return st;
}

void adn_edge_destroy(adn_edge *e)
{
    if (e == NULL) return;
    for (int k = 0; k < ADN_N_LANE; k++) {
        lane_state *l = &e->lanes[k];
        for (int i = 0; i < l->n; i++) slot_destroy(e->dev, &l->slots[i]);
        adn_free(l->slots);
        adn_free(l->states);
    }
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    adn_free(e);
}

/* --- the lock */

static void unlock(adn_edge *e)
{
    for (int k = 0; k < ADN_N_LANE; k++) {
        if (e->lanes[k].ring.must_wake) pthread_cond_broadcast(&e->changed);
        e->lanes[k].ring.must_wake = false;
    }
    pthread_mutex_unlock(&e->lock);
}

/* Locked. Until anything changes; counted, and seen while it lasts. */
static void wait_changed(adn_edge *e, bool *waits, double *wait_s)
{
    double start = adn_now();

    *waits = true;
    pthread_cond_wait(&e->changed, &e->lock);
    *waits = false;
    *wait_s += adn_now() - start;
}

/* Locked, and let go meanwhile: nobody else records the caller's own events. */
static adn_status wait_own(adn_edge *e, adn_event *own)
{
    unlock(e);
    adn_status st = e->dev->ops->event_sync(own);
    pthread_mutex_lock(&e->lock);
    return st;
}

static bool has_ended(void *user, int slot, bool is_write)
{
    const adn_slot *s = &((const lane_state *)user)->slots[slot];
    const adn_event *ev = is_write ? s->written : s->read;
    return ev->dev->ops->event_query(ev);
}

/* --- producer */

adn_status adn_edge_acquire(adn_edge *e, adn_lane lane, adn_queue *q, adn_slot **out)
{
    lane_state *l = &e->lanes[lane];
    adn_ring_answer a = {.verb = ADN_RING_WAIT};
    adn_status st = ADN_OK;

    pthread_mutex_lock(&e->lock);
    while (st == ADN_OK && !e->is_aborted) {
        adn_ring_poll(&l->ring, has_ended, l);
        a = adn_ring_acquire(&l->ring);
        if (a.verb == ADN_RING_WAIT)
            wait_changed(e, &l->producer_waits, &l->wait_out_s);
        else if (a.verb == ADN_RING_SYNC)
            st = wait_own(e, l->slots[a.slot].written);
        else
            break;
    }
    if (st == ADN_OK && e->is_aborted) st = ADN_STOPPED;
    unlock(e);
    if (st != ADN_OK) return st;
    adn_slot *s = a.verb == ADN_RING_GO ? &l->slots[a.slot] : NULL;
    if (s != NULL) st = e->dev->ops->event_wait(q, s->read);
    if (st == ADN_OK) *out = s;
    return st;
}

void adn_edge_commit(adn_edge *e, adn_slot *s)
{
    lane_state *l = &e->lanes[s->lane];

    pthread_mutex_lock(&e->lock);
    adn_ring_commit(&l->ring, (int)(s - l->slots));
    s->push = l->states[s - l->slots].push;
    unlock(e);
}

void adn_edge_close(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    for (int k = 0; k < ADN_N_LANE; k++) adn_ring_close(&e->lanes[k].ring);
    unlock(e);
}

void adn_edge_leave(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    for (int k = 0; k < ADN_N_LANE; k++) adn_ring_leave(&e->lanes[k].ring);
    unlock(e);
}

void adn_edge_abort(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    e->is_aborted = true;
    pthread_cond_broadcast(&e->changed);
    unlock(e);
}

/* --- consumer */

/* Whether the oldest marker comes before what the consumer would get. Locked. */
static bool marker_is_next(const adn_edge *e, adn_lane lane, adn_ring_answer a)
{
    if (lane != ADN_LANE_TRAIN || e->n_marker == 0) return false;
    return a.verb != ADN_RING_GO || e->lanes[lane].slots[a.slot].step > e->markers[0];
}

/* Locked. */
static adn_slot *take(lane_state *l, int slot)
{
    adn_slot *s = &l->slots[slot];

    s->age = adn_replay_age(&l->ring.book, slot);
    adn_ages_add(&l->ages, s->age);
    adn_ring_take(&l->ring, slot);
    s->use = l->states[slot].use;
    return s;
}

adn_status adn_edge_take(adn_edge *e, adn_lane lane, adn_queue *q, adn_slot **out)
{
    lane_state *l = &e->lanes[lane];
    adn_status st = ADN_OK;
    adn_slot *s = NULL;

    pthread_mutex_lock(&e->lock);
    while (st == ADN_OK && !e->is_aborted && s == NULL) {
        adn_ring_poll(&l->ring, has_ended, l);
        adn_ring_answer a = adn_ring_next(&l->ring);
        if (a.verb == ADN_RING_SYNC)
            st = wait_own(e, l->slots[a.slot].read);
        else if (marker_is_next(e, lane, a))
            break;
        else if (a.verb == ADN_RING_WAIT)
            wait_changed(e, &l->consumer_waits, &l->wait_in_s);
        else if (a.verb == ADN_RING_END)
            st = ADN_END;
        else
            s = take(l, a.slot);
    }
    if (st == ADN_OK && e->is_aborted) st = ADN_STOPPED;
    unlock(e);
    if (st == ADN_OK && s != NULL) st = e->dev->ops->event_wait(q, s->written);
    if (st == ADN_OK) *out = s;
    return st;
}

void adn_edge_release(adn_edge *e, adn_slot *s)
{
    lane_state *l = &e->lanes[s->lane];

    pthread_mutex_lock(&e->lock);
    adn_ring_release(&l->ring, (int)(s - l->slots));
    unlock(e);
}

/* --- markers */

adn_status adn_edge_mark(adn_edge *e, int64_t step)
{
    lane_state *l = &e->lanes[ADN_LANE_TRAIN];
    adn_status st = ADN_OK;

    pthread_mutex_lock(&e->lock);
    while (!e->is_aborted && !l->ring.is_left && e->n_marker == ADN_EDGE_MARKERS)
        wait_changed(e, &l->producer_waits, &l->wait_out_s);
    if (e->is_aborted)
        st = ADN_STOPPED;
    else if (!l->ring.is_left)
        e->markers[e->n_marker++] = step;
    pthread_cond_broadcast(&e->changed);
    unlock(e);
    return st;
}

int64_t adn_edge_pop_marker(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    ADN_ASSERT(e->n_marker > 0);
    int64_t step = e->markers[0];
    e->n_marker--;
    for (int i = 0; i < e->n_marker; i++) e->markers[i] = e->markers[i + 1];
    pthread_cond_broadcast(&e->changed);
    unlock(e);
    return step;
}

adn_edge_stats adn_edge_counts(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    const lane_state *l = &e->lanes[ADN_LANE_TRAIN], *t = &e->lanes[ADN_LANE_TEST];
    adn_edge_stats s = {.pushed = l->ring.pushed,
                        .pulled = l->ring.book.pulled,
                        .wait_out_s = l->wait_out_s,
                        .wait_in_s = l->wait_in_s,
                        .producer_waits = l->producer_waits || t->producer_waits,
                        .consumer_waits = l->consumer_waits || t->consumer_waits,
                        .reused = l->ring.reused,
                        .dropped = l->ring.dropped,
                        .n_full = adn_replay_full(&l->ring.book),
                        .n_unread = adn_replay_unread(&l->ring.book),
                        .ages = l->ages};
    pthread_mutex_unlock(&e->lock);
    return s;
}
