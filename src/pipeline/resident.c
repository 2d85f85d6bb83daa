/* Whether the data set is to lie in the memory of the GPUs that have a block 0. Training gives the
 * same bits either way. */
#include "device/cuda.h"
#include "pipeline/inside.h"

size_t adn_resident_bytes(const adn_plan *p)
{
    return ((size_t)p->n_train + (size_t)p->n_test) * (size_t)p->image.h * (size_t)p->image.w *
           (size_t)p->image.c;
}

double adn_resident_on(const adn_plan *p, adn_device *const *devs, const adn_device *dev)
{
    double bytes = 0;
    for (int k = 0; k < p->n_column; k++)
        if (devs[k * p->n_block] == dev) bytes += (double)adn_resident_bytes(p);
    return bytes;
}

/* A GPU that is not here is planned for as an idle one. */
static double free_on(const adn_plan *p, adn_device *dev)
{
    return p->gpu_model != NULL ? (double)p->gpu_model->bytes : (double)dev->ops->memory_free(dev);
}

adn_status adn_resident_decide(const adn_plan *p, adn_device *const *devs, bool *out)
{
    const adn_resident wanted = p->conf->data.resident;
    const double mib = 1 << 20;
    bool is_small = true; /* beside all else that needs memory there */

    *out = false;
    if (wanted == ADN_RESIDENT_FALSE) return ADN_OK;
    for (int k = 0; k < p->n_column; k++) {
        adn_device *dev = devs[k * p->n_block];
        double needed = adn_resident_on(p, devs, dev), free_bytes;
        if (!dev->ops->has_own_memory && wanted == ADN_RESIDENT_AUTO) return ADN_OK;
        if (!dev->ops->has_own_memory)
            return ADN_FAIL(ADN_BADCONF,
                            "%s: is for GPUs, and block 0 is on the %s, which computes from where "
                            "the set lies",
                            adn_config_place(p->conf, "data.resident"), dev->ops->name);
        free_bytes = free_on(p, dev);
        is_small = is_small && needed < free_bytes / 4;
        if (wanted == ADN_RESIDENT_TRUE && needed > free_bytes)
            return ADN_FAIL(ADN_NOMEM,
                            "%s: the data set needs %.1f MiB and %.1f MiB are free on %s",
                            adn_config_place(p->conf, "data.resident"), needed / mib,
                            free_bytes / mib, adn_plan_device(p, k, 0).s);
    }
    *out = wanted == ADN_RESIDENT_TRUE || is_small;
    return ADN_OK;
}
