/* Where a row of units is cut so that its blocks take about the same time. Pure: no device, clock
 * or config. Private to src/pipeline. */
#ifndef ADN_PIPELINE_BALANCE_H
#define ADN_PIPELINE_BALANCE_H

#include "core/core.h"

/* A block of units i .. e-1 takes (first[i] + inner[i+1] + ... + inner[e-1] + head[e-1]) / speed of
 * its device. */
typedef struct adn_balance {
    int n_unit, n_block;
    const double *first; /* [n_unit] seconds of a unit that begins a block: its input needs no
                            gradient */
    const double *inner; /* [n_unit] of one behind others; [0] is not read */
    const double *head;  /* [n_unit] of the head of a block that ends with this unit */
    const double *speed; /* [n_block] of the devices, in order; 1: the one measured on */
    const double *bytes; /* [n_unit][n_unit] that a block needs: bytes[i][e-1] */
    double limit_bytes;  /* of all blocks together */
} adn_balance;
double adn_balance_seconds(const adn_balance *b, int from, int end, int block);

/* Sets end[n_block]: block j ends after so many units. Of the cuts whose blocks fit into the limit
 * together those whose slowest block takes the least time; of these those with the smallest sum of
 * times, the earliest first; where that does not fit, those that need the least memory. ADN_NOMEM:
 * nothing fits; 1 <= n_block <= n_unit is the caller's duty. */
adn_status adn_balance_cut(const adn_balance *b, int *end) ADN_MUST_USE;

#endif
