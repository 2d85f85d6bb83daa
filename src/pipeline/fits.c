/* Whether the edges' slots find room, before they are made: the system would give the memory and
 * kill the process that fills it. */
#include "core/memory.h"
#include "pipeline/pipeline.h"

/* In one column. */
static double edge_bytes(const adn_plan *p, int edge)
{
    adn_edge_conf c = adn_plan_edge(p, edge);
    double n = 0;
    for (adn_lane lane = 0; lane < ADN_N_LANE; lane++) n += adn_edge_n_slot(&c, lane);
    return n * (double)adn_edge_slot_bytes(&c);
}

/* Where a device has no memory of its own the host's is the device's. */
static bool is_pinned(const adn_plan *p, const adn_device *dev, int edge)
{
    return p->blocks[edge].edge.place == ADN_EDGE_PINNED && dev->ops->has_own_memory;
}

/* Edges of all columns whose slots take the memory of this device, or, dev NULL, the host's for
 * GPUs; in a file they take none. */
static adn_status check(const adn_plan *p, adn_device *const *devs, const adn_device *dev,
                        double free_bytes)
{
    const double mib = 1 << 20;
    double sum = 0;
    int largest = -1, column = 0;

    for (int i = 0; i < p->n_column * p->n_block; i++) {
        int j = i % p->n_block;
        bool pinned = is_pinned(p, devs[i], j);
        bool counts = dev == NULL ? pinned : devs[i] == dev && !pinned;
        if (!counts || p->blocks[j].edge.place == ADN_EDGE_FILE) continue;
        sum += edge_bytes(p, j);
        if (largest >= 0 && edge_bytes(p, j) <= edge_bytes(p, largest)) continue;
        largest = j;
        column = i / p->n_block;
    }
    if (sum <= free_bytes) return ADN_OK;
    return ADN_FAIL(ADN_NOMEM,
                    "%s: the edges' slots need %.0f MiB and %.0f MiB are free on %s; the edge into "
                    "block %d alone needs %.0f MiB: lower edge.slots or data.batch",
                    adn_config_place(p->conf, "edge.slots"), sum / mib, free_bytes / mib,
                    dev == NULL ? "the host" : adn_plan_device(p, column, largest).s, largest,
                    edge_bytes(p, largest) / mib);
}

adn_status adn_plan_fits(const adn_plan *p, adn_device *const *devs, bool is_resident)
{
    adn_status st = ADN_OK;

    for (int i = 0; i < p->n_column * p->n_block; i++) {
        double set_bytes = is_resident ? adn_resident_on(p, devs, devs[i]) : 0;
        double free_bytes = (double)devs[i]->ops->memory_free(devs[i]);
        ADN_TRY(st, check(p, devs, devs[i], free_bytes - set_bytes), done);
    }
    st = check(p, devs, NULL, (double)adn_memory_free());
done:
    return st;
}
