/* What an update rule is to optim.c, which runs it: an operation, its states, its numbers. Private
 * to src/optim; a rule is a file. */
#ifndef ADN_OPTIM_RULE_H
#define ADN_OPTIM_RULE_H

#include "optim/optim.h"

typedef struct adn_rule {
    int n_state;
    adn_role states[ADN_OPTIM_STATES];
    const char *endings[ADN_OPTIM_STATES];
    void (*describe)(const adn_optim_conf *conf, adn_op_desc *d); /* d's kind, and its union */
    void (*set_values)(const adn_optim_conf *conf, const adn_update *u, double decay,
                       double *values);
} adn_rule;

extern const adn_rule adn_rule_sgd, adn_rule_adamw;

#endif
