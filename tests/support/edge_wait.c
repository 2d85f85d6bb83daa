/* The loop that bell.h describes, around one call. */
#include "edge_wait.h"

adn_status edge_acquire(adn_edge *e, adn_bell *bell, adn_lane lane, adn_queue *q, adn_slot **out)
{
    for (;;) {
        uint64_t seen = adn_bell_count(bell);
        adn_status st = adn_edge_acquire(e, lane, &q, out);
        if (st != ADN_AGAIN) return st;
        adn_bell_wait(bell, seen);
    }
}

adn_status edge_take(adn_edge *e, adn_bell *bell, adn_lane lane, adn_queue *q, adn_slot **out)
{
    for (;;) {
        uint64_t seen = adn_bell_count(bell);
        adn_status st = adn_edge_take(e, lane, &q, out);
        if (st != ADN_AGAIN) return st;
        adn_bell_wait(bell, seen);
    }
}

void edge_close(adn_edge *e)
{
    for (adn_lane lane = 0; lane < ADN_N_LANE; lane++) adn_edge_close(e, lane);
}

void edge_leave(adn_edge *e)
{
    for (adn_lane lane = 0; lane < ADN_N_LANE; lane++) adn_edge_leave(e, lane);
}
