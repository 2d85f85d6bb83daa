/* How batches go between a stage and slots that lie elsewhere (on another device, in the host's
 * memory, in a file): by way of two places on the stage's own device, in turn, and copies on a
 * queue of its own, so that other steps compute meanwhile. One carry goes one way: out, what the
 * stage emits; or in, what it takes. Private to src/stage. */
#ifndef ADN_STAGE_CARRY_H
#define ADN_STAGE_CARRY_H

#include "edge/edge.h"

typedef struct adn_carry adn_carry;

/* sample_bytes: of a sample's x; n: samples of the largest batch. dev is borrowed. to NULL: it
 * copies; else, out, it sends to that device, where a second queue receives. */
adn_status adn_carry_create(adn_device *dev, adn_device *to, const adn_queue_conf *queue,
                            size_t sample_bytes, int n, adn_carry **out) ADN_MUST_USE;
void adn_carry_destroy(adn_carry *c);     /* waits for its copies; takes NULL */
adn_queue *adn_carry_queue(adn_carry *c); /* which reads, or writes, the slots */

/* Out. Where the stage's queue q, which waits until the place is free, emits its next output. */
adn_status adn_carry_begin(adn_carry *c, adn_queue *q, void **out_x) ADN_MUST_USE;
/* q has emitted there: copies that and the labels of in, n_valid of them, into out, whose `written`
 * is recorded. in's labels have been read when q gets on. */
adn_status adn_carry_send(adn_carry *c, adn_queue *q, const adn_slot *in,
                          adn_slot *out) ADN_MUST_USE;

/* In. Brings x and labels of `in`, whose `read` is recorded when that is done, and makes q wait for
 * them; *out is `in` but for where they are then. */
adn_status adn_carry_take(adn_carry *c, adn_queue *q, const adn_slot *in,
                          adn_slot *out) ADN_MUST_USE;
/* q has enqueued all that reads them. */
adn_status adn_carry_done(adn_carry *c, adn_queue *q) ADN_MUST_USE;

#endif
