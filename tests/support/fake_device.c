/* The entries that an edge uses. */
#include "fake_device.h"

static adn_status fake_alloc(adn_device *dev, size_t bytes, void **out)
{
    (void)dev;
    return (*out = adn_alloc(bytes)) != NULL ? ADN_OK : ADN_NOMEM;
}

static void fake_release(adn_device *dev, void *p)
{
    (void)dev;
    adn_free(p);
}

static adn_status fake_event_create(adn_device *dev, adn_event **out)
{
    fake_event *e = adn_alloc(sizeof(*e));
    if (e == NULL) return ADN_NOMEM;
    e->base.dev = dev;
    *out = &e->base;
    return ADN_OK;
}

static void fake_event_destroy(adn_event *e)
{
    adn_free(e);
}

static adn_status fake_event_wait(adn_queue *q, adn_event *e)
{
    (void)q;
    fake_event_of(e)->n_wait++;
    return ADN_OK;
}

static adn_status fake_event_sync(adn_event *e)
{
    fake_event_of(e)->n_sync++;
    fake_event_of(e)->is_pending = false;
    return ((const fake_device *)e->dev)->sync_result;
}

static bool fake_event_query(const adn_event *e)
{
    return !((const fake_event *)e)->is_pending;
}

static const adn_device_ops fake_ops = {.alloc = fake_alloc,
                                        .release = fake_release,
                                        .event_create = fake_event_create,
                                        .event_destroy = fake_event_destroy,
                                        .event_wait = fake_event_wait,
                                        .event_sync = fake_event_sync,
                                        .event_query = fake_event_query};

adn_queue *const no_queue[1] = {NULL};

void fake_device_init(fake_device *dev)
{
    *dev = (fake_device){.base = {&fake_ops}};
}

fake_event *fake_event_of(adn_event *e)
{
    return (fake_event *)e;
}
