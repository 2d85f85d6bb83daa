/* A device in front of another that lets the n-th call of those that can fail do nothing but fail.
 * Objects of the inner device get this one as their `dev`, so that all calls come through here. */
#include <stdatomic.h>

#include "device/device.h"

typedef struct faulty {
    adn_device base;
    adn_device_ops table;
    adn_device *inner;
    atomic_int_fast64_t calls; /* since armed; queues' hosts call from their own threads */
    atomic_int_fast64_t fails; /* the number of the call that fails; 0: none */
} faulty;

static const adn_device_ops *inner_ops(const adn_device *dev)
{
    return ((const faulty *)dev)->inner->ops;
}

/* Counts a call; not ADN_OK if it is the one to fail. */
static adn_status enter(adn_device *dev, const char *name)
{
    faulty *f = (faulty *)dev;
    int64_t call = atomic_fetch_add(&f->calls, 1) + 1;
    if (call != atomic_load(&f->fails)) return ADN_OK;
    return ADN_FAIL(ADN_DEVICE, "faulty: call %lld (%s) fails, as asked", (long long)call, name);
}

#define ENTER(dev, name)                                                                           \
    do {                                                                                           \
        adn_status entered = enter((dev), name);                                                   \
        if (entered != ADN_OK) return entered;                                                     \
    } while (0)

static void faulty_close(adn_device *dev)
{
    inner_ops(dev)->close(((faulty *)dev)->inner);
    adn_free(dev);
}

static adn_status faulty_alloc(adn_device *dev, size_t bytes, void **out)
{
    ENTER(dev, "alloc");
    return inner_ops(dev)->alloc(((faulty *)dev)->inner, bytes, out);
}

static void faulty_release(adn_device *dev, void *p)
{
    inner_ops(dev)->release(((faulty *)dev)->inner, p);
}

static adn_status faulty_host_alloc(adn_device *dev, size_t bytes, void **out)
{
    ENTER(dev, "host_alloc");
    return inner_ops(dev)->host_alloc(((faulty *)dev)->inner, bytes, out);
}

static void faulty_range_begin(adn_queue *q, const char *name)
{
    inner_ops(q->dev)->range_begin(q, name);
}

static void faulty_range_end(adn_queue *q)
{
    inner_ops(q->dev)->range_end(q);
}

static void faulty_host_release(adn_device *dev, void *p)
{
    inner_ops(dev)->host_release(((faulty *)dev)->inner, p);
}

static size_t faulty_memory_free(adn_device *dev)
{
    return inner_ops(dev)->memory_free(((faulty *)dev)->inner);
}

static adn_status faulty_queue_create(adn_device *dev, const adn_queue_conf *conf, adn_queue **out)
{
    ENTER(dev, "queue_create");
    adn_status st = inner_ops(dev)->queue_create(((faulty *)dev)->inner, conf, out);
    if (st == ADN_OK) (*out)->dev = dev;
    return st;
}

static void faulty_queue_destroy(adn_queue *q)
{
    if (q != NULL) inner_ops(q->dev)->queue_destroy(q);
}

/* A wait that fails has waited all the same: what was enqueued no longer touches the caller's
 * memory. */
static adn_status faulty_queue_sync(adn_queue *q)
{
    adn_status st = inner_ops(q->dev)->queue_sync(q);
    ENTER(q->dev, "queue_sync");
    return st;
}

static adn_status faulty_queue_profile(adn_queue *q, adn_profile *out)
{
    ENTER(q->dev, "queue_profile");
    return inner_ops(q->dev)->queue_profile(q, out);
}

static adn_status faulty_queue_rates(adn_queue *q, adn_rates *out)
{
    ENTER(q->dev, "queue_rates");
    return inner_ops(q->dev)->queue_rates(q, out);
}

static adn_status faulty_event_create(adn_device *dev, adn_event **out)
{
    ENTER(dev, "event_create");
    adn_status st = inner_ops(dev)->event_create(((faulty *)dev)->inner, out);
    if (st == ADN_OK) (*out)->dev = dev;
    return st;
}

static void faulty_event_destroy(adn_event *e)
{
    if (e != NULL) inner_ops(e->dev)->event_destroy(e);
}

static adn_status faulty_event_record(adn_queue *q, adn_event *e)
{
    ENTER(q->dev, "event_record");
    return inner_ops(q->dev)->event_record(q, e);
}

static adn_status faulty_event_wait(adn_queue *q, adn_event *e)
{
    ENTER(q->dev, "event_wait");
    return inner_ops(q->dev)->event_wait(q, e);
}

static adn_status faulty_event_sync(adn_event *e)
{
    adn_status st = inner_ops(e->dev)->event_sync(e);
    ENTER(e->dev, "event_sync");
    return st;
}

static bool faulty_event_query(const adn_event *e)
{
    return inner_ops(e->dev)->event_query(e);
}

static adn_status faulty_upload(adn_queue *q, void *dst, const void *src, size_t bytes)
{
    ENTER(q->dev, "upload");
    return inner_ops(q->dev)->upload(q, dst, src, bytes);
}

static adn_status faulty_download(adn_queue *q, void *dst, const void *src, size_t bytes)
{
    ENTER(q->dev, "download");
    return inner_ops(q->dev)->download(q, dst, src, bytes);
}

