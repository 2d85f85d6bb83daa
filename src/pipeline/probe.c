/* Steps of stages of one or two units on made-up batches, and whose operations took how long. */
#include "pipeline/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bf16.h"
#include "core/rng.h"

enum { N_WARMUP = 1, N_STEP = 3 }; /* the first step touches its memory; of three, the median */

typedef enum part { FIRST, INNER, HEAD, N_PART } part;

typedef struct probe {
    const adn_plan *every;
    adn_device *dev;
    int from, to; /* units, from 0: to is from or the one behind it */
    adn_net_spec spec;
    adn_stage *stage;
    adn_edge *in, *out; /* out NULL: nothing is handed on */
    double edge_bytes;
    adn_part_cost cost[N_PART];
} probe;

/* "unit3.conv", "aux.0.fc1", "classifier.fc1" */
static part part_of(const probe *p, const char *layer)
{
    if (strncmp(layer, "unit", 4) != 0) return HEAD;
    return atoi(layer + 4) == p->from + 1 ? FIRST : INNER;
}

static adn_status create_stage(probe *p, const adn_queue_conf *team, const adn_optim_conf *optim)
{
    const adn_plan *e = p->every;
    adn_stage_conf c = {.block = p->from,
                        .spec = &p->spec,
                        .n_copy = 1,
                        .devs = {p->dev},
                        .queue = *team,
                        .type = e->type,
                        .batches = {{e->batch, true}},
                        .n_batches = 1,
                        .conv = e->conf->model.conv,
                        .optim = optim,
                        .until = e->conf->until,
                        .epoch_samples = e->epoch_samples,
                        .init = e->conf->model.init,
                        .seed = e->conf->seed};
    return adn_stage_create(&c, &p->stage);
}

/* The spec of a block of the units, among blocks before and behind it where there are such. */
static adn_status create_spec(probe *p)
{
    const adn_plan *e = p->every;
    int cuts[2], n = 0, block = p->from > 0;
    bool is_last = p->to == e->model.n_unit - 1;

    if (p->from > 0) cuts[n++] = p->from;
    if (!is_last) cuts[n++] = p->to + 1;
    adn_status st = adn_net_spec_create(&e->model, cuts, n + 1, block, e->image, e->classes,
                                        &e->conf->aux, e->conf->classifier_hidden, &p->spec);
    memcpy(p->spec.mean, e->blocks[0].spec.mean, sizeof(p->spec.mean));
    memcpy(p->spec.std, e->blocks[0].spec.std, sizeof(p->spec.std));
    return st;
}

static adn_status create_edges(probe *p)
{
    const adn_plan *e = p->every;
    adn_edge_conf in = adn_plan_edge(e, p->from);
    adn_status st;

    for (adn_lane k = 0; k < ADN_N_LANE; k++) {
        p->edge_bytes += (double)adn_edge_slot_bytes(&in) * adn_edge_n_slot(&in, k);
        in.n_slot[k] = 1;
    }
    in.replay = (adn_replay_conf){0};
    in.n_column = 1;
    in.dev[0] = p->dev;
    ADN_TRY(st, adn_edge_create(&in, &p->in), done);
    if (p->to == e->model.n_unit - 1) goto done;
    adn_edge_conf out = adn_plan_edge(e, p->to + 1);
    for (adn_lane k = 0; k < ADN_N_LANE; k++) out.n_slot[k] = 1;
    out.replay = (adn_replay_conf){0};
    out.n_column = 1;
    out.dev[0] = p->dev;
    st = adn_edge_create(&out, &p->out);
done:
    return st;
}

static adn_status create(probe *p, const adn_queue_conf *team, const adn_optim_conf *optim)
{
    adn_status st;

    ADN_TRY(st, create_spec(p), done);
    ADN_TRY(st, create_edges(p), done);
    st = create_stage(p, team, optim);
done:
    return st;
}

static void clear(probe *p)
{
    adn_stage_destroy(p->stage);
    adn_edge_destroy(p->in);
    adn_edge_destroy(p->out);
    adn_net_spec_clear(&p->spec);
}

/* --- a made-up batch */

