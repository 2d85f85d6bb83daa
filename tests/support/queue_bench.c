/* Opens what tests of queues share. */
#include "queue_bench.h"

#include <check.h>

static void *device_memory(bench *t, size_t bytes)
{
    void *p = NULL;
    ck_assert_int_eq(t->ops->alloc(t->dev, bytes, &p), ADN_OK);
    ck_assert_uint_eq((uintptr_t)p % 64, 0);
    return p;
}

void bench_open(bench *t, adn_device *dev, uint64_t jitter)
{
    adn_queue_conf conf = {.name = "a", .n_thread = 1, .is_timed = true, .jitter = jitter};

    *t = (bench){.dev = dev, .ops = dev->ops};
    ck_assert_int_eq(dev->ops->queue_create(dev, &conf, &t->a), ADN_OK);
    conf.name = "b";
    if (jitter != 0) conf.jitter++;
    ck_assert_int_eq(dev->ops->queue_create(dev, &conf, &t->b), ADN_OK);
    ck_assert_int_eq(dev->ops->event_create(dev, &t->e), ADN_OK);
    ck_assert_int_eq(dev->ops->event_create(dev, &t->f), ADN_OK);
    t->slot = device_memory(t, BYTES);
    t->record = device_memory(t, (size_t)STEPS * BYTES);
    t->host = adn_alloc((size_t)STEPS * BYTES);
    ck_assert_ptr_nonnull(t->host);
}

void bench_close(bench *t)
{
    t->ops->queue_destroy(t->a);
    t->ops->queue_destroy(t->b);
    t->ops->event_destroy(t->e);
    t->ops->event_destroy(t->f);
    t->ops->release(t->dev, t->slot);
    t->ops->release(t->dev, t->record);
    adn_free(t->host);
}

void bench_fill(bench *t, adn_queue *q, int s)
{
    ck_assert_int_eq(t->ops->fill(q, t->slot, s, BYTES), ADN_OK);
}

void bench_keep(bench *t, adn_queue *q, int s)
{
    ck_assert_int_eq(t->ops->copy(q, t->record + (size_t)s * BYTES, t->slot, BYTES), ADN_OK);
}

adn_op *bench_relu(adn_queue *q)
{
    adn_op_desc d = {
        .kind = ADN_OP_RELU_FWD, .type = ADN_F32, .src = {1, 1, 1, 16}, .dst = {1, 1, 1, 16}};
    adn_op *op = NULL;
    ck_assert_int_eq(q->dev->ops->plan(q, &d, &op), ADN_OK);
    return op;
}
