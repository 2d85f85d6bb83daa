/* Weights in panels: [o / width][ky][kx][i][width], the order in which the tiles read them. Outputs
 * beyond the last are zero and stay so. A linear layer has one tap; its inputs are counted h, w, c.
 */
#ifndef ADN_FAST_PANEL_H
#define ADN_FAST_PANEL_H

#include "device/cpu/fast.h"
#include "device/cpu/fast_tile.h"

#define adn_panels_of          HOT(adn_panels_of)
#define adn_panels_back_floats HOT(adn_panels_back_floats)
#define adn_panels_turn        HOT(adn_panels_turn)
#define adn_panel_turn         HOT(adn_panel_turn)
#define adn_panel_pack         HOT(adn_panel_pack)

typedef struct adn_panels {
    size_t n_tap, n_in, n_out, n_panel;
} adn_panels;

/* NULL: the layout is another family's. */
const adn_panels *adn_panels_of(const adn_layout *l);

/* The panels of the convolution that carries gradients back: inputs and outputs change places, taps
 * their order. `back` holds adn_panels_back_floats. Runs on the calling thread's team. */
size_t adn_panels_back_floats(const adn_panels *p);
void adn_panels_turn(const adn_panels *p, float *back, const float *weight);

/* A square of them: back[o][i] = weight[i][o] for o < n_o, i < n_i, rows TILE_WIDTH apart; zero for
 * the other i of a row. */
void adn_panel_turn(float *restrict back, const float *restrict weight, size_t n_o, size_t n_i);

/* n rows of n_col gradients, `stride` floats apart, as rows of a whole panel (zero where none are
 * left): to[n][TILE_WIDTH]. sum[TILE_WIDTH] += them. */
void adn_panel_pack(const float *rows, size_t stride, size_t n, size_t n_col, float *to,
                    float *sum);

#endif
