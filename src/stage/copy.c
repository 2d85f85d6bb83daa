/* A stage's copies: each a net and its optimizer on a column's device. */
#include <string.h>

#include "stage/inside.h"

static adn_status create_carry(const adn_copy *c, const adn_stage_conf *conf, adn_device *to,
                               adn_shape x, adn_type type, adn_carry **out)
{
    x.n = 1;
    return adn_carry_create(c->dev, to, &conf->queue, adn_shape_count(x) * adn_type_bytes(type),
                            conf->batches[0].n, out);
}

static adn_status create_carries(adn_copy *c, const adn_stage_conf *conf, int column)
{
    const adn_net_spec *spec = conf->spec;
    adn_type type = spec->input_is_u8 ? ADN_U8 : conf->type;
    adn_shape emits;
    adn_status st = ADN_OK;

    if (conf->takes_across)
        ADN_TRY(st, create_carry(c, conf, NULL, spec->input, type, &c->in), done);
    if (!conf->emits_across) goto done;
    ADN_TRY(st, adn_net_spec_emits(spec, &emits), done);
    st = create_carry(c, conf, conf->sends_to[column], emits, conf->type, &c->out);
done:
    return st;
}

static adn_status create_net(adn_copy *c, adn_queue *q, const adn_stage_conf *conf)
{
    adn_status st;
    adn_net_conf net = {.spec = conf->spec,
                        .queue = q,
                        .type = conf->type,
                        .n_batches = conf->n_batches,
                        .conv = conf->conv,
                        .no_decay_bias = conf->optim->no_decay_bias,
                        .no_decay_norm = conf->optim->no_decay_norm,
                        .bucket_bytes = conf->bucket_bytes};

    memcpy(net.batches, conf->batches, sizeof(net.batches));
    ADN_TRY(st, adn_net_create(&net, &c->net), done);
    size_t n_decay, n_param = adn_net_n_param(c->net, &n_decay);
    ADN_TRY(
        st,
        adn_optim_create(q, adn_param_type(conf->type), n_param, n_decay, conf->optim, &c->optim),
        done);
    if (!conf->is_bare) st = adn_net_init(c->net, conf->init, conf->seed);
done:
    return st;
}

/* What steps leave on the device and bring to the host. */
static adn_status create_results(adn_copy *c)
{
    const adn_device_ops *ops = c->dev->ops;
    void *results = NULL, *halt = NULL, *host = NULL;
    adn_status st;

    ADN_TRY(st, ops->alloc(c->dev, N_RESULT * sizeof(*c->results), &results), done);
    c->results = results;
    ADN_TRY(st, ops->alloc(c->dev, sizeof(*c->halt), &halt), done);
    c->halt = halt;
    ADN_TRY(st, ops->host_alloc(c->dev, N_RESULT * sizeof(*c->host), &host), done);
    c->host = host;
    for (int i = 0; i < N_RESULT; i++) ADN_TRY(st, ops->event_create(c->dev, &c->done[i]), done);
done:
    return st;
}

static adn_status create_ready(adn_copy *c)
{
    int n = adn_net_n_bucket(c->net);
    adn_status st = ADN_OK;

    c->ready = adn_alloc((size_t)n * sizeof(adn_event *));
    if (c->ready == NULL) return ADN_FAIL(ADN_NOMEM, "stage: no memory");
    for (int i = 0; i < n && st == ADN_OK; i++)
        st = c->dev->ops->event_create(c->dev, &c->ready[i]);
    return st;
}

adn_status adn_copy_create(const adn_stage_conf *conf, int column, adn_copy *c)
{
    adn_status st;
    adn_device *dev = conf->devs[column];

    c->dev = dev;
    if (conf->shared == NULL)
        ADN_TRY(st, dev->ops->queue_create(dev, &conf->queue, &c->own_queue), done);
    c->queue = conf->shared != NULL ? conf->shared : c->own_queue;
    ADN_TRY(st, create_net(c, c->queue, conf), done);
    ADN_TRY(st, create_carries(c, conf, column), done);
    ADN_TRY(st, create_results(c), done);
    if (conf->n_copy > 1) st = create_ready(c);
done:
    return st;
}

void adn_copy_clear(adn_copy *c)
{
    if (c->dev == NULL) return;
    const adn_device_ops *ops = c->dev->ops;
    adn_carry_destroy(c->in);
    adn_carry_destroy(c->out);
    for (int i = 0; c->ready != NULL && i < adn_net_n_bucket(c->net); i++)
        ops->event_destroy(c->ready[i]);
    adn_free(c->ready);
    adn_optim_destroy(c->optim);
    adn_net_destroy(c->net);
    for (int i = 0; i < N_RESULT; i++) ops->event_destroy(c->done[i]);
    if (c->results != NULL) ops->release(c->dev, c->results);
    if (c->halt != NULL) ops->release(c->dev, c->halt);
    if (c->host != NULL) ops->host_release(c->dev, c->host);
    if (c->own_queue != NULL) ops->queue_destroy(c->own_queue);
}
