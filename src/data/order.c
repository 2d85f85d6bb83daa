/* The order of an epoch: Fisher-Yates, each step's draw a function of (seed, epoch, position). */
#include "core/rng.h"
#include "data/data.h"

void adn_order_epoch(uint64_t seed, int epoch, int n, uint32_t *order)
{
    adn_draw d = {{0}};

    for (int i = 0; i < n; i++) order[i] = (uint32_t)i;
    for (uint32_t i = 0; i + 1 < (uint32_t)n; i++) {
        if (i % 4 == 0) d = adn_rng_draw(seed, ADN_RNG_ORDER, (uint64_t)epoch, i / 4);
        uint32_t j =
            i + adn_rng_below(d.u[i % 4], (uint32_t)n - i); /* one of those not yet placed */
        uint32_t picked = order[j];
        order[j] = order[i];
        order[i] = picked;
    }
}
