/* SGD with momentum, Nesterov's form and weight decay: PyTorch's formulas. */
#include "optim/rule.h"

static void describe(const adn_optim_conf *conf, adn_op_desc *d)
{
    d->kind = ADN_OP_SGD;
    d->u.sgd.nesterov = conf->nesterov;
}

static void set_values(const adn_optim_conf *conf, const adn_update *u, double decay,
                       double *values)
{
    values[0] = u->lr;
    values[1] = conf->momentum;
    values[2] = decay;
    values[3] = u->resets;
}

const adn_rule adn_rule_sgd = {
    .n_state = 1,
    .states = {ADN_MOMENTUM},
    .endings = {""},
    .describe = describe,
    .set_values = set_values,
};
