/* An edge's calls as a thread of its own makes them: it sleeps at its bell until there is another
 * answer than ADN_AGAIN. The bell is one of the edge's, of the caller's side. */
#ifndef ADN_TEST_EDGE_WAIT_H
#define ADN_TEST_EDGE_WAIT_H

#include "edge/edge.h"

adn_status edge_acquire(adn_edge *e, adn_bell *bell, adn_lane lane, adn_queue *q,
                        adn_slot **out) ADN_MUST_USE;
adn_status edge_take(adn_edge *e, adn_bell *bell, adn_lane lane, adn_queue *q,
                     adn_slot **out) ADN_MUST_USE;
void edge_close(adn_edge *e); /* both lanes */
void edge_leave(adn_edge *e);

#endif
