/* A stage's life and its step. */
#include "stage/inside.h"

#include <math.h>
#include <string.h>

void adn_row_open(adn_open_row *row, int epoch)
{
    *row = (adn_open_row){.epoch = epoch, .test_loss = NAN, .test_top1 = NAN};
}

adn_status adn_stage_create(const adn_stage_conf *conf, adn_stage **out)
{
    adn_status st = ADN_NOMEM;
    adn_stage *s = adn_alloc(sizeof(*s));

    if (s == NULL) return ADN_FAIL(ADN_NOMEM, "block %d: no memory", conf->block);
    ADN_ASSERT(conf->n_copy >= 1 && conf->n_copy <= ADN_MAX_REPLICAS);
    pthread_mutex_init(&s->lock, NULL);
    s->block = conf->block;
    s->type = conf->type;
    s->optim_conf = conf->optim;
    s->until = conf->until;
    s->epoch_samples = conf->epoch_samples;
    s->counts = conf->counts;
    s->bn_reuse = conf->bn_reuse;
    s->is_async = conf->is_async;
    s->clock = conf->clock;
    s->on_row = conf->on_row;
    s->user = conf->user;
    s->view.loss = s->view.top1 = s->view.test_top1 = NAN;
    adn_row_open(&s->row, 1);
    for (; s->n_copy < conf->n_copy; s->n_copy++) {
        adn_copy *c = &s->copies[s->n_copy];
        st = adn_copy_create(conf, s->n_copy, c);
        if (st != ADN_OK) {
            s->n_copy++; /* what there is of it is destroyed too */
            goto fail;
        }
        s->queues[s->n_copy] = c->queue;
        s->out_queues[s->n_copy] = c->carry != NULL ? adn_carry_queue(c->carry) : c->queue;
    }
    if (s->n_copy > 1)
        ADN_TRY(st, conf->devs[0]->ops->group_create(s->queues, s->n_copy, &s->group), fail);
    *out = s;
    return ADN_OK;
fail:
    adn_stage_destroy(s);
    return st;
}

void adn_stage_destroy(adn_stage *s)
{
    if (s == NULL) return;
    for (int k = 0; k < s->n_copy; k++) {
        const adn_copy *c = &s->copies[k];
        if (c->queue != NULL && c->dev->ops->queue_sync(c->queue) != ADN_OK)
            adn_debug("block %d: its queue had failed", s->block);
    }
    if (s->group != NULL) s->group->dev->ops->group_destroy(s->group);
    for (int k = 0; k < s->n_copy; k++) adn_copy_clear(&s->copies[k]);
    pthread_mutex_destroy(&s->lock);
    adn_free(s);
}

/* The mean of the copies' gradients, and of running statistics that have moved: buckets as they
 * come. */
static adn_status average(adn_stage *s, bool moves_stats)
{
    adn_net *first = s->copies[0].net;
    adn_type type = adn_param_type(s->type);
    adn_event *ready[ADN_MAX_REPLICAS];
    void *arrays[ADN_MAX_REPLICAS];
    size_t n_stat;
    adn_status st = ADN_OK;

    if (s->group == NULL) return ADN_OK;
    const adn_device_ops *ops = s->group->dev->ops;
    for (int b = 0; b < adn_net_n_bucket(first); b++) {
        adn_bucket part = adn_net_bucket(first, b);
        for (int k = 0; k < s->n_copy; k++) {
            ready[k] = s->copies[k].ready[b];
            arrays[k] = (char *)adn_net_grads(s->copies[k].net) + part.first * adn_type_bytes(type);
        }
        ADN_TRY(st, ops->group_mean(s->group, ready, arrays, type, part.count), done);
    }
    /* Forward comes before backward: they stand when any gradient does. */
    for (int k = 0; k < s->n_copy; k++) arrays[k] = adn_net_stats(s->copies[k].net, &n_stat);
    if (moves_stats && n_stat > 0)
        ADN_TRY(st, ops->group_mean(s->group, ready, arrays, type, n_stat), done);
    st = ops->group_join(s->group);
done:
    return st;
}

