/* An edge's memory: the slots of its lanes with their events. */
#include "core/map.h"
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

/* In a file slots begin on pages, whose reading and writing then is their own. */
static size_t file_step(const adn_edge_conf *conf)
{
    const size_t page = 4096;
    return (x_bytes(conf) + page - 1) / page * page;
}

static adn_status create_x(const adn_edge_conf *conf, adn_device *dev, const adn_edge_lane *l,
                           adn_slot *s)
{
    switch (conf->place) {
    case ADN_EDGE_PINNED:
        return dev->ops->host_alloc(dev, x_bytes(conf), &s->x);
    case ADN_EDGE_FILE:
        s->x = (char *)l->file + (size_t)(s - l->slots) * file_step(conf);
        return ADN_OK;
    default:
        return dev->ops->alloc(dev, x_bytes(conf), &s->x);
    }
}

static void destroy_x(adn_device *dev, const adn_edge_lane *l, adn_slot *s)
{
    if (s->x == NULL || l->place == ADN_EDGE_FILE) return;
    if (l->place == ADN_EDGE_PINNED)
        dev->ops->host_release(dev, s->x);
    else
        dev->ops->release(dev, s->x);
}

static adn_status slot_create(const adn_edge_conf *conf, const adn_edge_lane *l, int column,
                              adn_slot *s)
{
    adn_device *dev = conf->dev[column], *from = conf->from[column];
    const adn_device_ops *ops = dev->ops;
    adn_status st;
    void *labels = NULL;

    ADN_TRY(st, ops->event_create(dev, &s->read), done);
    ADN_TRY(st, ops->event_create(from != NULL ? from : dev, &s->written), done);
    ADN_TRY(st, create_x(conf, dev, l, s), done);
    ADN_TRY(st, ops->alloc(dev, (size_t)conf->shape.n * sizeof(adn_label), &labels), done);
    s->labels = labels;
    s->samples = adn_alloc((size_t)conf->shape.n * sizeof(uint32_t));
    if (s->samples == NULL) st = ADN_FAIL(ADN_NOMEM, "edge: no memory for a slot");
done:
    return st;
}

static void slot_destroy(const adn_edge_lane *l, adn_slot *s)
{
    if (s->read == NULL) return; /* it comes first */
    const adn_device_ops *ops = s->read->dev->ops;
    destroy_x(s->read->dev, l, s);
    if (s->labels != NULL) ops->release(s->read->dev, s->labels);
    ops->event_destroy(s->written);
    ops->event_destroy(s->read);
    adn_free(s->samples);
}

adn_status adn_edge_lane_create(const adn_edge_conf *conf, adn_lane lane, adn_edge_lane *l)
{
    adn_replay_conf replay = lane_conf(conf, lane);
    int n = adn_edge_n_slot(conf, lane), n_column = ADN_MAX(1, conf->n_column);
    adn_status st = ADN_OK;

    l->n = n;
    l->slots = adn_alloc((size_t)n * (size_t)n_column * sizeof(*l->slots));
    l->states = adn_alloc((size_t)n * sizeof(*l->states));
    if (l->slots == NULL || l->states == NULL)
        return ADN_FAIL(ADN_NOMEM, "edge: no memory for %d slots", n);
    adn_ring_init(&l->ring, &replay, conf->n_slot[lane], l->states);
    l->place = conf->place;
    if (conf->place == ADN_EDGE_FILE) {
        l->file_bytes = (size_t)n * (size_t)n_column * file_step(conf);
        st = adn_map_create(conf->dir != NULL ? conf->dir : ".", l->file_bytes, &l->file);
    }
    for (; st == ADN_OK && l->n_made < n * n_column; l->n_made++) {
        adn_slot *s = &l->slots[l->n_made];
        int column = l->n_made / n;
        s->lane = lane;
        s->index = l->n_made % n;
        if (column + 1 < n_column) s->beside = s + n;
        st = slot_create(conf, l, column, s);
    }
    return st;
}

void adn_edge_lane_clear(adn_edge_lane *l)
{
    for (int i = 0; i < l->n_made; i++) slot_destroy(l, &l->slots[i]);
    adn_map_release(l->file, l->file_bytes);
    adn_free(l->slots);
    adn_free(l->states);
}
