/* A stage's life and its step. */
#include "stage/inside.h"

#include <math.h>
#include <string.h>

void adn_row_open(adn_open_row *row, int epoch)
{
    *row = (adn_open_row){.epoch = epoch, .test_loss = NAN, .test_top1 = NAN};
}

static adn_status create_carry(adn_stage *s, const adn_stage_conf *conf)
{
    adn_shape emits;
    adn_queue_conf queue = conf->queue;
    adn_status st = adn_net_spec_emits(conf->spec, &emits);

    if (st != ADN_OK) return st;
    emits.n = 1;
    return adn_carry_create(conf->dev, &queue, adn_shape_count(emits) * adn_type_bytes(conf->type),
                            conf->batches[0].n, &s->carry);
}

adn_status adn_stage_create(const adn_stage_conf *conf, adn_stage **out)
{
    adn_status st = ADN_NOMEM;
    const adn_device_ops *ops = conf->dev->ops;
    adn_stage *s = adn_alloc(sizeof(*s));

    if (s == NULL) return ADN_FAIL(ADN_NOMEM, "block %d: no memory", conf->block);
    pthread_mutex_init(&s->lock, NULL);
    s->block = conf->block;
    s->dev = conf->dev;
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
    if (conf->shared == NULL)
        ADN_TRY(st, ops->queue_create(conf->dev, &conf->queue, &s->own_queue), fail);
    s->queue = conf->shared != NULL ? conf->shared : s->own_queue;
    adn_net_conf net = {.spec = conf->spec,
                        .queue = s->queue,
                        .type = conf->type,
                        .n_batches = conf->n_batches,
                        .conv = conf->conv,
                        .no_decay_bias = conf->optim->no_decay_bias,
                        .no_decay_norm = conf->optim->no_decay_norm};
    memcpy(net.batches, conf->batches, sizeof(net.batches));
    ADN_TRY(st, adn_net_create(&net, &s->net), fail);
    size_t n_decay, n_param = adn_net_n_param(s->net, &n_decay);
    ADN_TRY(st,
            adn_optim_create(s->queue, adn_param_type(conf->type), n_param, n_decay, conf->optim,
                             &s->optim),
            fail);
    if (conf->emits_across) ADN_TRY(st, create_carry(s, conf), fail);
    void *results = NULL, *halt = NULL, *host = NULL;
    ADN_TRY(st, ops->alloc(conf->dev, N_RESULT * sizeof(*s->results), &results), fail);
    s->results = results;
    ADN_TRY(st, ops->alloc(conf->dev, sizeof(*s->halt), &halt), fail);
    s->halt = halt;
    ADN_TRY(st, ops->host_alloc(conf->dev, N_RESULT * sizeof(*s->host), &host), fail);
    s->host = host;
    for (int i = 0; i < N_RESULT; i++) ADN_TRY(st, ops->event_create(conf->dev, &s->done[i]), fail);
    ADN_TRY(st, adn_net_init(s->net, conf->init, conf->seed), fail);
    *out = s;
    return ADN_OK;
fail:
    adn_stage_destroy(s);
    return st;
}

void adn_stage_destroy(adn_stage *s)
{
    if (s == NULL) return;
    const adn_device_ops *ops = s->dev->ops;
    if (s->queue != NULL && ops->queue_sync(s->queue) != ADN_OK)
        adn_debug("block %d: its queue had failed", s->block);
    adn_carry_destroy(s->carry);
    adn_optim_destroy(s->optim);
    adn_net_destroy(s->net);
    for (int i = 0; i < N_RESULT; i++) ops->event_destroy(s->done[i]);
    if (s->results != NULL) ops->release(s->dev, s->results);
    if (s->halt != NULL) ops->release(s->dev, s->halt);
    if (s->host != NULL) ops->host_release(s->dev, s->host);
    if (s->own_queue != NULL) ops->queue_destroy(s->own_queue);
    pthread_mutex_destroy(&s->lock);
    adn_free(s);
}

static adn_status update(adn_stage *s, int n, double *out_lr)
{
    double spe = (double)s->epoch_samples;
    adn_progress p = {.epochs = (double)s->samples / spe,
                      .steps = s->steps,
                      .seconds = s->clock != NULL ? adn_clock_now(s->clock) : 0,
                      .step_epochs = (double)n / spe};
    int64_t decays = adn_schedule_decays(&s->optim_conf->schedule, p);
    bool resets = s->optim_conf->reset_momentum && decays > s->decays;

    s->decays = decays;
    *out_lr = adn_schedule_lr(s->optim_conf, s->until, p);
    return adn_optim_step(s->optim, adn_net_params(s->net), adn_net_grads(s->net), *out_lr, resets,
                          s->halt);
}