/* n: samples that the copies learn from. */
static adn_status update(adn_stage *s, int n, double *out_lr)
{
    double spe = (double)s->epoch_samples;
    adn_progress p = {.epochs = (double)s->samples / spe,
                      .steps = s->steps,
                      .seconds = s->clock != NULL ? adn_clock_now(s->clock) : 0,
                      .step_epochs = (double)n / spe};
    int64_t decays = adn_schedule_decays(&s->optim_conf->schedule, p);
    adn_update u = {.lr = adn_schedule_lr(s->optim_conf, s->until, p),
                    .count = adn_stage_clock_now(s).updates + 1,
                    .resets = s->optim_conf->reset_momentum && decays > s->decays};
    adn_status st = ADN_OK;

    s->decays = decays;
    *out_lr = u.lr;
    for (int k = 0; k < s->n_copy && st == ADN_OK; k++) {
        adn_copy *c = &s->copies[k];
        st = adn_optim_step(c->optim, adn_net_params(c->net), adn_net_grads(c->net), &u, c->halt);
    }
    return st;
}

static adn_status send(adn_copy *c, const adn_slot *in, adn_slot *out)
{
    const adn_device_ops *ops = c->dev->ops;

    memcpy(out->samples, in->samples, (size_t)in->n_valid * sizeof(*in->samples));
    if (c->carry != NULL) return adn_carry_send(c->carry, c->queue, in, out);
    adn_status st =
        ops->copy(c->queue, out->labels, in->labels, (size_t)in->n_valid * sizeof(*in->labels));
    return st == ADN_OK ? ops->event_record(c->queue, out->written) : st;
}

static void describe(const adn_stage *s, const adn_slot *in, adn_slot *out)
{
    out->step = in->step;
    out->epoch = in->epoch;
    out->version = adn_stage_clock_now(s).updates;
    out->learner = in->learner;
    out->n_test = in->n_test;
    out->is_last_test = in->is_last_test;
    for (; out != NULL; in = in->beside, out = out->beside) out->n_valid = in->n_valid;
}

bool adn_stage_is_fresh(const adn_stage *s, const adn_slot *in)
{
    return adn_fresh_is(&s->fresh, in->step);
}

/* Samples of all columns; how many of these, from the first on, have any. */
static int count_samples(const adn_slot *in, int *out_n_copy)
{
    int n = 0;
    for (*out_n_copy = 0; in != NULL && in->n_valid > 0; in = in->beside) {
        n += in->n_valid;
        ++*out_n_copy;
    }
    return n;
}

static void advance_clock(adn_stage *s, int64_t source_step, int n, adn_pending *p)
{
    int64_t before = s->samples / s->epoch_samples;

    adn_fresh_learn(&s->fresh, source_step);
    s->rereads += !p->is_fresh;
    if (!p->is_counted) return;
    s->steps++;
    s->samples += n;
    p->ends_epoch = s->samples / s->epoch_samples > before;
}

/* A copy's step but for the update: what needs nothing of the others. */
static adn_status enqueue_copy(adn_stage *s, adn_copy *c, const adn_slot *in, adn_slot *out,
                               const adn_pending *p, bool moves_stats)
{
    const adn_device_ops *ops = c->dev->ops;
    adn_status st = ADN_OK;
    bool learns = p->act == ADN_ACT_LEARN;
    int n = in->n_valid, at = (int)(s->n_enqueued % N_RESULT);
    adn_net_io io = {.src = in->x,
                     .emit = out != NULL ? out->x : NULL,
                     .labels = in->labels,
                     .result = &c->results[at],
                     .halt = c->halt,
                     .moves_stats = moves_stats,
                     .ready = c->ready};

    if (out != NULL && c->carry != NULL)
        ADN_TRY(st, adn_carry_begin(c->carry, c->queue, &io.emit), done);
    adn_stage_phase(s, "forward");
    ADN_TRY(st, adn_net_fwd(c->net, n, learns, &io), done);
    if (out != NULL) ADN_TRY(st, send(c, in, out), done);
    if (p->act != ADN_ACT_FORWARD) {
        adn_stage_phase(s, learns ? "backward" : "loss");
        ADN_TRY(st, adn_net_learn(c->net, n, learns, &io), done);
        ADN_TRY(st, ops->download(c->queue, &c->host[at], &c->results[at], sizeof(c->host[at])),
                done);
    }
    st = ops->event_record(c->queue, in->read);
done:
    return st;
}

