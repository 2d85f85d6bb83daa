/* The host's half of the cpu device's queues, a worker thread that runs commands in order; and
 * events. */
#include "device/cpu/queue.h"

static void push(cpu_queue *q, const cmd *c)
{
    uint32_t at = atomic_load(&q->pushed);
    adn_cpu_wait_count(&q->finished, at - RING + 1);
    q->ring[at % RING] = *c;
    __tsan_release(&q->order);
    atomic_store(&q->pushed, at + 1);
    adn_cpu_wake(&q->pushed);
}

const adn_cpu_isa *adn_cpu_queue_isa(const adn_queue *q)
{
    return ((const cpu_queue *)q)->isa;
}

static void wait_all(cpu_queue *q)
{
    adn_cpu_wait_count(&q->finished, atomic_load(&q->pushed));
    __tsan_acquire(&q->ended);
}

adn_status adn_cpu_queue_create(adn_device *dev, const adn_queue_conf *conf, adn_queue **out)
{
    adn_status st = ADN_NOMEM;
    cpu_queue *q = adn_alloc(sizeof(*q));

    if (q == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a queue");
    q->base = (adn_queue){dev, *conf};
    q->isa = ((const adn_cpu_device *)dev)->isa;
#ifdef ADN_TSAN
    q->base.conf.n_thread = 1; /* libgomp's barriers are not seen by the sanitizer */
#endif
    ADN_ASSERT(q->base.conf.n_thread >= 1);
    q->jitter = conf->jitter;
    q->ring = adn_alloc(RING * sizeof(*q->ring));
    if (q->ring == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "cpu: no memory for a queue");
        goto fail;
    }
    ADN_TRY(st,
            adn_thread_start(&q->thread, conf->name != NULL ? conf->name : "queue",
                             adn_cpu_queue_work, q),
            fail);
    cmd nothing = {.kind = CMD_FILL};
    push(q, &nothing); /* its end says that the worker's settings stand */
    wait_all(q);
    if (q->start != ADN_OK) {
        st = q->start;
        adn_cpu_queue_destroy(&q->base);
        return st;
    }
    *out = &q->base;
    return ADN_OK;
fail:
    adn_free(q->ring);
    adn_free(q);
    return st;
}

void adn_cpu_queue_destroy(adn_queue *base)
{
    cpu_queue *q = (cpu_queue *)base;
    if (q == NULL) return;
    cmd quit = {.kind = CMD_QUIT};
    push(q, &quit);
    adn_thread_join(&q->thread);
    adn_free(q->ring);
    adn_free(q);
}

adn_status adn_cpu_queue_sync(adn_queue *base)
{
    cpu_queue *q = (cpu_queue *)base;
    wait_all(q);
    return atomic_load(&q->failed);
}

adn_status adn_cpu_queue_run(adn_cpu_op *op, const adn_op_args *args)
{
    cmd c = {.kind = CMD_RUN};
    c.u.run.op = op;
    c.u.run.args = *args;
    push((cpu_queue *)op->base.queue, &c);
    return ADN_OK;
}

adn_status adn_cpu_queue_copy(adn_queue *q, void *dst, const void *src, size_t bytes)
{
    cmd c = {.kind = CMD_COPY};
    c.u.mem.dst = dst;
    c.u.mem.src = src;
    c.u.mem.bytes = bytes;
    push((cpu_queue *)q, &c);
    return ADN_OK;
}

adn_status adn_cpu_queue_fill(adn_queue *q, void *dst, int byte, size_t bytes)
{
    cmd c = {.kind = CMD_FILL};
    c.u.mem.dst = dst;
    c.u.mem.byte = byte;
    c.u.mem.bytes = bytes;
    push((cpu_queue *)q, &c);
    return ADN_OK;
}

adn_status adn_cpu_queue_mean(adn_queue *q, const adn_cpu_mean *m)
{
    cmd c = {.kind = CMD_MEAN};
    c.u.mean = *m;
    push((cpu_queue *)q, &c);
    return ADN_OK;
}

adn_status adn_cpu_queue_call(adn_queue *base, adn_status (*fn)(void *user), void *user)
{
    cpu_queue *q = (cpu_queue *)base;
    adn_status result = ADN_OK;
    cmd c = {.kind = CMD_CALL};
    c.u.call.fn = fn;
    c.u.call.user = user;
    c.u.call.result = &result;
    push(q, &c);
    wait_all(q);
    return result;
}

struct profile_call {
    const cpu_queue *q;
    adn_profile *out;
};

static adn_status give_profile(void *user)
{
    struct profile_call *call = user;
    *call->out = call->q->profile;
    return atomic_load(&call->q->failed);
}

/* Asked of the worker: the wait that it may be in ends with the question, and is counted. */
adn_status adn_cpu_queue_profile(adn_queue *base, adn_profile *out)
{
    struct profile_call call = {(const cpu_queue *)base, out};
    return adn_cpu_queue_call(base, give_profile, &call);
}

adn_status adn_cpu_event_create(adn_device *dev, adn_event **out)
{
    cpu_event *e = adn_alloc(sizeof(*e));
    if (e == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for an event");
    e->base.dev = dev;
    *out = &e->base;
    return ADN_OK;
}

void adn_cpu_event_destroy(adn_event *e)
{
    adn_free(e);
}

adn_status adn_cpu_event_record(adn_queue *q, adn_event *base)
{
    cpu_event *e = (cpu_event *)base;
    cmd c = {.kind = CMD_RECORD};
    atomic_fetch_add(&e->issued, 1);
    c.u.event.e = e;
    push((cpu_queue *)q, &c);
    return ADN_OK;
}

adn_status adn_cpu_event_wait(adn_queue *q, adn_event *base)
{
    cpu_event *e = (cpu_event *)base;
    cmd c = {.kind = CMD_WAIT};
    c.u.event.e = e;
    c.u.event.target = atomic_load(&e->issued);
    push((cpu_queue *)q, &c);
    return ADN_OK;
}

adn_status adn_cpu_event_sync(adn_event *base)
{
    cpu_event *e = (cpu_event *)base;
    adn_cpu_wait_count(&e->done, atomic_load(&e->issued));
    __tsan_acquire(e);
    return ADN_OK;
}

bool adn_cpu_event_query(const adn_event *base)
{
    const cpu_event *e = (const cpu_event *)base;
    return atomic_load(&e->done) == atomic_load(&e->issued);
}
