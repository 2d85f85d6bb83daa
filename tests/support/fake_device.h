/* A device that does nothing but count: its work ends when the test says so. */
#ifndef ADN_TEST_FAKE_DEVICE_H
#define ADN_TEST_FAKE_DEVICE_H

#include "device/device.h"

typedef struct fake_event {
    adn_event base;
    bool is_pending; /* recorded, not ended: event_sync ends it */
    int n_wait, n_sync;
} fake_event;

typedef struct fake_device {
    adn_device base;
    adn_status sync_result; /* of event_sync */
} fake_device;

/* Memory and events; queues are NULL. */
extern adn_queue *const no_queue[1];
void fake_device_init(fake_device *dev);
fake_event *fake_event_of(adn_event *e);

#endif
