/* Where blocks end by measured times (`model.cuts: auto`): from the costs of units and heads to
 * cuts. Private to src/pipeline. */
#ifndef ADN_PIPELINE_CUTS_H
#define ADN_PIPELINE_CUTS_H

#include "pipeline/pipeline.h"
#include "pipeline/probe.h"

/* An entry of `blocks` each, or a core that is allowed (a GPU) each: 2 blocks at least, a unit each
 * at most. */
int adn_cuts_count(const adn_config *conf, int n_unit, int n_core);
/* The team that a block will have if nothing is said of it: what teams.c makes of blocks that cost
 * the same. */
int adn_cuts_team(const adn_config *conf, int n_block, int n_core);

/* What a block of units from .. end-1 (from 0), its head and the edge into it need. A little too
 * much: buffers that are not needed at the same time share their place. */
double adn_cuts_bytes(const adn_unit_cost *units, int from, int end);
/* The pure part. units: [n_unit]; speed: [n_block] of the blocks' devices, in order. */
adn_status adn_cuts_balance(const adn_unit_cost *units, int n_unit, const double *speed,
                            int n_block, double limit_bytes, adn_cuts *out) ADN_MUST_USE;

#endif
