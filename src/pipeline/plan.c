/* From a config and a data set's sizes to blocks, edges, batches and teams. */
#include "pipeline/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int n_cut(const adn_plan *p, const adn_cuts *chosen)
{
    const adn_model_conf *m = &p->conf->model;

    if (p->conf->mode == ADN_MODE_BP) return 0;
    if (m->cuts_kind == ADN_CUTS_AUTO) return chosen->n_block - 1;
    return m->cuts_kind == ADN_CUTS_EVERY ? p->model.n_unit - 1 : m->n_cut;
}

static adn_status plan_cuts(adn_plan *p, const adn_cuts *chosen)
{
    const adn_model_conf *m = &p->conf->model;
    const int *given = adn_cuts_are_auto(p->conf) ? chosen->end : m->cuts;

    ADN_ASSERT(!adn_cuts_are_auto(p->conf) || (chosen != NULL && chosen->n_block > 0));
    int n = n_cut(p, chosen);
    p->cuts = adn_alloc((size_t)ADN_MAX(1, n) * sizeof(*p->cuts));
    if (p->cuts == NULL) return ADN_FAIL(ADN_NOMEM, "plan: no memory");
    for (int i = 0; i < n; i++) {
        p->cuts[i] = m->cuts_kind == ADN_CUTS_EVERY ? i + 1 : given[i];
        if (p->cuts[i] < 1 || p->cuts[i] >= p->model.n_unit)
            return ADN_FAIL(ADN_BADCONF,
                            "%s: a cut after unit %d: the net has %d units, the last cut may stand "
                            "after unit %d",
                            adn_config_place(p->conf, "model.cuts"), p->cuts[i], p->model.n_unit,
                            p->model.n_unit - 1);
    }
    p->n_block = n + 1;
    if (p->conf->n_block > 0 && p->conf->n_block != p->n_block)
        return ADN_FAIL(ADN_BADCONF, "%s: %d entries, the cuts make %d blocks",
                        adn_config_place(p->conf, "blocks"), p->conf->n_block, p->n_block);
    return ADN_OK;
}

static adn_status plan_blocks(adn_plan *p, const adn_dataset_pair *data)
{
    adn_status st = ADN_OK;
    const adn_config *conf = p->conf;
    int n = 0;

    p->blocks = adn_alloc((size_t)p->n_block * sizeof(*p->blocks));
    if (p->blocks == NULL) return ADN_FAIL(ADN_NOMEM, "plan: no memory");
    for (int j = 0; j < p->n_block; j++) {
        adn_plan_block *b = &p->blocks[j];
        const adn_head_conf *aux =
            conf->n_block > 0 && conf->blocks[j].has_aux ? &conf->blocks[j].aux : &conf->aux;
        b->first_unit = n + 1;
        b->last_unit = n = j < p->n_block - 1 ? p->cuts[j] : p->model.n_unit;
        ADN_TRY(st,
                adn_net_spec_create(&p->model, p->cuts, p->n_block, j, p->image, p->classes, aux,
                                    conf->classifier_hidden, &b->spec),
                done);
        memcpy(b->spec.mean, data->mean, sizeof(data->mean));
        memcpy(b->spec.std, data->std, sizeof(data->std));
        ADN_TRY(st, adn_net_spec_emits(&b->spec, &b->emits), done);
        b->emits.n = p->batch;
        b->edge = conf->n_block > 0 && conf->blocks[j].has_edge ? conf->blocks[j].edge : conf->edge;
        if (j == 0) b->edge.place = ADN_EDGE_DEVICE; /* the loader's */
        b->slow = 1;
    }
done:
    return st;
}

/* Slow blocks, modelled times and links. */
static adn_status plan_chaos(adn_plan *p)
{
    const adn_chaos_conf *c = &p->conf->chaos;
    double sum = 0, macs = 1;
    adn_status st = ADN_OK;

    for (int i = 0; i < c->n_slow; i++)
        if (c->slow[i].block < p->n_block) p->blocks[c->slow[i].block].slow = c->slow[i].factor;
    for (int i = 0; i < c->n_link; i++)
        if (c->links[i].edge < p->n_block) p->blocks[c->links[i].edge].link = c->links[i];
    for (int j = 0; j < p->n_block; j++) {
        if (c->cost == ADN_COST_MACS)
            ADN_TRY(st, adn_net_spec_macs(&p->blocks[j].spec, &macs), done);
        p->blocks[j].step_s = macs;
        sum += macs;
    }
    for (int j = 0; j < p->n_block; j++)
        p->blocks[j].step_s *= c->step_s * p->n_block / sum * p->blocks[j].slow;
done:
    return st;
}

