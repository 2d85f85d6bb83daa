/* An edge's memory: the slots of its lanes with their events. */
#include "edge/inside.h"

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
    ADN_TRY(st, ops->event_create(conf->from != NULL ? conf->from : conf->dev, &s->written), done);
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

adn_status adn_edge_lane_create(const adn_edge_conf *conf, adn_lane lane, adn_edge_lane *l)
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

void adn_edge_lane_clear(adn_device *dev, adn_edge_lane *l)
{
    for (int i = 0; i < l->n; i++) slot_destroy(dev, &l->slots[i]);
    adn_free(l->slots);
    adn_free(l->states);
}
