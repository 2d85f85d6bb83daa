/* An update rule over a stage's flat arrays: one pass over what is decayed, one over the rest. */
#include "optim/rule.h"

#include <limits.h>

struct adn_optim {
    adn_queue *queue;
    adn_type type;
    const adn_optim_conf *conf;
    const adn_rule *rule;
    size_t n[2]; /* decayed, not decayed */
    adn_op *op[2];
    void *states[ADN_OPTIM_STATES];
};

static const adn_rule *rule_of(const adn_optim_conf *conf)
{
    return conf->kind == ADN_OPTIM_ADAMW ? &adn_rule_adamw : &adn_rule_sgd;
}

adn_status adn_optim_create(adn_queue *q, adn_type type, size_t n_param, size_t n_decay,
                            const adn_optim_conf *conf, adn_optim **out)
{
    adn_status st = ADN_NOMEM;
    adn_optim *o = adn_alloc(sizeof(*o));
    const adn_device_ops *ops = q->dev->ops;

    if (o == NULL) return ADN_FAIL(ADN_NOMEM, "optimizer: no memory");
    ADN_ASSERT(n_param < INT_MAX);
    o->queue = q;
    o->type = type;
    o->conf = conf;
    o->rule = rule_of(conf);
    o->n[0] = n_decay;
    o->n[1] = n_param - n_decay;
    for (int k = 0; k < o->rule->n_state; k++)
        ADN_TRY(st, ops->alloc(q->dev, n_param * adn_type_bytes(type), &o->states[k]), fail);
    for (int part = 0; part < 2; part++) {
        adn_op_desc d = {.type = type, .src = {1, 1, 1, (int)o->n[part]}};
        d.dst = d.src;
        o->rule->describe(conf, &d);
        if (o->n[part] > 0) ADN_TRY(st, ops->plan(q, &d, &o->op[part]), fail);
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
    for (int k = 0; k < ADN_OPTIM_STATES; k++)
        if (o->states[k] != NULL) o->queue->dev->ops->release(o->queue->dev, o->states[k]);
    adn_free(o);
}

int adn_optim_n_state(const adn_optim_conf *conf)
{
    return rule_of(conf)->n_state;
}

const char *adn_optim_state_ending(const adn_optim_conf *conf, int k)
{
    return rule_of(conf)->endings[k];
}

void *adn_optim_state(adn_optim *o, int k)
{
    return k < o->rule->n_state ? o->states[k] : NULL;
}

const adn_op *adn_optim_op(const adn_optim *o, int part)
{
    return o->op[part];
}

adn_status adn_optim_step(adn_optim *o, void *params, const void *grads, const adn_update *u,
                          int32_t *halt)
{
    adn_status st = ADN_OK;
    size_t at = 0;

    for (int part = 0; part < 2 && st == ADN_OK; part++) {
        adn_op_args args = {0};
        args.p[ADN_WEIGHT] = (char *)params + at;
        args.p[ADN_GRAD_WEIGHT] = (char *)(uintptr_t)grads + at;
        args.p[ADN_HALT] = halt;
        for (int k = 0; k < o->rule->n_state; k++)
            args.p[o->rule->states[k]] = (char *)o->states[k] + at;
        o->rule->set_values(o->conf, u, part == 0 ? o->conf->weight_decay : 0, args.value);
        if (o->op[part] != NULL) st = adn_op_run(o->op[part], &args);
        at += o->n[part] * adn_type_bytes(o->type);
    }
    return st;
}