static void plan_batches(adn_plan *p)
{
    const adn_data_conf *d = &p->conf->data;
    int rest = p->n_train % p->batch, rest_test = p->n_test % p->batch, n = p->n_column;
    int n_test = adn_loader_batches(p->n_test, p->batch, false, true);
    bool is_whole = d->drop_last || n > 1; /* columns learn from batches of one size */

    p->short_batch = is_whole || rest == 1 ? 0 : rest;
    p->short_test = rest_test;
    p->epoch_steps = adn_loader_batches(p->n_train, p->batch, is_whole, false) / n;
    p->test_steps = (n_test + n - 1) / n;
    p->epoch_samples = (int64_t)(p->n_train / p->batch / n) * n * p->batch + p->short_batch;
    p->left_out = p->n_train - (int)p->epoch_samples;
    p->batches[p->n_batches++] = (adn_net_batch){p->batch, true};
    if (p->short_batch > 0) p->batches[p->n_batches++] = (adn_net_batch){p->short_batch, true};
    p->batches[p->n_batches++] = (adn_net_batch){p->batch, false};
    if (p->short_test > 0) p->batches[p->n_batches++] = (adn_net_batch){p->short_test, false};
    bool has_forward = p->conf->mode == ADN_MODE_GREEDY || p->conf->mode == ADN_MODE_ASYNC;
    bool is_forwarded = has_forward && p->short_batch > 0 && p->short_batch != p->short_test;
    if (is_forwarded) p->batches[p->n_batches++] = (adn_net_batch){p->short_batch, false};
}

static adn_status plan_until(adn_plan *p)
{
    adn_duration u = p->conf->until;

    p->until_steps = -1;
    if (u.unit == ADN_EPOCHS) p->until_steps = (int64_t)(u.value * p->epoch_steps + 0.5);
    if (u.unit == ADN_STEPS) p->until_steps = (int64_t)u.value;
    if (u.unit == ADN_SECONDS) p->until_s = u.value;
    if (p->until_steps < 0 && p->conf->mode == ADN_MODE_GREEDY)
        return ADN_FAIL(ADN_BADCONF,
                        "%s: greedy needs epochs or steps, so that a resumed run finds its block",
                        adn_config_place(p->conf, "until"));
    if (p->until_steps == 0)
        return ADN_FAIL(ADN_BADCONF, "%s: less than one step", adn_config_place(p->conf, "until"));
    return ADN_OK;
}

/* What a block's step costs, beside the others': measured times, else multiply-adds. */
static adn_status plan_devices(adn_plan *p, const adn_cuts *cuts, const adn_gpus *gpus)
{
    adn_status st = ADN_OK;
    double *cost = adn_alloc((size_t)p->n_block * sizeof(*cost));

    if (cost == NULL) return ADN_FAIL(ADN_NOMEM, "plan: no memory");
    for (int j = 0; j < p->n_block; j++)
        if (adn_cuts_are_measured(cuts))
            cost[j] = cuts->seconds[j];
        else
            ADN_TRY(st, adn_net_spec_macs(&p->blocks[j].spec, &cost[j]), done);
    ADN_TRY(st, adn_plan_place(p, cost, gpus), done);
    st = adn_plan_teams(p, cost, cuts);
done:
    adn_free(cost);
    return st;
}

adn_status adn_plan_create(const adn_config *conf, const adn_dataset_pair *data, adn_plan *out)
{
    const adn_gpus none = {0, "this plan is for the cpu"};
    return adn_plan_create_cut(conf, data, NULL, &none, out);
}

adn_status adn_plan_create_cut(const adn_config *conf, const adn_dataset_pair *data,
                               const adn_cuts *cuts, const adn_gpus *gpus, adn_plan *out)
{
    adn_status st = ADN_OK;
    const adn_dataset *train = &data->train;
    adn_plan p = {.conf = conf,
                  .image = {conf->data.batch, train->h, train->w, train->c},
                  .classes = train->classes,
                  .n_train = train->n,
                  .n_test = data->test.n,
                  .n_column = conf->replicas,
                  .batch = conf->data.batch,
                  .type = conf->precision == ADN_PRECISION_BF16 ? ADN_BF16 : ADN_F32};

    ADN_TRY(st, adn_model_create(&conf->model, &p.model), fail);
    ADN_TRY(st, plan_cuts(&p, cuts), fail);
    ADN_TRY(st, plan_blocks(&p, data), fail);
    ADN_TRY(st, plan_chaos(&p), fail);
    ADN_TRY(st, plan_devices(&p, cuts, gpus), fail);
    plan_batches(&p);
    if (p.epoch_steps == 0) {
        char columns[40] = "";
        if (p.n_column > 1)
            snprintf(columns, sizeof(columns), " in each of %d replicas", p.n_column);
        st = ADN_FAIL(ADN_BADCONF, "%s: %d%s, and the set has %d samples: no batch to learn from",
                      adn_config_place(conf, "data.batch"), p.batch, columns, p.n_train);
        goto fail;
    }
    ADN_TRY(st, plan_until(&p), fail);
    *out = p;
    return ADN_OK;
fail:
    adn_plan_clear_all(&p);
    return st;
}

