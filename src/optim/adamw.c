/* AdamW (Loshchilov and Hutter 2019): PyTorch's formulas. What depends on the count of updates
 * alone is computed here, in double. */
#include "optim/rule.h"

#include <math.h>

static void describe(const adn_optim_conf *conf, adn_op_desc *d)
{
    (void)conf;
    d->kind = ADN_OP_ADAMW;
}

static void set_values(const adn_optim_conf *conf, const adn_update *u, double decay,
                       double *values)
{
    double b1 = conf->betas[0], b2 = conf->betas[1], t = (double)u->count;

    ADN_ASSERT(u->count >= 1 && !u->resets);
    values[0] = 1 - u->lr * decay;
    values[1] = b1;
    values[2] = 1 - b1;
    values[3] = b2;
    values[4] = 1 - b2;
    values[5] = u->lr / (1 - pow(b1, t)); /* moments begin at zero: what that leaves out */
    values[6] = 1 / sqrt(1 - pow(b2, t));
    values[7] = conf->eps;
}

const adn_rule adn_rule_adamw = {
    .n_state = 2,
    .states = {ADN_MOMENTUM, ADN_MOMENT2},
    .endings = {"", ".exp_avg_sq"}, /* PyTorch's word */
    .describe = describe,
    .set_values = set_values,
};
