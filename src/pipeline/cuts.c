/* Chooses cuts: how many blocks, what units and devices are measured to do, and the balance. */
#include "pipeline/cuts.h"

#include <stdio.h>
#include <string.h>

#include "core/thread.h"
#include "pipeline/balance.h"

bool adn_cuts_are_auto(const adn_config *conf)
{
    return conf->model.cuts_kind == ADN_CUTS_AUTO && conf->mode != ADN_MODE_BP;
}

bool adn_cuts_are_measured(const adn_cuts *c)
{
    return c != NULL && c->seconds[0] > 0;
}

int adn_cuts_count(const adn_config *conf, int n_unit, int n_core)
{
    if (conf->n_block > 0) return conf->n_block;
    return ADN_MIN(ADN_MIN(ADN_MAX(n_core, 2), n_unit), ADN_MAX_BLOCKS);
}

int adn_cuts_team(const adn_config *conf, int n_block, int n_core)
{
    return conf->mode == ADN_MODE_GREEDY ? n_core : ADN_MAX(1, n_core / n_block);
}

/* --- from costs to cuts */

double adn_cuts_bytes(const adn_unit_cost *units, int from, int end)
{
    adn_part_cost sum = units[end - 1].head;

    for (int i = from; i < end; i++) {
        const adn_part_cost *c = i == from ? &units[i].first : &units[i].inner;
        sum.state_bytes += c->state_bytes;
        sum.kept_bytes += c->kept_bytes;
        sum.passing_bytes = ADN_MAX(sum.passing_bytes, c->passing_bytes);
        sum.workspace_bytes = ADN_MAX(sum.workspace_bytes, c->workspace_bytes);
    }
    return units[from].edge_bytes + sum.state_bytes + sum.kept_bytes + sum.passing_bytes +
           sum.workspace_bytes;
}

adn_status adn_cuts_balance(const adn_unit_cost *units, int n_unit, const double *speed,
                            int n_block, double limit_bytes, adn_cuts *out)
{
    adn_status st = ADN_NOMEM;
    size_t n = (size_t)n_unit;
    double *seconds = adn_alloc(3 * n * sizeof(*seconds)),
           *bytes = adn_alloc(n * n * sizeof(*bytes));

    if (seconds == NULL || bytes == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "cuts: no memory");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        seconds[i] = units[i].first.seconds;
        seconds[n + i] = units[i].inner.seconds;
        seconds[2 * n + i] = units[i].head.seconds;
        for (size_t e = i; e < n; e++) bytes[i * n + e] = adn_cuts_bytes(units, (int)i, (int)e + 1);
    }
    adn_balance b = {.n_unit = n_unit,
                     .n_block = n_block,
                     .first = seconds,
                     .inner = seconds + n,
                     .head = seconds + 2 * n,
                     .speed = speed,
                     .bytes = bytes,
                     .limit_bytes = limit_bytes};
    ADN_TRY(st, adn_balance_cut(&b, out->end), done);
    out->n_block = n_block;
    for (int j = 0; j < n_block; j++)
        out->seconds[j] = adn_balance_seconds(&b, j == 0 ? 0 : out->end[j - 1], out->end[j], j);
done:
    adn_free(seconds);
    adn_free(bytes);
    return st;
}

/* --- what is measured */

static bool is_same_team(const adn_queue_conf *a, const adn_queue_conf *b)
{
    return a->n_thread == b->n_thread && a->n_core == b->n_core &&
           memcmp(a->cores, b->cores, (size_t)a->n_core * sizeof(a->cores[0])) == 0;
}

/* The unit that devices are compared by: that with the most multiply-adds. */
static adn_status heaviest_unit(const adn_plan *every, int *out)
{
    double most = -1, macs;

    for (int i = 0; i < every->n_block; i++) {
        adn_status st = adn_net_spec_macs(&every->blocks[i].spec, &macs);
        if (st != ADN_OK) return st;
        if (macs > most) *out = i;
        most = ADN_MAX(most, macs);
    }
    return ADN_OK;
}

/* Where a block will be. */
typedef struct place {
    adn_device *dev;
    adn_queue_conf queue;
} place;

static bool is_same_place(const place *a, const place *b)
{
    return a->dev == b->dev && is_same_team(&a->queue, &b->queue);
}

/* The GPU that place.c will choose: exact for a GPU a block, about right where blocks share GPUs.
 */
static int gpu_of(const adn_config *conf, int block, int n_block, int n_gpu)
{
    if (conf->n_block > 0 && conf->blocks[block].place == ADN_PLACE_GPU)
        return conf->blocks[block].gpu;
    return n_gpu >= n_block ? block : block * n_gpu / n_block;
}

static adn_status find_places(const adn_config *conf, adn_device *const *devs, int n_gpu,
                              const adn_queue_conf *team, int n_block, place *out)
{
    adn_status st = ADN_OK;

    for (int j = 0; j < n_block; j++) {
        out[j] = (place){devs[n_gpu > 0 ? gpu_of(conf, j, n_block, n_gpu) : 0], *team};
        ADN_TRY(st, adn_teams_given(conf, j, &out[j].queue), done);
    }
done:
    return st;
}

/* Of the blocks' places, 1 is that where units are measured. Each kind of place is measured once,
 * and nothing if there is but one. */