static void put_element(void *x, adn_type type, size_t i, uint32_t bits)
{
    float f = adn_rng_unit(bits); /* 0 .. 1: behind a ReLU nothing is negative */

    if (type == ADN_U8)
        ((uint8_t *)x)[i] = (uint8_t)bits;
    else if (type == ADN_BF16)
        ((adn_bf16 *)x)[i] = adn_bf16_of(f);
    else
        ((float *)x)[i] = f;
}

/* Noise: a constant one would have no variance, and its gradients no bound. */
static adn_status fill(probe *p, adn_slot *s)
{
    adn_status st;
    const adn_plan *e = p->every;
    adn_queue *q = adn_stage_queues(p->stage)[0];
    adn_edge_conf c = adn_plan_edge(e, p->from);
    size_t n = adn_shape_count(c.shape), n_label = (size_t)e->batch;
    void *x = adn_alloc(n * adn_type_bytes(c.type));
    adn_label *labels = adn_alloc(n_label * sizeof(*labels));

    if (x == NULL || labels == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "probe: no memory");
        goto done;
    }
    for (size_t i = 0; i < n; i += 4) {
        adn_draw d = adn_rng_draw(e->conf->seed, ADN_RNG_TEST, 0, i);
        for (size_t k = 0; k < 4 && i + k < n; k++) put_element(x, c.type, i + k, d.u[k]);
    }
    for (int i = 0; i < e->batch; i++) labels[i] = (adn_label){i % e->classes, i % e->classes, 1};
    ADN_TRY(st, p->dev->ops->upload(q, s->x, x, n * adn_type_bytes(c.type)), done);
    ADN_TRY(st, p->dev->ops->upload(q, s->labels, labels, n_label * sizeof(*labels)), done);
    st = p->dev->ops->queue_sync(q);
done:
    adn_free(x);
    adn_free(labels);
    return st;
}

/* --- a step */

static adn_status step(probe *p, bool is_new)
{
    adn_status st;
    adn_queue *const *qs = adn_stage_queues(p->stage);
    adn_queue *q = qs[0];
    adn_slot *in, *out = NULL;

    ADN_TRY(st, adn_edge_acquire(p->in, ADN_LANE_TRAIN, qs, &in), done);
    if (is_new) ADN_TRY(st, fill(p, in), done);
    in->n_valid = p->every->batch;
    ADN_TRY(st, p->dev->ops->event_record(q, in->written), done);
    adn_edge_commit(p->in, in);
    ADN_TRY(st, adn_edge_take(p->in, ADN_LANE_TRAIN, qs, &in), done);
    if (p->out != NULL) ADN_TRY(st, adn_edge_acquire(p->out, ADN_LANE_TRAIN, qs, &out), done);
    ADN_TRY(st, adn_stage_step(p->stage, in, out, ADN_ACT_LEARN), done);
    adn_edge_release(p->in, in);
    if (out != NULL) {
        adn_edge_commit(p->out, out);
        ADN_TRY(st, adn_edge_take(p->out, ADN_LANE_TRAIN, qs, &out), done);
        ADN_TRY(st, p->dev->ops->event_record(q, out->read), done);
        adn_edge_release(p->out, out);
    }
    st = adn_stage_drain(p->stage);
done:
    return st;
}

/* Seconds since the stage was created. */
typedef struct clocks {
    const probe *of;
    double part[N_PART], update;
} clocks;

static void add_seconds(void *user, const char *layer, const adn_op *op)
{
    clocks *c = user;
    if (adn_op_is_update(op->desc.kind))
        c->update += op->tally.seconds;
    else
        c->part[part_of(c->of, layer)] += op->tally.seconds;
}

/* Copies hand a block's output on: they belong to where it ends. The update is shared out by
 * parameters. */
