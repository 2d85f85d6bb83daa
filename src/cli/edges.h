/* What a run's edges did, summed up from its edges.csv. */
#ifndef ADN_CLI_EDGES_H
#define ADN_CLI_EDGES_H

#include "core/core.h"
#include "core/json.h"

typedef struct adn_edge_total { /* an edge, over all its rows */
    int edge;
    int64_t pushed, pulled, dropped, reused, lost;
    double reuse;            /* reads of a batch that was read at all; NaN: none was */
    double dropped_percent;  /* of what was pushed; NaN: nothing was */
    double age_mean;         /* of all reads; NaN: never read */
    int64_t age_max;         /* likewise; 0 */
    double age_p50, age_p99; /* of the last epoch in which it was read; NaN: never */
    double starved_s;
} adn_edge_total;

/* The edges that have rows, ascending. Gives (adn_free). */
adn_status adn_edge_totals_read(const char *run_dir, adn_edge_total **out, int *out_n) ADN_MUST_USE;
void adn_edge_total_json(adn_json *j, const adn_edge_total *e); /* an object in an array */

#endif
