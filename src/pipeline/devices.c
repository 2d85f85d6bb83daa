/* Opens what a plan's blocks are on. */
#include "pipeline/devices.h"

#include "device/cuda.h"

void adn_devices_init(adn_devices *d, const adn_config *conf)
{
    *d = (adn_devices){.allows_tf32 = conf->precision == ADN_PRECISION_TF32};
    d->gpus.n = ADN_MIN(adn_cuda_count(&d->gpus.why), (int)ADN_MAX_GPUS);
}

void adn_devices_close(adn_devices *d)
{
    for (int k = 0; k < ADN_MAX_GPUS; k++)
        if (d->gpu[k] != NULL) d->gpu[k]->ops->close(d->gpu[k]);
    if (d->cpu != NULL) d->cpu->ops->close(d->cpu);
    adn_free(d->of_block);
    *d = (adn_devices){0};
}

adn_status adn_devices_get(adn_devices *d, int gpu, adn_device **out)
{
    adn_device **dev = gpu == ADN_ON_CPU ? &d->cpu : &d->gpu[gpu];
    const adn_cuda_conf conf = {.ordinal = gpu, .allows_tf32 = d->allows_tf32};
    adn_status st = ADN_OK;

    ADN_ASSERT(gpu < ADN_MAX_GPUS);
    if (*dev == NULL) st = gpu == ADN_ON_CPU ? adn_cpu_open(dev) : adn_cuda_open(&conf, dev);
    if (st == ADN_OK) *out = *dev;
    return st;
}

adn_status adn_devices_cut(adn_devices *d, const adn_config *conf, const adn_dataset_pair *data,
                           adn_cuts *out)
{
    bool on_gpus = adn_place_on_gpus(conf, &d->gpus);
    adn_device *dev;
    adn_status st;

    if (!adn_cuts_are_auto(conf)) return ADN_OK;
    ADN_TRY(st, adn_devices_get(d, on_gpus ? 0 : ADN_ON_CPU, &dev), done);
    int n_gpu = ADN_MAX(1, d->gpus.n / conf->replicas); /* of a column */
    st = adn_cuts_choose(conf, data, dev, on_gpus ? n_gpu : 0, out);
done:
    return st;
}

static adn_status open_column(adn_devices *d, const adn_plan *p, int column)
{
    adn_device **devs = &d->of_block[column * p->n_block];
    adn_status st = ADN_OK;

    for (int j = 0; j < p->n_block; j++) {
        ADN_TRY(st, adn_devices_get(d, adn_plan_gpu(p, column, j), &devs[j]), done);
        if (j > 0 && devs[j] != devs[j - 1])
            ADN_TRY(st, adn_cuda_reach(devs[j - 1], devs[j]), done);
    }
done:
    return st;
}

adn_status adn_devices_open(adn_devices *d, const adn_plan *p)
{
    adn_status st = ADN_OK;

    ADN_ASSERT(d->of_block == NULL);
    d->of_block = adn_alloc((size_t)(p->n_column * p->n_block) * sizeof(adn_device *));
    if (d->of_block == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
    for (int k = 0; k < p->n_column && st == ADN_OK; k++) st = open_column(d, p, k);
    return st;
}
