/* Weights as right factors of tiles' products: a panel's SIDE outputs, rounded to bf16. */
#ifndef ADN_AMX_PACK_H
#define ADN_AMX_PACK_H

#include "device/cpu/amx_map.h"
#include "device/cpu/fast_panel.h"

/* Elements of a panel: [taps][steps of inputs], a right factor each. */
static inline size_t adn_amx_panel(const adn_amx_map *m)
{
    return m->kernel * m->taps_x * adn_amx_steps(m->n_in) * STEP;
}

/* Panel `panel` of a pass' outputs, from a layer's weights as they lie (p). */
void adn_amx_pack(const adn_amx_map *m, const adn_panels *p, const float *weight, size_t panel,
                  adn_bf16 *to);

#endif
