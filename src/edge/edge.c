/* The local edge: slots in the consumer's device memory, a lock for the bookkeeping, events for the
 * data. */
#include "edge/edge.h"

#include <pthread.h>

#include "edge/replay.h"

typedef struct lane_state {
    adn_slot *slots;
    adn_replay_slot *states;
    int n;
    int64_t pushed, pulled;
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
    bool is_closed, is_left, is_aborted;
};

static size_t x_bytes(const adn_edge_conf *conf)
{
    return adn_shape_count(conf->shape) * adn_type_bytes(conf->type);
}

size_t adn_edge_slot_bytes(const adn_edge_conf *conf)
{
    return x_bytes(conf) + (size_t)conf->shape.n * (sizeof(adn_label) + sizeof(uint32_t));
}

static adn_status slot_create(const adn_edge_conf *conf, int lane, adn_slot *s)
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

adn_status adn_edge_create(const adn_edge_conf *conf, adn_edge **out)
{
    adn_status st = ADN_OK;
    adn_edge *e = adn_alloc(sizeof(*e));

    if (e == NULL) return ADN_FAIL(ADN_NOMEM, "edge: no memory");
    e->dev = conf->dev;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    for (int k = 0; k < ADN_N_LANE; k++) {
        lane_state *l = &e->lanes[k];
        size_t n = (size_t)conf->n_slot[k];
        l->slots = adn_alloc(n * sizeof(*l->slots));
        l->states = adn_alloc(n * sizeof(*l->states));
        if (l->slots == NULL || l->states == NULL) {
            st = ADN_FAIL(ADN_NOMEM, "edge: no memory for %zu slots", n);
            goto fail;
        }
        for (; l->n < conf->n_slot[k]; l->n++) {
            st = slot_create(conf, k, &l->slots[l->n]);
            if (st == ADN_OK) continue;
            slot_destroy(e->dev, &l->slots[l->n]);
            goto fail;
        }
    }
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

adn_status adn_edge_acquire(adn_edge *e, adn_lane lane, adn_queue *q, adn_slot **out)
{
    lane_state *l = &e->lanes[lane];
    double start = adn_now();
    adn_status st = ADN_OK;
    adn_slot *s = NULL;
    int i = -1;

    pthread_mutex_lock(&e->lock);
    l->producer_waits = true;
    while (!e->is_aborted && !e->is_left && (i = adn_replay_write(l->states, l->n)) < 0)
        pthread_cond_wait(&e->changed, &e->lock);
    l->producer_waits = false;
    l->wait_out_s += adn_now() - start;
    if (e->is_aborted) {
        st = ADN_STOPPED;
    } else if (i >= 0) {
        l->states[i].state = ADN_SLOT_WRITING;
        s = &l->slots[i];
    }
    pthread_mutex_unlock(&e->lock);
    if (s != NULL) st = e->dev->ops->event_wait(q, s->read);
    if (st == ADN_OK) *out = s;
    return st;
}

void adn_edge_commit(adn_edge *e, adn_slot *s)
{
    lane_state *l = &e->lanes[s->lane];

    pthread_mutex_lock(&e->lock);
    s->push = l->pushed++;
    l->states[s - l->slots] = (adn_replay_slot){ADN_SLOT_READY, s->push};
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void set_flag(adn_edge *e, bool *flag)
{
    pthread_mutex_lock(&e->lock);
    *flag = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

void adn_edge_close(adn_edge *e)
{
    set_flag(e, &e->is_closed);
}

void adn_edge_leave(adn_edge *e)
{
    set_flag(e, &e->is_left);
}

void adn_edge_abort(adn_edge *e)
{
    set_flag(e, &e->is_aborted);
}

/* Whether the oldest marker comes before slot i (-1: none is ready). Training lane, locked. */
static bool marker_is_next(const adn_edge *e, adn_lane lane, int i)
{
    if (lane != ADN_LANE_TRAIN || e->n_marker == 0) return false;
    return i < 0 || e->lanes[lane].slots[i].step > e->markers[0];
}

adn_status adn_edge_take(adn_edge *e, adn_lane lane, adn_queue *q, adn_slot **out)
{
    lane_state *l = &e->lanes[lane];
    double start = adn_now();
    adn_status st = ADN_OK;
    adn_slot *s = NULL;
    int i = -1;

    pthread_mutex_lock(&e->lock);
    l->consumer_waits = true;
    while (!e->is_aborted && (i = adn_replay_read(l->states, l->n)) < 0 &&
           !marker_is_next(e, lane, i) && !e->is_closed)
        pthread_cond_wait(&e->changed, &e->lock);
    l->consumer_waits = false;
    l->wait_in_s += adn_now() - start;
    if (e->is_aborted) {
        st = ADN_STOPPED;
    } else if (marker_is_next(e, lane, i)) {
        st = ADN_OK;
    } else if (i < 0) {
        st = ADN_END;
    } else {
        l->states[i].state = ADN_SLOT_READING;
        l->pulled++;
        s = &l->slots[i];
    }
    pthread_mutex_unlock(&e->lock);
    if (s != NULL) st = e->dev->ops->event_wait(q, s->written);
    if (st == ADN_OK) *out = s;
    return st;
}

void adn_edge_release(adn_edge *e, adn_slot *s)
{
    lane_state *l = &e->lanes[s->lane];

    pthread_mutex_lock(&e->lock);
    l->states[s - l->slots].state = ADN_SLOT_FREE;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

adn_status adn_edge_mark(adn_edge *e, int64_t step)
{
    lane_state *l = &e->lanes[ADN_LANE_TRAIN];
    adn_status st = ADN_OK;

    pthread_mutex_lock(&e->lock);
    l->producer_waits = true;
    while (!e->is_aborted && !e->is_left && e->n_marker == ADN_EDGE_MARKERS)
        pthread_cond_wait(&e->changed, &e->lock);
    l->producer_waits = false;
    if (e->is_aborted)
        st = ADN_STOPPED;
    else if (!e->is_left)
        e->markers[e->n_marker++] = step;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
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
    pthread_mutex_unlock(&e->lock);
    return step;
}

adn_edge_stats adn_edge_counts(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    const lane_state *l = &e->lanes[ADN_LANE_TRAIN], *t = &e->lanes[ADN_LANE_TEST];
    adn_edge_stats s = {l->pushed,
                        l->pulled,
                        l->wait_out_s,
                        l->wait_in_s,
                        l->producer_waits || t->producer_waits,
                        l->consumer_waits || t->consumer_waits};
    pthread_mutex_unlock(&e->lock);
    return s;
}
