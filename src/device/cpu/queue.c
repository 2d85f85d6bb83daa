/* The cpu device's queues: a worker thread that runs commands in order, and events.
 *
 * This file is compiled without ThreadSanitizer and locks by raw futexes, so that the queue's own
 * hand-over orders nothing that the sanitizer sees. What is announced to it is exactly what a
 * stream promises: enqueue
 * -> run, the order within a queue, event record -> wait, and a host's wait. A missing event_wait
 * between two queues is then a reported race. Asking an event, and waiting for room in the ring,
 * announce nothing. */
#define _GNU_SOURCE
#include "device/cpu/cpu.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <omp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/thread.h"

#ifdef ADN_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
void __tsan_read_range(void *addr, unsigned long bytes);
void __tsan_write_range(void *addr, unsigned long bytes);
#else
#define __tsan_acquire(addr)            ((void)(addr))
#define __tsan_release(addr)            ((void)(addr))
#define __tsan_read_range(addr, bytes)  ((void)(addr), (void)(bytes))
#define __tsan_write_range(addr, bytes) ((void)(addr), (void)(bytes))
#endif

typedef enum cmd_kind {
    CMD_RUN,
    CMD_COPY,
    CMD_FILL,
    CMD_CALL,
    CMD_RECORD,
    CMD_WAIT,
    CMD_QUIT
} cmd_kind;

typedef struct cpu_event {
    adn_event base;
    _Atomic uint32_t issued; /* records enqueued */
    _Atomic uint32_t done;   /* records that happened: the futex */
} cpu_event;

typedef struct cmd {
    cmd_kind kind;
    union {
        struct {
            adn_cpu_op *op;
            adn_op_args args;
        } run;
        struct {
            void *dst;
            const void *src; /* NULL: fill */
            size_t bytes;
            int byte;
        } mem;
        struct {
            adn_status (*fn)(void *);
            void *user;
            adn_status *result;
        } call;
        struct {
            cpu_event *e;
            uint32_t target;
        } event;
    } u;
} cmd;

enum {
    RING = 512
}; /* commands: two steps of the deepest block fit, so run-ahead never waits for room */

typedef struct cpu_queue {
    adn_queue base;
    const adn_cpu_isa *isa;
    cmd *ring;
    _Atomic uint32_t pushed, finished; /* counts; futexes */
    char order;                        /* its address stands for "enqueued before run" */
    char ended;                        /* ... for "run before the host's wait returned" */
    adn_thread thread;
    adn_status start;          /* of the worker's own settings */
    _Atomic adn_status failed; /* first failure of the queue's work */
    adn_profile profile;       /* the worker's */
    uint64_t jitter;
} cpu_queue;

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Waits until the count has reached target (counts wrap). */
static void wait_count(_Atomic uint32_t *count, uint32_t target)
{
    uint32_t now = atomic_load(count);
    while ((int32_t)(now - target) < 0) {
        futex_wait(count, now);
        now = atomic_load(count);
    }
}

/* The same on the worker; the time that it takes counts as waiting. */
static void wait_counted(cpu_queue *q, _Atomic uint32_t *count, uint32_t target)
{
    if ((int32_t)(atomic_load(count) - target) >= 0) return;
    double start = adn_now();
    wait_count(count, target);
    q->profile.wait_s += adn_now() - start;
}

static void delay(cpu_queue *q)
{
    q->jitter ^= q->jitter << 13; /* xorshift64: delays only, never the mathematics */
    q->jitter ^= q->jitter >> 7;
    q->jitter ^= q->jitter << 17;
    if (q->jitter % 4 != 0) return;
    struct timespec t = {0, (long)(q->jitter >> 20) % 400000};
    nanosleep(&t, NULL);
}

static void announce_ranges(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        adn_access a = adn_op_infos[d->kind].role[r];
        if (a == ADN_NONE || args->p[r] == NULL) continue;
        size_t bytes = adn_op_role_bytes(d, r);
        if (a == ADN_READ)
            __tsan_read_range(args->p[r], bytes);
        else
            __tsan_write_range(args->p[r], bytes);
    }
}

/* A worker alone counts its own processor's time: workers may share cores, and waiting for one is
 * no work. A team counts time that goes by. */
