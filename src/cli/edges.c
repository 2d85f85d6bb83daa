/* Sums over the rows of edges.csv. */
#include "cli/edges.h"

#include <math.h>

#include "adonis/train.h"
#include "store/store.h"

static double ratio(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : NAN;
}

static void add_row(adn_edge_total *to, const adn_edge_row *r, double *age_sum)
{
    to->pushed += r->pushed;
    to->pulled += r->pulled;
    to->dropped += r->dropped;
    to->reused += r->reused;
    to->lost += r->lost;
    if (isfinite(r->starved_s)) to->starved_s += r->starved_s;
    if (r->pulled == 0) return;
    *age_sum += (double)r->pulled * r->age_mean;
    to->age_max = ADN_MAX(to->age_max, r->age_max);
    to->age_p50 = (double)r->age_p50;
    to->age_p99 = (double)r->age_p99;
}

/* False where the edge has no rows. */
static bool sum_edge(const adn_edge_row *rows, int n, int edge, adn_edge_total *out)
{
    bool has_row = false;
    double age_sum = 0;

    *out = (adn_edge_total){.edge = edge, .age_p50 = NAN, .age_p99 = NAN};
    for (const adn_edge_row *r = rows; r < rows + n; r++) {
        if (r->edge != edge) continue;
        has_row = true;
        add_row(out, r, &age_sum);
    }
    out->reuse = ratio(out->pulled, out->pulled - out->reused);
    out->dropped_percent = 100 * ratio(out->dropped, out->pushed);
    out->age_mean = out->pulled > 0 ? age_sum / (double)out->pulled : NAN;
    return has_row;
}

adn_status adn_edge_totals_read(const char *run_dir, adn_edge_total **out, int *out_n)
{
    adn_edge_row *rows = NULL;
    int n = 0, n_edge = 0;
    adn_status st = adn_edge_rows_read(run_dir, &rows, &n);

    if (st != ADN_OK) return st;
    adn_edge_total *list = adn_alloc(ADN_MAX_BLOCKS * sizeof(*list));
    for (int e = 0; e < ADN_MAX_BLOCKS && list != NULL; e++)
        if (sum_edge(rows, n, e, &list[n_edge])) n_edge++;
    adn_free(rows);
    if (list == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for its edges", run_dir);
    *out = list;
    *out_n = n_edge;
    return ADN_OK;
}

void adn_edge_total_json(adn_json *j, const adn_edge_total *e)
{
    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_int(j, "edge", e->edge);
    adn_json_int(j, "pushed", e->pushed);
    adn_json_int(j, "pulled", e->pulled);
    adn_json_int(j, "dropped", e->dropped);
    adn_json_int(j, "reused", e->reused);
    adn_json_int(j, "lost", e->lost);
    adn_json_number(j, "reuse", e->reuse);
    adn_json_number(j, "dropped_percent", e->dropped_percent);
    adn_json_number(j, "age_mean", e->age_mean);
    adn_json_int(j, "age_max", e->age_max);
    adn_json_number(j, "age_p50", e->age_p50);
    adn_json_number(j, "age_p99", e->age_p99);
    adn_json_number(j, "starved_s", e->starved_s);
    adn_json_close(j, '}');
}
