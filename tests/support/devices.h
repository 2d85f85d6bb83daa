/* Every device that opens: the cpu device once for each processor that this one can run as, and the
 * first GPU; each with queues of teams of one and of two. ADN_TEST_DEVICE=cuda: GPUs alone. */
#ifndef ADN_TEST_DEVICES_H
#define ADN_TEST_DEVICES_H

#include "device/device.h"

enum { DEVICES = 5, DEVICE_QUEUES = 2 };

typedef struct devices {
    struct {
        const char *name;
        adn_device *dev;
        adn_queue *queues[DEVICE_QUEUES];
        int n_queue,
            n_team;   /* of these queues the first n_team are worth comparing: a GPU has no teams */
        bool has_f64; /* runs operations in double too */
    } one[DEVICES];
    int n;
} devices;

/* Devices of the kind that flows run on: cpu, with ADN_TEST_DEVICE=cuda GPUs. */
bool devices_are_gpus(void);
int devices_count(void);        /* GPUs; 1 cpu */
adn_device *devices_get(int k); /* opens the k-th; asserts. Gives */

void devices_open(devices *all); /* a device that is not there is left out, and the log says why */
void devices_close(devices *all);

#endif
