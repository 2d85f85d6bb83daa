/* The worker's half of a queue: it runs commands in order. */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <omp.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "device/cpu/queue.h"

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

void adn_cpu_wake(_Atomic uint32_t *count)
{
    syscall(SYS_futex, count, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void adn_cpu_wait_count(_Atomic uint32_t *count, uint32_t target)
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
    adn_cpu_wait_count(count, target);
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
    case CMD_MEAN:
        if (is_sound) adn_cpu_mean_run(&c->u.mean);
        break;
    case CMD_CALL:
        *c->u.call.result = c->u.call.fn(c->u.call.user);
        break;
    case CMD_RECORD:
        __tsan_release(c->u.event.e);
        atomic_fetch_add(&c->u.event.e->done, 1);
        adn_cpu_wake(&c->u.event.e->done);
        break;
    case CMD_WAIT:
        wait_counted(q, &c->u.event.e->done, c->u.event.target);
        __tsan_acquire(c->u.event.e);
        break;
    case CMD_QUIT:
        break;
    }
}

adn_status adn_cpu_queue_work(void *queue)
{
    cpu_queue *q = queue;
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
        adn_cpu_wake(&q->finished);
        if (is_last) return ADN_OK;
    }
}