static adn_status send(adn_stage *s, const adn_slot *in, adn_slot *out)
{
    if (s->carry != NULL) return adn_carry_send(s->carry, s->queue, in, out);
    adn_status st = s->dev->ops->copy(s->queue, out->labels, in->labels,
                                      (size_t)in->n_valid * sizeof(*in->labels));
    return st == ADN_OK ? s->dev->ops->event_record(s->queue, out->written) : st;
}

static adn_status emit_rest(adn_stage *s, const adn_slot *in, adn_slot *out)
{
    memcpy(out->samples, in->samples, (size_t)in->n_valid * sizeof(*in->samples));
    out->n_valid = in->n_valid;
    out->step = in->step;
    out->epoch = in->epoch;
    out->version = adn_stage_clock_now(s).updates;
    out->learner = in->learner;
    out->n_test = in->n_test;
    out->is_last_test = in->is_last_test;
    return send(s, in, out);
}

bool adn_stage_is_fresh(const adn_stage *s, const adn_slot *in)
{
    return adn_fresh_is(&s->fresh, in->step);
}

static void advance_clock(adn_stage *s, const adn_slot *in, adn_pending *p)
{
    int64_t before = s->samples / s->epoch_samples;

    adn_fresh_learn(&s->fresh, in->step);
    s->rereads += !p->is_fresh;
    if (!p->is_counted) return;
    s->steps++;
    s->samples += in->n_valid;
    p->ends_epoch = s->samples / s->epoch_samples > before;
}

static adn_status enqueue(adn_stage *s, adn_slot *in, adn_slot *out, adn_stage_act act)
{
    const adn_device_ops *ops = s->dev->ops;
    adn_status st = ADN_OK;
    bool learns = act == ADN_ACT_LEARN;
    int n = in->n_valid, at = (int)(s->n_enqueued % N_RESULT);
    adn_net_io io = {.src = in->x,
                     .emit = out != NULL ? out->x : NULL,
                     .labels = in->labels,
                     .result = &s->results[at],
                     .halt = s->halt};
    adn_pending p = {.act = act,
                     .step = in->step,
                     .n_test = in->n_test,
                     .is_last_test = in->is_last_test,
                     .is_fresh = learns && adn_stage_is_fresh(s, in)};

    p.is_counted = p.is_fresh || s->counts == ADN_CLOCK_OWN_STEPS;
    io.moves_stats = p.is_fresh || s->bn_reuse == ADN_BN_EVERY;

    while (s->n_enqueued - s->n_settled >= RUN_AHEAD) ADN_TRY(st, adn_stage_settle(s), done);
    p.enqueued_s = adn_clock_now(s->clock);
    if (out != NULL && s->carry != NULL)
        ADN_TRY(st, adn_carry_begin(s->carry, s->queue, &io.emit), done);
    adn_stage_phase(s, "forward");
    ADN_TRY(st, adn_net_fwd(s->net, n, learns, &io), done);
    if (out != NULL) ADN_TRY(st, emit_rest(s, in, out), done);
    if (act != ADN_ACT_FORWARD) {
        adn_stage_phase(s, learns ? "backward" : "loss");
        ADN_TRY(st, adn_net_learn(s->net, n, learns, &io), done);
        ADN_TRY(st, ops->download(s->queue, &s->host[at], &s->results[at], sizeof(s->host[at])),
                done);
    }
    ADN_TRY(st, ops->event_record(s->queue, in->read), done);
    if (learns) {
        adn_stage_phase(s, "update");
        ADN_TRY(st, update(s, n, &p.lr), done);
        advance_clock(s, in, &p);
    }
    p.clock_steps = s->steps;
    p.clock_samples = s->samples;
    p.rereads = s->rereads;
    ADN_TRY(st, ops->event_record(s->queue, s->done[at]), done);
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
    s->dev->ops->range_end(s->queue);
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

adn_net *adn_stage_net(adn_stage *s)
{
    return s->net;
}

adn_queue *adn_stage_queue(adn_stage *s)
{
    return s->queue;
}

adn_queue *adn_stage_out_queue(adn_stage *s)
{
    return s->carry != NULL ? adn_carry_queue(s->carry) : s->queue;
}

void *adn_stage_momenta(adn_stage *s)
{
    return adn_optim_momenta(s->optim);
}

void adn_stage_ops(const adn_stage *s, adn_op_fn fn, void *user)
{
    static const char *const parts[] = {"weights", "weights, no decay"};

    adn_net_ops(s->net, fn, user);
    for (int part = 0; part < 2; part++)
        if (adn_optim_op(s->optim, part) != NULL)
            fn(user, parts[part], adn_optim_op(s->optim, part));
}
