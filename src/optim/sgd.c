/* SGD over a stage's flat arrays: one pass over what is decayed, one over the rest. */
#include "optim/optim.h"

#include <limits.h>

struct adn_optim {
    adn_queue *queue;
    adn_type type;
    size_t n[2]; /* decayed, not decayed */
    adn_op *op[2];
    void *momenta;
    double momentum, weight_decay;
};

adn_status adn_optim_create(adn_queue *q, adn_type type, size_t n_param, size_t n_decay,
                            const adn_optim_conf *conf, adn_optim **out)
{
    adn_status st = ADN_NOMEM;
    adn_optim *o = adn_alloc(sizeof(*o));

    if (o == NULL) return ADN_FAIL(ADN_NOMEM, "optimizer: no memory");
    ADN_ASSERT(n_param < INT_MAX);
    o->queue = q;
    o->type = type;
    o->n[0] = n_decay;
    o->n[1] = n_param - n_decay;
    o->momentum = conf->momentum;
    o->weight_decay = conf->weight_decay;
    ADN_TRY(st, q->dev->ops->alloc(q->dev, n_param * adn_type_bytes(type), &o->momenta), fail);
    for (int part = 0; part < 2; part++) {
        adn_op_desc d = {.kind = ADN_OP_SGD, .type = type, .src = {1, 1, 1, (int)o->n[part]}};
        d.dst = d.src;
        d.u.sgd.nesterov = conf->nesterov;
        if (o->n[part] > 0) ADN_TRY(st, q->dev->ops->plan(q, &d, &o->op[part]), fail);
    }
    *out = o;
    return ADN_OK;
fail:
    adn_optim_destroy(o);
    return st;
}

void adn_optim_destroy(adn_optim *o)
{
    if (o == NULL) return;
    for (int part = 0; part < 2; part++) adn_op_destroy(o->op[part]);
    if (o->momenta != NULL) o->queue->dev->ops->release(o->queue->dev, o->momenta);
    adn_free(o);
}

void *adn_optim_momenta(adn_optim *o)
{
    return o->momenta;
}

const adn_op *adn_optim_op(const adn_optim *o, int part)
{
    return o->op[part];
}

adn_status adn_optim_step(adn_optim *o, void *params, const void *grads, double lr, bool resets,
                          int32_t *halt)
{
    adn_status st = ADN_OK;
    size_t at = 0;

    for (int part = 0; part < 2 && st == ADN_OK; part++) {
        adn_op_args args = {.value = {lr, o->momentum, part == 0 ? o->weight_decay : 0, resets}};
        args.p[ADN_WEIGHT] = (char *)params + at;
        args.p[ADN_GRAD_WEIGHT] = (char *)(uintptr_t)grads + at;
        args.p[ADN_MOMENTUM] = (char *)o->momenta + at;
        args.p[ADN_HALT] = halt;
        if (o->op[part] != NULL) st = adn_op_run(o->op[part], &args);
        at += o->n[part] * adn_type_bytes(o->type);
    }
    return st;
}
