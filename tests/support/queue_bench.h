/* Two queues of a device that delay at random, memory on it, and what came back. */
#ifndef ADN_TEST_QUEUE_BENCH_H
#define ADN_TEST_QUEUE_BENCH_H

#include "device/device.h"

enum { STEPS = 300, BYTES = 1000 };

typedef struct bench {
    adn_device *dev;
    const adn_device_ops *ops;
    adn_queue *a, *b;
    adn_event *e, *f;
    uint8_t *slot, *record; /* device: BYTES; STEPS * BYTES */
    uint8_t *host;          /* STEPS * BYTES */
} bench;

void bench_open(bench *t, adn_device *dev, uint64_t jitter); /* 0: no delays */
void bench_close(bench *t);
void bench_fill(bench *t, adn_queue *q, int s); /* enqueues: the slot's bytes become (uint8_t)s */
void bench_keep(bench *t, adn_queue *q, int s); /* enqueues: the slot is copied to record s */
adn_op *bench_relu(adn_queue *q);               /* plans one of 16 numbers. Gives */

#endif
