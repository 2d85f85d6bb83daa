/* Opens what a plan's blocks are on. */
#include "pipeline/devices.h"

#include <stdio.h>
#include <string.h>

#include "config/parse.h"

void adn_devices_init(adn_devices *d, const adn_config *conf)
{
    *d = (adn_devices){.allows_tf32 = conf->precision == ADN_PRECISION_TF32};
    d->gpus.n = ADN_MIN(adn_cuda_count(&d->gpus.why), (int)ADN_MAX_GPUS);
}

static adn_status find_model(const char *name, const adn_cuda_model **out)
{
    const adn_cuda_model *m;
    const char *why;
    adn_guess guess = {.wrong = name};
    adn_shown shown = adn_show(name);
    char known[160] = "", hint[60] = "";

    for (int i = 0; (m = adn_cuda_model_get(i)) != NULL; i++) {
        size_t n = strlen(known);
        if (strcmp(m->name, name) == 0) {
            *out = m;
            return ADN_OK;
        }
        adn_guess_offer(&guess, m->name);
        snprintf(known + n, sizeof(known) - n, "%s%s", i == 0 ? "" : ", ", m->name);
    }
    (void)adn_cuda_count(&why);
    if (known[0] == '\0')
        return ADN_FAIL(ADN_DEVICE, "GPU model %s: %s, and cuDNN alone can plan for it", shown.s,
                        why);
    if (guess.best != NULL) snprintf(hint, sizeof(hint), " (did you mean '%s'?)", guess.best);
    return ADN_FAIL(ADN_USAGE, "unknown GPU model '%s'%s: expected one of %s", shown.s, hint,
                    known);
}

adn_status adn_devices_init_model(adn_devices *d, const adn_config *conf, const char *model)
{
    adn_status st;
    int n = 1;

    *d = (adn_devices){.allows_tf32 = conf->precision == ADN_PRECISION_TF32};
    ADN_TRY(st, find_model(model, &d->model), done);
    for (int j = 0; j < conf->n_block; j++) {
        const adn_block_conf *b = &conf->blocks[j];
        if (b->place == ADN_PLACE_CPU)
            return ADN_FAIL(ADN_BADCONF,
                            "blocks[%d].device: %s, but the plan is for a GPU, %s: auto or cuda:N",
                            j, b->device, model);
        if (b->place == ADN_PLACE_GPU) n = ADN_MAX(n, b->gpu + 1);
    }
    if (adn_cuts_are_auto(conf))
        return ADN_FAIL(ADN_BADCONF,
                        "%s: auto measures units, and there is no %s to measure them on: every, or "
                        "a list",
                        adn_config_place(conf, "model.cuts"), model);
    n *= conf->replicas; /* each copy has its own */
    if (n > ADN_MAX_GPUS)
        return ADN_FAIL(ADN_BADCONF, "%d GPUs of model %s: at most %d", n, model, ADN_MAX_GPUS);
    d->gpus.n = n;
done:
    return st;
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
    if (*dev == NULL)
        st = gpu == ADN_ON_CPU  ? adn_cpu_open(dev)
             : d->model != NULL ? adn_cuda_plan_open(&conf, d->model, dev)
                                : adn_cuda_open(&conf, dev);
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
