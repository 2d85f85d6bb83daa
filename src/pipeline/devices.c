/* Opens what a plan's blocks are on. */
#include "pipeline/devices.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "config/parse.h"
#include "core/file.h"

enum { MAX_PLAN = 64 << 20 };

static adn_status begin(adn_devices *d, const adn_config *conf)
{
    *d = (adn_devices){0};
    adn_status st = adn_choices_create(&d->choices);
    d->conf = (adn_cuda_conf){.allows_tf32 = conf->precision == ADN_PRECISION_TF32,
                              .workspace_limit = (size_t)conf->gpu.workspace_bytes,
                              .times_plans = !conf->gpu.takes_first_plans,
                              .choices = d->choices};
    return st;
}

adn_status adn_devices_init(adn_devices *d, const adn_config *conf)
{
    adn_status st = begin(d, conf);
    d->gpus.n = ADN_MIN(adn_cuda_count(&d->gpus.why), (int)ADN_MAX_GPUS);
    return st;
}

static adn_status recall(adn_devices *d, const char *path, const json_t *plan)
{
    json_t *choices = json_object_get(plan, "choices"), *value;
    const char *key;
    adn_status st = ADN_OK;

    if (plan == NULL || (choices != NULL && !json_is_object(choices)))
        return ADN_FAIL(ADN_BADDATA,
                        "%s: is damaged: no JSON object with \"choices\" in it; where the file is "
                        "missing, plans are chosen anew",
                        path);
    json_object_foreach(choices, key, value)
    {
        const char *choice = json_string_value(value);
        if (choice == NULL)
            return ADN_FAIL(ADN_BADDATA, "%s: is damaged: choice \"%s\" is no text", path, key);
        ADN_TRY(st, adn_choices_put(d->choices, key, choice), done);
    }
done:
    return st;
}

adn_status adn_devices_recall(adn_devices *d, const char *run_dir)
{
    char *text = NULL, *path;
    adn_status st;
    size_t n;

    if (d->gpus.n == 0) return ADN_OK;
    path = adn_path_join(run_dir, "plan.json");
    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
    st = ADN_OK;
    if (!adn_path_exists(path)) goto done;
    ADN_TRY(st, adn_file_read(path, MAX_PLAN, &text, &n), done);
    json_t *plan = json_loadb(text, n, 0, NULL);
    st = recall(d, path, plan);
    json_decref(plan);
done:
    adn_free(text);
    adn_free(path);
    return st;
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

    ADN_TRY(st, begin(d, conf), done);
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
    adn_choices_destroy(d->choices);
    *d = (adn_devices){0};
}

adn_status adn_devices_get(adn_devices *d, int gpu, adn_device **out)
{
    adn_device **dev = gpu == ADN_ON_CPU ? &d->cpu : &d->gpu[gpu];
    adn_cuda_conf conf = d->conf;
    adn_status st = ADN_OK;

    ADN_ASSERT(gpu < ADN_MAX_GPUS);
    conf.ordinal = gpu;
    if (*dev == NULL)
        st = gpu == ADN_ON_CPU  ? adn_cpu_open(dev)
             : d->model != NULL ? adn_cuda_plan_open(&conf, d->model, dev)
                                : adn_cuda_open(&conf, dev);
    if (st == ADN_OK) *out = *dev;
    return st;
}

/* Whether blocks may be on it, of the first n_gpu where that is left open. */
static bool may_hold_blocks(const adn_config *conf, int gpu, int n_gpu)
{
    bool is_open = conf->n_block == 0, is_named = false;

    for (int j = 0; j < conf->n_block; j++) {
        const adn_block_conf *b = &conf->blocks[j];
        is_open = is_open || b->place == ADN_PLACE_AUTO;
        is_named = is_named || (b->place == ADN_PLACE_GPU && b->gpu == gpu);
    }
    return is_named || (is_open && gpu < n_gpu);
}

/* Of these one of each model, which stands for the others. devs[k] of the rest stay. */
static adn_status open_kinds(adn_devices *d, const adn_config *conf, int n_gpu, adn_device **devs)
{
    adn_status st = ADN_OK;
    adn_cuda_info info[ADN_MAX_GPUS];

    for (int k = 0; k < d->gpus.n; k++) {
        int like = 0;
        if (!may_hold_blocks(conf, k, n_gpu)) continue;
        ADN_TRY(st, adn_cuda_look(k, &info[k]), done);
        while (like < k && (!may_hold_blocks(conf, like, n_gpu) ||
                            strcmp(info[like].model, info[k].model) != 0))
            like++;
        ADN_TRY(st, adn_devices_get(d, like, &devs[k]), done);
    }
done:
    return st;
}

adn_status adn_devices_cut(adn_devices *d, const adn_config *conf, const adn_dataset_pair *data,
                           adn_cuts *out)
{
    adn_device *devs[ADN_MAX_GPUS];
    adn_status st;
    int n_gpu = 0;

    if (!adn_cuts_are_auto(conf)) return ADN_OK;
    if (!adn_place_on_gpus(conf, &d->gpus)) {
        ADN_TRY(st, adn_devices_get(d, ADN_ON_CPU, &devs[0]), done);
    } else {
        ADN_TRY(st, adn_place_check(conf, &d->gpus), done);
        n_gpu = ADN_MAX(1, d->gpus.n / conf->replicas); /* of a column */
        ADN_TRY(st, open_kinds(d, conf, n_gpu, devs), done);
    }
    st = adn_cuts_choose(conf, data, devs, n_gpu, out);
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
