/* What an edge counts: who waits and for how long, what went over it, how full it was. */
#include "edge/inside.h"

/* Until the answer is another than ADN_AGAIN, the side waits; but not for batches of a lane that it
 * has left. */
adn_status adn_edge_answer(adn_edge *e, adn_lane lane, adn_side side, adn_status st)
{
    adn_edge_wait *w = &e->lanes[lane].waits[side];
    bool has_left = side == ADN_SIDE_CONSUMER && e->lanes[lane].ring.is_left;
    bool waits = st == ADN_AGAIN && !has_left;

    if (waits == w->is_on) return st;
    double now = adn_clock_now(e->clock);
    if (waits)
        w->since_s = now;
    else
        w->sum_s += now - w->since_s;
    w->is_on = waits;
    return st;
}

void adn_edge_count_commit(adn_edge *e, const adn_slot *s)
{
    for (adn_lane lane = s->lane; s != NULL; s = s->beside)
        e->lanes[lane].bytes += (int64_t)e->sample_bytes * s->n_valid;
}

/* Of the M slots, those with an unread batch that is there (it may be in a spare slot); the one
 * that is taken now is, whatever its event says. */
static double occupancy(const adn_edge *e, const adn_slot *taken)
{
    const adn_edge_lane *l = &e->lanes[taken->lane];
    int n = 0, m = l->ring.book.n_slot;

    for (int i = 0; i < l->n; i++) {
        bool is_there =
            l->states[i].state == ADN_SLOT_READY && adn_edge_has_arrived(e, &l->slots[i]);
        n += l->states[i].use == 0 && (is_there || &l->slots[i] == taken);
    }
    return ADN_MIN(n, m) / (double)m;
}

void adn_edge_count_take(adn_edge *e, const adn_slot *s)
{
    adn_edge_lane *l = &e->lanes[s->lane];

    adn_ages_add(&l->ages, s->age);
    l->occupancy_sum += occupancy(e, s);
}

void adn_edge_lose(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    e->lanes[ADN_LANE_TRAIN].lost++;
    pthread_mutex_unlock(&e->lock);
}

static double waited(const adn_edge *e, const adn_edge_wait *w)
{
    return w->sum_s + (w->is_on ? adn_clock_now(e->clock) - w->since_s : 0);
}

adn_edge_stats adn_edge_counts(adn_edge *e)
{
    pthread_mutex_lock(&e->lock);
    const adn_edge_lane *l = &e->lanes[ADN_LANE_TRAIN], *t = &e->lanes[ADN_LANE_TEST];
    adn_edge_stats s = {
        .pushed = l->ring.pushed,
        .pulled = l->ring.book.pulled,
        .wait_out_s = waited(e, &l->waits[ADN_SIDE_PRODUCER]),
        .wait_in_s = waited(e, &l->waits[ADN_SIDE_CONSUMER]),
        .producer_waits = l->waits[ADN_SIDE_PRODUCER].is_on || t->waits[ADN_SIDE_PRODUCER].is_on,
        .consumer_waits = l->waits[ADN_SIDE_CONSUMER].is_on || t->waits[ADN_SIDE_CONSUMER].is_on,
        .reused = l->ring.reused,
        .dropped = l->ring.dropped,
        .lost = l->lost,
        .bytes = l->bytes,
        .occupancy_sum = l->occupancy_sum,
        .n_full = adn_replay_full(&l->ring.book),
        .n_unread = adn_replay_unread(&l->ring.book),
        .ages = l->ages};
    pthread_mutex_unlock(&e->lock);
    return s;
}
