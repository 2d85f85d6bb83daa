/* Opens the devices that tests loop over. */
#include "devices.h"

typedef struct opener {
    const char *name;
    adn_status (*open)(adn_device **out);
    bool has_f64;
} opener;

static const opener openers[] = {{"cpu", adn_cpu_open, true}};

void devices_open(devices *all)
{
    *all = (devices){0};
    for (size_t i = 0; i < ADN_COUNT(openers); i++) {
        adn_device *dev = NULL;
        if (openers[i].open(&dev) != ADN_OK) continue;
        all->one[all->n].name = openers[i].name;
        all->one[all->n].dev = dev;
        all->one[all->n].has_f64 = openers[i].has_f64;
        for (int k = 0; k < DEVICE_QUEUES; k++) {
            adn_queue_conf conf = {.name = "test", .n_thread = k + 1};
            ADN_ASSERT(dev->ops->queue_create(dev, &conf, &all->one[all->n].queues[k]) == ADN_OK);
            all->one[all->n].n_queue++;
        }
        all->n++;
    }
}

void devices_close(devices *all)
{
    for (int i = 0; i < all->n; i++) {
        const adn_device_ops *ops = all->one[i].dev->ops;
        for (int k = 0; k < all->one[i].n_queue; k++) ops->queue_destroy(all->one[i].queues[k]);
        ops->close(all->one[i].dev);
    }
    all->n = 0;
}
