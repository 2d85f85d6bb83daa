/* Opens the devices that tests loop over. */
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cpu/cpu.h"
#include "device/cuda.h"

bool devices_are_gpus(void)
{
    const char *only = getenv("ADN_TEST_DEVICE");
    return only != NULL && strcmp(only, "cuda") == 0;
}

int devices_count(void)
{
    return devices_are_gpus() ? adn_cuda_count(NULL) : 1;
}

adn_device *devices_get(int k)
{
    adn_device *dev = NULL;
    const adn_cuda_conf conf = {.ordinal = k};
    ADN_ASSERT((devices_are_gpus() ? adn_cuda_open(&conf, &dev) : adn_cpu_open(&dev)) == ADN_OK);
    return dev;
}

static void add(devices *all, const char *name, adn_device *dev, bool is_cpu)
{
    ADN_ASSERT(all->n < (int)ADN_COUNT(all->one));
    all->one[all->n].name = name;
    all->one[all->n].dev = dev;
    all->one[all->n].has_f64 = is_cpu;
    all->one[all->n].n_team = is_cpu ? DEVICE_QUEUES : 1;
    for (int k = 0; k < DEVICE_QUEUES; k++) {
        adn_queue_conf conf = {.name = "test", .n_thread = k + 1};
        ADN_ASSERT(dev->ops->queue_create(dev, &conf, &all->one[all->n].queues[k]) == ADN_OK);
        all->one[all->n].n_queue++;
    }
    all->n++;
}

void devices_open(devices *all)
{
    const char *env = getenv("ADONIS_ISA");
    bool has_cpu = !devices_are_gpus();
    char given[64];

    snprintf(given, sizeof(given), "%s", env == NULL ? "" : env);
    *all = (devices){0};
    for (int k = 0; has_cpu && adn_cpu_isa_at(k) != NULL; k++) {
        adn_device *dev = NULL;
        setenv("ADONIS_ISA", adn_cpu_isa_at(k)->name, 1);
        if (adn_cpu_open(&dev) == ADN_OK) add(all, "cpu", dev, true);
    }
    adn_device *gpu = NULL;
    if (adn_cuda_count(NULL) > 0 && adn_cuda_open(&(adn_cuda_conf){0}, &gpu) == ADN_OK)
        add(all, "cuda", gpu, false);
    setenv("ADONIS_ISA", given, 1); /* empty: the best, as if there were none */
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