static adn_status measure_speeds(const adn_plan *every, const place *own, const place *places,
                                 double *speed, int n_block)
{
    adn_status st = ADN_OK;
    double own_s = 0, seconds;
    int unit = 0;

    ADN_TRY(st, heaviest_unit(every, &unit), done);
    for (int j = 0; j < n_block; j++) {
        const place *p = &places[j];
        int like = 0;
        speed[j] = 1;
        if (is_same_place(p, own)) continue;
        while (!is_same_place(&places[like], p)) like++;
        if (like < j) {
            speed[j] = speed[like];
            continue;
        }
        if (own_s == 0)
            ADN_TRY(st, adn_probe_team(every, own->dev, &own->queue, unit, &own_s), done);
        ADN_TRY(st, adn_probe_team(every, p->dev, &p->queue, unit, &seconds), done);
        speed[j] = own_s / seconds;
    }
done:
    return st;
}

static void tell(const adn_cuts *c, const double *speed)
{
    char text[400] = "";

    for (int j = 0; j < c->n_block && strlen(text) < sizeof(text) - 60; j++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof(text) - n, "%s%.1f", j == 0 ? "" : ", ", 1e3 * c->seconds[j]);
        n = strlen(text);
        if (speed[j] != 1) snprintf(text + n, sizeof(text) - n, " (speed %.2f)", speed[j]);
    }
    adn_info("model.cuts: auto makes %d blocks; predicted ms a step: %s", c->n_block, text);
}

/* own: of which units are measured. */
static adn_status measure_and_cut(const adn_plan *every, const place *own, const place *places,
                                  double limit_bytes, int n_block, adn_cuts *out)
{
    adn_status st;
    const adn_queue_conf *team = &own->queue;
    double speed[ADN_MAX_BLOCKS];
    adn_unit_cost *units = adn_alloc((size_t)every->model.n_unit * sizeof(*units));

    if (units == NULL) return ADN_FAIL(ADN_NOMEM, "cuts: no memory");
    adn_info("model.cuts: auto: measuring %d units with %d thread%s", every->model.n_unit,
             team->n_thread, team->n_thread == 1 ? "" : "s");
    ADN_TRY(st, measure_speeds(every, own, places, speed, n_block), done);
    ADN_TRY(st, adn_probe_units(every, own->dev, team, units), done);
    ADN_TRY(st, adn_cuts_balance(units, every->model.n_unit, speed, n_block, limit_bytes, out),
            done);
    out->n_thread = team->n_thread;
    tell(out, speed);
done:
    adn_free(units);
    return st;
}

static adn_status count_blocks(const adn_config *conf, int n_unit, int n_place, int *out)
{
    *out = adn_cuts_count(conf, n_unit, n_place);
    if (*out > ADN_MAX_BLOCKS)
        return ADN_FAIL(ADN_BADCONF, "%d blocks; at most %d", *out, ADN_MAX_BLOCKS);
    return ADN_OK;
}

/* What is free for all blocks of a column: on each of their GPUs. */
static double memory_for_all(const adn_config *conf, adn_device *const *devs, int n_gpu,
                             int n_block)
{
    double sum = 0;

    if (n_gpu == 0) return (double)devs[0]->ops->memory_free(devs[0]) / conf->replicas;
    for (int j = 0; j < n_block; j++) {
        int gpu = gpu_of(conf, j, n_block, n_gpu), first = 0;
        while (gpu_of(conf, first, n_block, n_gpu) != gpu) first++;
        if (first == j) sum += (double)devs[gpu]->ops->memory_free(devs[gpu]);
    }
    return sum;
}

adn_status adn_cuts_choose(const adn_config *conf, const adn_dataset_pair *data,
                           adn_device *const *devs, int n_gpu, adn_cuts *out)
{
    adn_status st;
    adn_config all = *conf; /* the same with every cut, and nothing said of single blocks */
    adn_plan every = {0};
    adn_cuts chosen = {0};
    const adn_gpus gpus = {n_gpu, "the cpu is measured"};
    int cores[1024], n_core = adn_cores_allowed(cores, (int)ADN_COUNT(cores)), n_block;

    if (!adn_cuts_are_auto(conf)) return ADN_OK;
    all.model.cuts_kind = ADN_CUTS_EVERY;
    all.n_block = 0;
    all.replicas = 1; /* the others do the same beside it */
    n_core = ADN_MAX(1, n_core / conf->replicas);
    ADN_TRY(st, adn_plan_create_cut(&all, data, NULL, &gpus, &every), done);
    ADN_TRY(st, count_blocks(conf, every.model.n_unit, n_gpu > 0 ? n_gpu : n_core, &n_block), done);
    if (n_block == 1) {
        adn_info("model.cuts: auto: %s makes one block: no cut, nothing is measured",
                 conf->n_block == 1 ? "an entry of 'blocks'" : "one unit");
        chosen = (adn_cuts){.n_block = 1, .end = {every.model.n_unit}};
    } else {
        const adn_queue_conf team = {.name = "probe",
                                     .n_thread =
                                         n_gpu > 0 ? 1 : adn_cuts_team(conf, n_block, n_core),
                                     .is_timed = true};
        place places[ADN_MAX_BLOCKS];
        ADN_TRY(st, find_places(conf, devs, n_gpu, &team, n_block, places), done);
        const place own = {places[0].dev, team};
        ADN_TRY(st,
                measure_and_cut(&every, &own, places, memory_for_all(conf, devs, n_gpu, n_block),
                                n_block, &chosen),
                done);
    }
    *out = chosen;
done:
    adn_plan_clear_all(&every);
    return st;
}
