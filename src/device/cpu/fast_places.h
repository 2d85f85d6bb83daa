/* Convolutions of stride 1 between maps of at most 2x2, all passes. Most taps of a 3x3 kernel fall
 * outside such a map, 20 of 36 at 2x2, and are passed over: each pair of an input place and an
 * output place is a product of matrices by the tap that joins them, its rows the batch's images.
 *
 *   forward               dst[out]     += src[in] W[tap]             for each pair (in, out, tap)
 *   gradients of inputs   the same with turned weights
 *   gradients of weights  grad_W[tap]  += src[in]' grad_dst[out]
 *
 * There is so little to do for each weight that main memory counts: threads share the panels of
 * weights (fast_panel.h), so that each is read or written once, and the images pass by it. Every
 * sum has an order of its own: the bits do not depend on the team. */
#ifndef ADN_FAST_PLACES_H
#define ADN_FAST_PLACES_H

#include "device/cpu/fast_block.h"
#include "device/cpu/fast_panel.h"

#define adn_places_plan_grad HOT(adn_places_plan_grad)

enum { PLACES_SIDE = 2, PLACES = PLACES_SIDE * PLACES_SIDE };

typedef struct adn_pair {
    size_t in, out, tap;
    bool is_first; /* of its output place */
} adn_pair;

typedef struct adn_places {
    adn_conv v; /* of the pass */
    const adn_panels *panels;
    size_t n_in, n_out, n_panel; /* places of a map; panels of the pass' outputs */
    size_t n_pair;
    adn_pair pairs[PLACES * PLACES]; /* by taps */
    size_t *offset;                  /* [n]: of an image where a product reads it */
} adn_places;

/* The gradients of weights (fast_places_grad.c): fills op->run; gives the floats of its workspace.
 */
size_t adn_places_plan_grad(adn_cpu_op *op, const adn_places *d);

#endif