void adn_plan_clear_all(adn_plan *p)
{
    for (int j = 0; p->blocks != NULL && j < p->n_block; j++)
        adn_net_spec_clear(&p->blocks[j].spec);
    adn_free(p->blocks);
    adn_free(p->cuts);
    adn_model_clear(&p->model);
    *p = (adn_plan){0};
}

static adn_edge_conf bare_edge(const adn_plan *p, int edge)
{
    return (adn_edge_conf){.shape = edge == 0 ? p->image : p->blocks[edge - 1].emits,
                           .type = edge == 0 ? ADN_U8 : p->type};
}

double adn_plan_transfer_s(const adn_plan *p, int edge)
{
    adn_edge_conf c = bare_edge(p, edge);
    double bandwidth = p->blocks[edge].link.bandwidth;
    return bandwidth > 0 ? 8 * (double)adn_edge_slot_bytes(&c) / bandwidth : 0;
}

/* Batches that a link holds at once: two in its queue, those that its delay keeps. */
static int on_the_way(const adn_plan *p, int edge)
{
    double delay = p->blocks[edge].link.delay_s, transfer = adn_plan_transfer_s(p, edge);

    if (p->conf->schedule != ADN_SCHEDULE_VIRTUAL || (delay == 0 && transfer == 0)) return 0;
    double fastest = p->blocks[edge - 1].step_s * (1 - p->conf->chaos.spread), rate = 0;
    for (int j = 0; j < p->n_block; j++) rate += 1 / p->blocks[j].step_s;
    if (p->conf->draw == ADN_DRAW_RANDOM) fastest = 1 / rate; /* one block in every tick */
    const double most = 1 << 20; /* more slots than any memory has: said by adn_plan_fits */
    return 2 + (int)fmin(most, ceil(delay / ADN_MAX(fastest, transfer)));
}

adn_edge_conf adn_plan_edge(const adn_plan *p, int edge)
{
    enum { LOADER_SLOTS = 2 }; /* it runs ahead by itself, too */
    const adn_buffer_conf *b = &p->blocks[edge].edge;
    adn_edge_conf c = bare_edge(p, edge);
    int n = edge == 0 ? ADN_MIN(b->slots, LOADER_SLOTS) : b->slots;

    c.n_column = p->n_column;
    c.place = b->place;
    c.n_slot[ADN_LANE_TRAIN] = n;
    c.n_slot[ADN_LANE_TEST] = ADN_MIN(n, 2);
    if (edge > 0)
        c.replay = (adn_replay_conf){.policy = b->policy,
                                     .when_full = b->when_full,
                                     .max_reuse = b->max_reuse,
                                     .max_age = b->max_age,
                                     .seed = p->conf->seed,
                                     .edge = (uint64_t)edge,
                                     .on_the_way = on_the_way(p, edge)};
    return c;
}

int adn_plan_gpu(const adn_plan *p, int column, int block)
{
    int gpu = p->blocks[block].gpu;
    return gpu == ADN_ON_CPU ? ADN_ON_CPU : gpu + column * p->column_gpus;
}

adn_device_name adn_plan_device(const adn_plan *p, int column, int block)
{
    adn_device_name name = {"cpu"};
    int gpu = adn_plan_gpu(p, column, block);

    if (gpu != ADN_ON_CPU) snprintf(name.s, sizeof(name.s), "cuda:%d", gpu);
    return name;
}

adn_loader_conf adn_plan_loader(const adn_plan *p, const adn_dataset_pair *data, bool is_test,
                                int64_t step)
{
    const adn_data_conf *d = &p->conf->data;
    return (adn_loader_conf){.set = is_test ? &data->test : &data->train,
                             .augment = d->augment,
                             .n_augment = is_test ? 0 : d->n_augment,
                             .mean = data->mean,
                             .seed = p->conf->seed,
                             .batch = p->batch,
                             .drop_last = !is_test && (d->drop_last || p->n_column > 1),
                             .multiple = is_test ? 1 : p->n_column,
                             .is_ordered = is_test,
                             .n_thread = d->readers > 0 ? d->readers : 1,
                             .n_ahead = 4 * p->n_column,
                             .epoch = (int)(step / p->epoch_steps) + 1,
                             .first_batch = (int)(step % p->epoch_steps) * p->n_column};
}