static adn_status faulty_copy(adn_queue *q, void *dst, const void *src, size_t bytes)
{
    ENTER(q->dev, "copy");
    return inner_ops(q->dev)->copy(q, dst, src, bytes);
}

static adn_status faulty_fill(adn_queue *q, void *dst, int byte, size_t bytes)
{
    ENTER(q->dev, "fill");
    return inner_ops(q->dev)->fill(q, dst, byte, bytes);
}

static adn_status faulty_group_create(adn_queue *const *queues, int n, adn_group **out)
{
    adn_device *dev = queues[0]->dev;
    ENTER(dev, "group_create");
    adn_status st = inner_ops(dev)->group_create(queues, n, out);
    if (st == ADN_OK) (*out)->dev = dev;
    return st;
}

static void faulty_group_destroy(adn_group *g)
{
    if (g != NULL) inner_ops(g->dev)->group_destroy(g);
}

static adn_status faulty_group_mean(adn_group *g, adn_event *const *ready, void *const *arrays,
                                    adn_type type, size_t count)
{
    ENTER(g->dev, "group_mean");
    return inner_ops(g->dev)->group_mean(g, ready, arrays, type, count);
}

static adn_status faulty_group_join(adn_group *g)
{
    ENTER(g->dev, "group_join");
    return inner_ops(g->dev)->group_join(g);
}

static adn_status faulty_group_send(adn_group *g, void *dst, const void *src, size_t bytes)
{
    ENTER(g->dev, "group_send");
    return inner_ops(g->dev)->group_send(g, dst, src, bytes);
}

static adn_status faulty_layout_create(adn_queue *q, const adn_op_desc *fwd, adn_layout **out)
{
    ENTER(q->dev, "layout_create");
    adn_status st = inner_ops(q->dev)->layout_create(q, fwd, out);
    if (st == ADN_OK) (*out)->dev = q->dev;
    return st;
}

static void faulty_layout_destroy(adn_layout *l)
{
    if (l != NULL) inner_ops(l->dev)->layout_destroy(l);
}

static adn_status faulty_param_import(adn_queue *q, const adn_layout *l, void *dst,
                                      const double *src)
{
    ENTER(q->dev, "param_import");
    return inner_ops(q->dev)->param_import(q, l, dst, src);
}

static adn_status faulty_param_export(adn_queue *q, const adn_layout *l, double *dst,
                                      const void *src)
{
    ENTER(q->dev, "param_export");
    return inner_ops(q->dev)->param_export(q, l, dst, src);
}

static adn_status faulty_plan(adn_queue *q, const adn_op_desc *d, adn_op **out)
{
    ENTER(q->dev, "plan");
    return inner_ops(q->dev)->plan(q, d, out);
}

static adn_status faulty_run(adn_op *op, const adn_op_args *args)
{
    ENTER(op->queue->dev, "run");
    return inner_ops(op->queue->dev)->run(op, args);
}

static void faulty_op_destroy(adn_op *op)
{
    if (op != NULL) inner_ops(op->queue->dev)->op_destroy(op);
}

static const adn_device_ops faulty_ops = {
    .close = faulty_close,
    .alloc = faulty_alloc,
    .release = faulty_release,
    .host_alloc = faulty_host_alloc,
    .host_release = faulty_host_release,
    .memory_free = faulty_memory_free,
    .range_begin = faulty_range_begin,
    .range_end = faulty_range_end,
    .queue_create = faulty_queue_create,
    .queue_destroy = faulty_queue_destroy,
    .queue_sync = faulty_queue_sync,
    .queue_profile = faulty_queue_profile,
    .queue_rates = faulty_queue_rates,
    .event_create = faulty_event_create,
    .event_destroy = faulty_event_destroy,
    .event_record = faulty_event_record,
    .event_wait = faulty_event_wait,
    .event_sync = faulty_event_sync,
    .event_query = faulty_event_query,
    .upload = faulty_upload,
    .download = faulty_download,
    .copy = faulty_copy,
    .fill = faulty_fill,
    .group_create = faulty_group_create,
    .group_destroy = faulty_group_destroy,
    .group_mean = faulty_group_mean,
    .group_join = faulty_group_join,
    .group_send = faulty_group_send,
    .layout_create = faulty_layout_create,
    .layout_destroy = faulty_layout_destroy,
    .param_import = faulty_param_import,
    .param_export = faulty_param_export,
    .plan = faulty_plan,
    .run = faulty_run,
    .op_destroy = faulty_op_destroy,
};

adn_status adn_faulty_open(adn_device *inner, adn_device **out)
{
    faulty *f = adn_alloc(sizeof(*f));
    if (f == NULL) return ADN_FAIL(ADN_NOMEM, "faulty: no memory for the device");
    f->table = faulty_ops;
    f->table.name = inner->ops->name;
    f->table.has_own_memory = inner->ops->has_own_memory;
    f->base.ops = &f->table;
    f->inner = inner;
    *out = &f->base;
    return ADN_OK;
}

void adn_faulty_arm(adn_device *dev, int64_t n)
{
    faulty *f = (faulty *)dev;
    atomic_store(&f->calls, 0);
    atomic_store(&f->fails, n);
}

int64_t adn_faulty_calls(const adn_device *dev)
{
    return atomic_load(&((const faulty *)dev)->calls);
}
