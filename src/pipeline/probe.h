/* What units and heads cost: a few real steps of stages that are built, measured and taken down one
 * after another, so that memory stays that of two units. Private to src/pipeline. */
#ifndef ADN_PIPELINE_PROBE_H
#define ADN_PIPELINE_PROBE_H

#include "pipeline/pipeline.h"

/* A unit's or a head's part of a step of the full batch: forward, backward, update. */
typedef struct adn_part_cost {
    double seconds;         /* of its operations */
    double state_bytes;     /* parameters, gradients, the optimizer's states */
    double kept_bytes;      /* activations from forward to backward */
    double passing_bytes;   /* gradients of one operation's activations: the most at a time */
    double workspace_bytes; /* of one operation: the most */
} adn_part_cost;

typedef struct adn_unit_cost {
    adn_part_cost first; /* where it begins a block: its input needs no gradient */
    adn_part_cost inner; /* behind others; of unit 1 nothing */
    adn_part_cost head;  /* of a block that ends with it, and what that block hands on */
    double edge_bytes;   /* slots of the edge into a block that begins with it */
} adn_unit_cost;

/* every: the plan of `cuts: every`. units: [n_unit]. */
adn_status adn_probe_units(const adn_plan *every, adn_device *dev, const adn_queue_conf *team,
                           adn_unit_cost *units) ADN_MUST_USE;
/* Seconds of a step of one unit (from 0) with its head, on this team. */
adn_status adn_probe_team(const adn_plan *every, adn_device *dev, const adn_queue_conf *team,
                          int unit, double *out) ADN_MUST_USE;

#endif