static adn_status enqueue(adn_stage *s, adn_slot *in, adn_slot *out, adn_stage_act act)
{
    adn_status st = ADN_OK;
    bool learns = act == ADN_ACT_LEARN;
    int at = (int)(s->n_enqueued % N_RESULT);
    adn_pending p = {.act = act,
                     .step = in->step,
                     .n_test = in->n_test,
                     .is_last_test = in->is_last_test,
                     .is_fresh = learns && adn_stage_is_fresh(s, in)};
    int n = count_samples(in, &p.n_copy);
    bool moves_stats = p.is_fresh || s->bn_reuse == ADN_BN_EVERY;

    ADN_ASSERT(!learns || p.n_copy == s->n_copy);
    p.is_counted = p.is_fresh || s->counts == ADN_CLOCK_OWN_STEPS;
    while (s->n_enqueued - s->n_settled >= RUN_AHEAD) ADN_TRY(st, adn_stage_settle(s), done);
    p.enqueued_s = adn_clock_now(s->clock);
    if (out != NULL) describe(s, in, out);
    adn_slot *from = in, *to = out;
    for (int k = 0; k < p.n_copy; k++) {
        ADN_TRY(st, enqueue_copy(s, &s->copies[k], from, to, &p, moves_stats), done);
        from = from->beside;
        to = to != NULL ? to->beside : NULL;
    }
    if (learns) {
        adn_stage_phase(s, "update");
        ADN_TRY(st, average(s, moves_stats), done);
        ADN_TRY(st, update(s, n, &p.lr), done);
        advance_clock(s, in->step, n, &p);
    }
    p.clock_steps = s->steps;
    p.clock_samples = s->samples;
    p.rereads = s->rereads;
    for (int k = 0; k < p.n_copy; k++) {
        adn_copy *c = &s->copies[k];
        ADN_TRY(st, c->dev->ops->event_record(c->queue, c->done[at]), done);
    }
    s->pending[at] = p;
    s->n_enqueued++;
done:
    adn_stage_phase(s, NULL);
    return st;
}

adn_status adn_stage_step(adn_stage *s, adn_slot *in, adn_slot *out, adn_stage_act act)
{
    adn_stage_range(s, in, act);
    adn_status st = enqueue(s, in, out, act);
    s->copies[0].dev->ops->range_end(s->queues[0]);
    return st;
}

int adn_stage_open_epoch(const adn_stage *s)
{
    return s->row.epoch;
}

adn_stage_clock adn_stage_clock_now(const adn_stage *s)
{
    bool counts_all = s->counts == ADN_CLOCK_OWN_STEPS;
    return (adn_stage_clock){.steps = s->steps,
                             .samples = s->samples,
                             .updates = s->steps + (counts_all ? 0 : s->rereads),
                             .decays = s->decays};
}

adn_stage_view adn_stage_look(adn_stage *s)
{
    pthread_mutex_lock(&s->lock);
    adn_stage_view v = s->view;
    pthread_mutex_unlock(&s->lock);
    return v;
}

adn_net *adn_stage_net(adn_stage *s, int copy)
{
    return s->copies[copy].net;
}

adn_optim *adn_stage_optim(adn_stage *s, int copy)
{
    return s->copies[copy].optim;
}

int adn_stage_n_copy(const adn_stage *s)
{
    return s->n_copy;
}

adn_queue *const *adn_stage_queues(adn_stage *s)
{
    return s->queues;
}

adn_queue *const *adn_stage_out_queues(adn_stage *s)
{
    return s->out_queues;
}

void adn_stage_ops(const adn_stage *s, adn_op_fn fn, void *user)
{
    static const char *const parts[] = {"weights", "weights, no decay"};
    const adn_copy *c = &s->copies[0];

    adn_net_ops(c->net, fn, user);
    for (int part = 0; part < 2; part++)
        if (adn_optim_op(c->optim, part) != NULL)
            fn(user, parts[part], adn_optim_op(c->optim, part));
}
