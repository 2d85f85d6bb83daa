/* From and to slots that are not on the stage's device. */
#include "stage/carry.h"

enum { N_PLACE = 2 };

struct adn_carry {
    adn_device *dev;
    adn_queue *queue;
    adn_queue *far;  /* on the device that it sends to; NULL: it copies */
    adn_group *pair; /* of the two */
    size_t sample_bytes;
    struct place {
        void *x;
        adn_label *labels;
        adn_event *filled, *free; /* out: by the stage's queue, by the carry's; in: the other way */
    } places[N_PLACE];
    int turn;
};

static adn_status place_create(adn_carry *c, int n, struct place *p)
{
    const adn_device_ops *ops = c->dev->ops;
    adn_status st;
    void *labels = NULL;

    ADN_TRY(st, ops->alloc(c->dev, (size_t)n * c->sample_bytes, &p->x), done);
    ADN_TRY(st, ops->alloc(c->dev, (size_t)n * sizeof(*p->labels), &labels), done);
    p->labels = labels;
    ADN_TRY(st, ops->event_create(c->dev, &p->filled), done);
    st = ops->event_create(c->dev, &p->free);
done:
    return st;
}

static adn_status create_pair(adn_carry *c, adn_device *to, const adn_queue_conf *queue)
{
    adn_status st = to->ops->queue_create(to, queue, &c->far);

    if (st != ADN_OK) return st;
    return c->dev->ops->group_create((adn_queue *[2]){c->queue, c->far}, 2, &c->pair);
}

adn_status adn_carry_create(adn_device *dev, adn_device *to, const adn_queue_conf *queue,
                            size_t sample_bytes, int n, adn_carry **out)
{
    adn_status st;
    adn_carry *c = adn_alloc(sizeof(*c));

    if (c == NULL) return ADN_FAIL(ADN_NOMEM, "stage: no memory");
    c->dev = dev;
    c->sample_bytes = sample_bytes;
    ADN_TRY(st, dev->ops->queue_create(dev, queue, &c->queue), fail);
    if (to != NULL) ADN_TRY(st, create_pair(c, to, queue), fail);
    for (int k = 0; k < N_PLACE; k++) ADN_TRY(st, place_create(c, n, &c->places[k]), fail);
    *out = c;
    return ADN_OK;
fail:
    adn_carry_destroy(c);
    return st;
}

void adn_carry_destroy(adn_carry *c)
{
    if (c == NULL) return;
    const adn_device_ops *ops = c->dev->ops;
    if (c->queue != NULL && ops->queue_sync(c->queue) != ADN_OK) adn_debug("a carry had failed");
    if (c->far != NULL && ops->queue_sync(c->far) != ADN_OK) adn_debug("a carry had failed");
    if (c->pair != NULL) ops->group_destroy(c->pair);
    if (c->far != NULL) ops->queue_destroy(c->far);
    if (c->queue != NULL) ops->queue_destroy(c->queue);
    for (int k = 0; k < N_PLACE; k++) {
        if (c->places[k].x != NULL) ops->release(c->dev, c->places[k].x);
        if (c->places[k].labels != NULL) ops->release(c->dev, c->places[k].labels);
        ops->event_destroy(c->places[k].filled);
        ops->event_destroy(c->places[k].free);
    }
    adn_free(c);
}

adn_queue *adn_carry_queue(adn_carry *c)
{
    return c->far != NULL ? c->far : c->queue;
}

adn_status adn_carry_begin(adn_carry *c, adn_queue *q, void **out_x)
{
    struct place *p = &c->places[c->turn];
    adn_status st = c->dev->ops->event_wait(q, p->free);

    if (st == ADN_OK) *out_x = p->x;
    return st;
}

static adn_status transfer(adn_carry *c, void *dst, const void *src, size_t bytes)
{
    const adn_device_ops *ops = c->dev->ops;
    return c->pair != NULL ? ops->group_send(c->pair, dst, src, bytes)
                           : ops->copy(c->queue, dst, src, bytes);
}

adn_status adn_carry_send(adn_carry *c, adn_queue *q, const adn_slot *in, adn_slot *out)
{
    const adn_device_ops *ops = c->dev->ops;
    struct place *p = &c->places[c->turn];
    size_t n = (size_t)in->n_valid;
    adn_status st;

    c->turn = (c->turn + 1) % N_PLACE;
    ADN_TRY(st, ops->copy(q, p->labels, in->labels, n * sizeof(*p->labels)), done);
    ADN_TRY(st, ops->event_record(q, p->filled), done);
    ADN_TRY(st, ops->event_wait(c->queue, p->filled), done);
    if (c->far != NULL)
        ADN_TRY(st, ops->event_wait(c->far, p->filled), done); /* a waiting receive is busy */
    ADN_TRY(st, transfer(c, out->x, p->x, n * c->sample_bytes), done);
    ADN_TRY(st, transfer(c, out->labels, p->labels, n * sizeof(*p->labels)), done);
    ADN_TRY(st, ops->event_record(c->queue, p->free), done);
    st = ops->event_record(adn_carry_queue(c), out->written);
done:
    return st;
}

adn_status adn_carry_take(adn_carry *c, adn_queue *q, const adn_slot *in, adn_slot *out)
{
    const adn_device_ops *ops = c->dev->ops;
    struct place *p = &c->places[c->turn];
    size_t n = (size_t)in->n_valid;
    adn_status st;

    ADN_TRY(st, ops->event_wait(c->queue, p->free), done);
    ADN_TRY(st, ops->copy(c->queue, p->x, in->x, n * c->sample_bytes), done);
    ADN_TRY(st, ops->copy(c->queue, p->labels, in->labels, n * sizeof(*p->labels)), done);
    ADN_TRY(st, ops->event_record(c->queue, in->read), done);
    ADN_TRY(st, ops->event_record(c->queue, p->filled), done);
    ADN_TRY(st, ops->event_wait(q, p->filled), done);
    *out = *in;
    out->x = p->x;
    out->labels = p->labels;
done:
    return st;
}

adn_status adn_carry_done(adn_carry *c, adn_queue *q)
{
    struct place *p = &c->places[c->turn];

    c->turn = (c->turn + 1) % N_PLACE;
    return c->dev->ops->event_record(q, p->free);
}