static adn_status look(const probe *p, double *seconds)
{
    clocks c = {.of = p};
    adn_profile copied;
    double state = 0;
    adn_status st = p->dev->ops->queue_profile(adn_stage_queues(p->stage)[0], &copied);

    if (st != ADN_OK) return st;
    adn_stage_ops(p->stage, add_seconds, &c);
    c.part[HEAD] += copied.copies.seconds;
    for (part k = 0; k < N_PART; k++) state += p->cost[k].state_bytes;
    for (part k = 0; k < N_PART; k++)
        seconds[k] = c.part[k] + c.update * p->cost[k].state_bytes / state;
    return ADN_OK;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static adn_status time_steps(probe *p)
{
    adn_status st = ADN_OK;
    double then[N_PART] = {0}, now[N_PART], took[N_PART][N_STEP];

    for (int i = 0; i < N_WARMUP + N_STEP; i++) {
        ADN_TRY(st, step(p, i == 0), done);
        ADN_TRY(st, look(p, now), done);
        for (part k = 0; k < N_PART && i >= N_WARMUP; k++) took[k][i - N_WARMUP] = now[k] - then[k];
        memcpy(then, now, sizeof(then));
    }
    for (part k = 0; k < N_PART; k++) {
        qsort(took[k], N_STEP, sizeof(took[k][0]), by_size);
        p->cost[k].seconds = took[k][N_STEP / 2];
    }
done:
    return st;
}

/* --- memory */

static void add_bytes(void *user, const char *layer, const adn_op *op)
{
    static const adn_role kept[] = {ADN_DST, ADN_DST_MAX, ADN_DST_AVG, ADN_INDEX},
                          passing[] = {ADN_GRAD_DST, ADN_GRAD_MAX, ADN_GRAD_AVG, ADN_GRAD_SRC};
    probe *p = user;
    adn_part_cost *c = &p->cost[part_of(p, layer)];
    double gradients = 0;

    for (size_t i = 0; i < ADN_COUNT(kept); i++)
        if (adn_op_infos[op->desc.kind].role[kept[i]] & ADN_WRITE)
            c->kept_bytes += (double)adn_op_role_bytes(&op->desc, kept[i]);
    for (size_t i = 0; i < ADN_COUNT(passing); i++)
        gradients += (double)adn_op_role_bytes(&op->desc, passing[i]);
    c->passing_bytes = ADN_MAX(c->passing_bytes, gradients);
    c->workspace_bytes = ADN_MAX(c->workspace_bytes, (double)op->workspace_bytes);
}

static void weigh(probe *p)
{
    const adn_net *net = adn_stage_net(p->stage, 0);
    double item = (double)adn_type_bytes(adn_param_type(p->every->type));
    int n_array = 2 + adn_optim_n_state(&p->every->conf->optim); /* weights, gradients, states */

    for (int i = 0; i < adn_net_n_tensor(net); i++) {
        const adn_tensor *t = adn_net_tensor(net, i);
        double bytes = t->layout != NULL ? (double)t->layout->bytes : item * (double)t->count;
        if (!t->is_stat) p->cost[part_of(p, t->name)].state_bytes += n_array * bytes;
    }
    adn_net_ops(net, add_bytes, p);
}

static adn_status run(probe *p, const adn_queue_conf *team)
{
    adn_optim_conf optim = p->every->conf->optim;
    adn_status st;

    optim.lr = 0; /* the same work, and noise teaches nothing that could diverge */
    ADN_TRY(st, create(p, team, &optim), done);
    weigh(p);
    st = time_steps(p);
done:
    clear(p);
    return st;
}

/* Unit by unit with the one behind it: what it is as the first, and the other behind it. */
adn_status adn_probe_units(const adn_plan *every, adn_device *dev, const adn_queue_conf *team,
                           adn_unit_cost *units)
{
    adn_status st = ADN_OK;
    int n = every->model.n_unit;

    for (int i = -1; i < n && st == ADN_OK; i++) {
        probe p = {.every = every, .dev = dev, .from = ADN_MAX(i, 0)};
        p.to = i < 0 ? 0 : ADN_MIN(i + 1, n - 1);
        st = run(&p, team);
        if (st != ADN_OK) return st;
        units[p.to].head = p.cost[HEAD];
        units[p.from].first = p.cost[FIRST];
        units[p.from].edge_bytes = p.edge_bytes;
        if (p.to != p.from) units[p.to].inner = p.cost[INNER];
    }
    return st;
}

adn_status adn_probe_team(const adn_plan *every, adn_device *dev, const adn_queue_conf *team,
                          int unit, double *out)
{
    probe p = {.every = every, .dev = dev, .from = unit, .to = unit};
    adn_status st = run(&p, team);

    if (st == ADN_OK) *out = p.cost[FIRST].seconds + p.cost[HEAD].seconds;
    return st;
}
