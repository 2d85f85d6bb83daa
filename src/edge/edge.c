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
    struct waiting { /* of a side: from ADN_AGAIN to the next other answer */
        bool is_on;
        double since_s, sum_s;
    } waits[ADN_N_SIDE];
    int64_t released, lost, bytes;
    double occupancy_sum;
} lane_state;

typedef struct marker {
    int64_t step;
    int64_t after; /* test batches that are released before it is met */
} marker;

struct adn_edge {
    adn_device *dev;
    pthread_mutex_t lock;
    adn_bell *bells[ADN_N_SIDE];
    const adn_clock *clock;
    size_t sample_bytes;
    lane_state lanes[ADN_N_LANE];
    marker markers[ADN_EDGE_MARKERS];
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
    for (; st == ADN_OK && l->n < n; l->n++) {
        l->slots[l->n].index = l->n;
        st = slot_create(conf, lane, &l->slots[l->n]);
    }
    return st;
}

adn_status adn_edge_create(const adn_edge_conf *conf, adn_edge **out)
{
    adn_status st = ADN_OK;
    adn_edge *e = adn_alloc(sizeof(*e));

    if (e == NULL) return ADN_FAIL(ADN_NOMEM, "edge: no memory");
    e->dev = conf->dev;
    e->clock = conf->clock;
    e->sample_bytes = adn_edge_slot_bytes(conf) / (size_t)conf->shape.n;
    for (int k = 0; k < ADN_N_SIDE; k++) e->bells[k] = conf->bells[k];
    pthread_mutex_init(&e->lock, NULL);
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

/* Locked. What a call of this side is answered; until it is another than ADN_AGAIN, it waits. */
static adn_status answer(adn_edge *e, adn_lane lane, adn_side side, adn_status st)
{
    struct waiting *w = &e->lanes[lane].waits[side];
    bool waits = st == ADN_AGAIN;

    if (waits == w->is_on) return st;
    double now = adn_clock_now(e->clock);
    if (waits)
        w->since_s = now;
    else
        w->sum_s += now - w->since_s;
    w->is_on = waits;
    return st;
}

/* Locked, and let go meanwhile: nobody else records the caller's own events. Modelled time does not
 * pass meanwhile. */
static adn_status wait_own(adn_edge *e, adn_event *own)
{
    if (e->clock != NULL) return ADN_AGAIN;
    unlock(e);
    adn_status st = e->dev->ops->event_sync(own);
    pthread_mutex_lock(&e->lock);
    return st;
}

/* What has_ended asks about. */
typedef struct asked {
    const adn_edge *e;
    const lane_state *lane;
} asked;

static bool has_arrived(const adn_edge *e, const adn_slot *s)
{
    return e->clock == NULL || s->ready_s <= adn_clock_now(e->clock);
}

static bool has_ended(void *user, int slot, bool is_write)
{
    const asked *a = user;
    const adn_slot *s = &a->lane->slots[slot];
    if (a->e->clock != NULL) return !is_write || has_arrived(a->e, s);
    const adn_event *ev = is_write ? s->written : s->read;
    return ev->dev->ops->event_query(ev);
}

static void poll(adn_edge *e, lane_state *l)
{
    adn_ring_poll(&l->ring, has_ended, &(asked){e, l});
}

/* --- producer */

adn_status adn_edge_acquire(adn_edge *e, adn_lane lane, adn_queue *q, adn_slot **out)
{
    lane_state *l = &e->lanes[lane];
    adn_ring_answer a = {.verb = ADN_RING_SYNC};
    adn_status st = ADN_OK;

    pthread_mutex_lock(&e->lock);
    while (st == ADN_OK && a.verb == ADN_RING_SYNC && !e->is_aborted) {
        poll(e, l);
        a = adn_ring_acquire(&l->ring);
        if (a.verb == ADN_RING_WAIT) st = ADN_AGAIN;
        if (a.verb == ADN_RING_SYNC) st = wait_own(e, l->slots[a.slot].written);
    }
    if (e->is_aborted && st != ADN_DEVICE) st = ADN_STOPPED;
    st = answer(e, lane, ADN_SIDE_PRODUCER, st);
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
    l->bytes += (int64_t)e->sample_bytes * s->n_valid;
    unlock(e);
}

void adn_edge_close(adn_edge *e, adn_lane lane)
{
    pthread_mutex_lock(&e->lock);
    adn_ring_close(&e->lanes[lane].ring);
    unlock(e);
}

void adn_edge_lose(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    e->lanes[ADN_LANE_TRAIN].lost++;
    unlock(e);
}

void adn_edge_abort(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    e->is_aborted = true;
    for (int k = 0; k < ADN_N_LANE; k++) {
        e->lanes[k].ring.must_wake = true;
        for (int side = 0; side < ADN_N_SIDE; side++)
            (void)answer(e, (adn_lane)k, (adn_side)side, ADN_STOPPED);
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
static adn_slot *take(lane_state *l, int slot)
{
    adn_slot *s = &l->slots[slot];

    s->age = adn_replay_age(&l->ring.book, slot);
    adn_ages_add(&l->ages, s->age);
    l->occupancy_sum += adn_replay_unread(&l->ring.book) / (double)l->ring.book.n_slot;
    adn_ring_take(&l->ring, slot);
    s->use = l->states[slot].use;
    return s;
}

/* Locked. What comes next on the lane, as far as the ring knows. */
static adn_ring_answer next(adn_edge *e, lane_state *l)
{
    poll(e, l);
    if (l->ring.is_left)
        return (adn_ring_answer){l->ring.book.is_closed ? ADN_RING_END : ADN_RING_WAIT, -1};
    return adn_ring_next(&l->ring);
}

adn_status adn_edge_take(adn_edge *e, adn_lane lane, adn_queue *q, adn_slot **out)
{
    lane_state *l = &e->lanes[lane];
    adn_ring_answer a = {.verb = ADN_RING_SYNC};
    adn_status st = ADN_OK;
    adn_slot *s = NULL;

    pthread_mutex_lock(&e->lock);
    while (st == ADN_OK && a.verb == ADN_RING_SYNC && !e->is_aborted) {
        a = next(e, l);
        if (a.verb == ADN_RING_SYNC)
            st = wait_own(e, l->slots[a.slot].read);
        else if (lane == ADN_LANE_TRAIN && marker_is_next(e, a))
            break;
        else if (a.verb == ADN_RING_END)
            st = ADN_END;
        else if (a.verb == ADN_RING_WAIT || !has_arrived(e, &l->slots[a.slot]))
            st = ADN_AGAIN;
        else
            s = take(l, a.slot);
    }
    if (e->is_aborted && st != ADN_DEVICE) st = ADN_STOPPED;
    st = answer(e, lane, ADN_SIDE_CONSUMER, st);
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
    l->released++;
    unlock(e);
}

void adn_edge_leave(adn_edge *e, adn_lane lane)
{
    lane_state *l = &e->lanes[lane];

    pthread_mutex_lock(&e->lock);
    adn_ring_leave(&l->ring);
    (void)answer(e, lane, ADN_SIDE_CONSUMER, ADN_END);
    unlock(e);
}

void adn_edge_read_once(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    e->lanes[ADN_LANE_TRAIN].ring.book.reads_once = true;
    unlock(e);
}

/* --- markers */

void adn_edge_mark(adn_edge *e, int64_t step, bool after_tests)
{
    lane_state *l = &e->lanes[ADN_LANE_TRAIN], *t = &e->lanes[ADN_LANE_TEST];

    pthread_mutex_lock(&e->lock);
    if (!t->ring.is_left) {
        ADN_ASSERT(e->n_marker < ADN_EDGE_MARKERS);
        e->markers[e->n_marker++] = (marker){step, after_tests ? t->ring.pushed : 0};
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
    lane_state *l = &e->lanes[lane];
    return index >= 0 && index < l->n ? &l->slots[index] : NULL;
}

/* --- counts */

void adn_edge_resume(adn_edge *e, int64_t pulled)
{
    pthread_mutex_lock(&e->lock);
    e->lanes[ADN_LANE_TRAIN].ring.book.drawn = pulled;
    unlock(e);
}

static double waited(const adn_edge *e, const struct waiting *w)
{
    return w->sum_s + (w->is_on ? adn_clock_now(e->clock) - w->since_s : 0);
}

adn_edge_stats adn_edge_counts(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    const lane_state *l = &e->lanes[ADN_LANE_TRAIN], *t = &e->lanes[ADN_LANE_TEST];
    adn_edge_stats s = {
        .pushed = l->ring.pushed,
        .pulled = l->ring.book.pulled,
        .wait_out_s = waited(e, &l->waits[ADN_SIDE_PRODUCER]),
        .wait_in_s = waited(e, &l->waits[ADN_SIDE_CONSUMER]),
        .producer_waits = l->waits[ADN_SIDE_PRODUCER].is_on || t->waits[ADN_SIDE_PRODUCER].is_on,
        .consumer_waits = l->waits[ADN_SIDE_CONSUMER].is_on || t->waits[ADN_SIDE_CONSUMER].is_on,
        .reused = l->ring.reused,
        .dropped = l->ring.dropped,
        .lost = l->lost,
        .bytes = l->bytes,
        .occupancy_sum = l->occupancy_sum,
        .n_full = adn_replay_full(&l->ring.book),
        .n_unread = adn_replay_unread(&l->ring.book),
        .ages = l->ages};
    pthread_mutex_unlock(&e->lock);
    return s;
}