double adn_cpu_work_s(int n_thread)
{
    struct timespec t;
    clock_gettime(n_thread == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void count(const cpu_queue *q, adn_tally *tally, double start)
{
    tally->seconds += adn_cpu_work_s(q->base.conf.n_thread) - start;
    tally->runs++;
}

static void run_op(cpu_queue *q, const cmd *c)
{
    adn_cpu_op *op = c->u.run.op;
    double start = adn_cpu_work_s(q->base.conf.n_thread);

    announce_ranges(op, &c->u.run.args);
    adn_status st = op->run(op, &c->u.run.args);
    if (st != ADN_OK) atomic_store(&q->failed, st);
    count(q, &op->base.tally, start);
}

static void run_copy(cpu_queue *q, const cmd *c)
{
    size_t bytes = c->u.mem.bytes;

    if (bytes == 0) return;
    double start = adn_cpu_work_s(q->base.conf.n_thread);
    if (c->kind == CMD_COPY) __tsan_read_range((void *)(uintptr_t)c->u.mem.src, bytes);
    __tsan_write_range(c->u.mem.dst, bytes);
    if (c->kind == CMD_COPY)
        memcpy(c->u.mem.dst, c->u.mem.src, bytes);
    else
        memset(c->u.mem.dst, c->u.mem.byte, bytes);
    q->profile.copy_bytes += (double)bytes * (c->kind == CMD_COPY ? 2 : 1);
    count(q, &q->profile.copies, start);
}

static void obey(cpu_queue *q, const cmd *c)
{
    /* After a failure the work is skipped, but events still happen: nobody hangs. */
    bool is_sound = atomic_load(&q->failed) == ADN_OK;

    switch (c->kind) {
    case CMD_RUN:
        if (is_sound) run_op(q, c);
        break;
    case CMD_COPY:
    case CMD_FILL:
        if (is_sound) run_copy(q, c);
        break;
    case CMD_CALL:
        *c->u.call.result = c->u.call.fn(c->u.call.user);
        break;
    case CMD_RECORD:
        __tsan_release(c->u.event.e);
        atomic_fetch_add(&c->u.event.e->done, 1);
        futex_wake(&c->u.event.e->done);
        break;
    case CMD_WAIT:
        wait_counted(q, &c->u.event.e->done, c->u.event.target);
        __tsan_acquire(c->u.event.e);
        break;
    case CMD_QUIT:
        break;
    }
}

static adn_status work(void *user)
{
    cpu_queue *q = user;
    const adn_queue_conf *conf = &q->base.conf;

    if (conf->n_core > 0) q->start = adn_thread_pin(conf->cores, conf->n_core);
    omp_set_dynamic(0);
    omp_set_num_threads(conf->n_thread);
    for (uint32_t at = 0;; at++) {
        wait_counted(q, &q->pushed, at + 1);
        __tsan_acquire(&q->order);
        const cmd *c = &q->ring[at % RING];
        bool is_last = c->kind == CMD_QUIT;
        if (q->jitter != 0) delay(q);
        obey(q, c);
        __tsan_release(&q->ended);
        atomic_fetch_add(&q->finished, 1);
        futex_wake(&q->finished);
        if (is_last) return ADN_OK;
    }
}

static void push(cpu_queue *q, const cmd *c)
{
    uint32_t at = atomic_load(&q->pushed);
    wait_count(&q->finished, at - RING + 1);
    q->ring[at % RING] = *c;
    __tsan_release(&q->order);
    atomic_store(&q->pushed, at + 1);
    futex_wake(&q->pushed);
}

const adn_cpu_isa *adn_cpu_queue_isa(const adn_queue *q)
{
    return ((const cpu_queue *)q)->isa;
}

static void wait_all(cpu_queue *q)
{
    wait_count(&q->finished, atomic_load(&q->pushed));
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
    ADN_TRY(st, adn_thread_start(&q->thread, conf->name != NULL ? conf->name : "queue", work, q),
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
    wait_count(&e->done, atomic_load(&e->issued));
    __tsan_acquire(e);
    return ADN_OK;
}

bool adn_cpu_event_query(const adn_event *base)
{
    const cpu_event *e = (const cpu_event *)base;
    return atomic_load(&e->done) == atomic_load(&e->issued);
}
