/* What the two halves of a queue share: commands in a ring, counts that are futexes, and what is
 * announced to ThreadSanitizer. Private to queue.c (the host's half) and queue_worker.c, which are
 * compiled without it and lock by raw futexes, so that the queue's own hand-over orders nothing
 * that the sanitizer sees. What is announced to it is exactly what a stream promises: enqueue ->
 * run, the order within a queue, event record -> wait, and a host's wait. A missing event_wait
 * between two queues is then a reported race. Asking an event, and waiting for room in the ring,
 * announce nothing. */
#ifndef ADN_CPU_QUEUE_H
#define ADN_CPU_QUEUE_H

#include <stdatomic.h>

#include "core/thread.h"
#include "device/cpu/cpu.h"

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
    CMD_MEAN,
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
        adn_cpu_mean mean;
        struct {
            cpu_event *e;
            uint32_t target;
        } event;
    } u;
} cmd;

/* Commands: two steps of the deepest block fit, so run-ahead never waits for room. */
enum { RING = 512 };

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

/* Waits until the count has reached target (counts wrap); wakes who waits. */
void adn_cpu_wait_count(_Atomic uint32_t *count, uint32_t target);
void adn_cpu_wake(_Atomic uint32_t *count);

adn_status adn_cpu_queue_work(void *queue); /* the worker's life */

#endif
