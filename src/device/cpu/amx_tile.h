/* Products of bf16 by the processor's tiles (Intel AMX), with sums in floats. A tile holds 16 rows
 * of 64 bytes; eight of them are used, as four sums, two left and two right factors: one step
 * multiplies SIDE rows, SIDE deep, by SIDE columns.
 *
 *   left factor of a step    [SIDE rows][SIDE deep]
 *   right factor of a step   [2][SIDE / 2 deep][SIDE / 2 columns][2 deep]: halves of the columns
 *
 * Both are STEP elements, 2 KiB in one run: tiles are loaded as they lie, whatever the pass, and no
 * two of their lines fall into one set of a cache. */
#ifndef ADN_AMX_TILE_H
#define ADN_AMX_TILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bf16.h"

enum { SIDE = 32, HALF = SIDE / 2, STEP = SIDE * SIDE };

/* A thread uses tiles between these two. While none are in use, switching threads costs less. */
void adn_amx_begin(void);
void adn_amx_end(void);

/* Where the factors of some steps, which follow each other, begin: in elements. */
typedef struct adn_amx_run {
    size_t left, right;
} adn_amx_run;

/* sum[SIDE][SIDE] += the products of n_run runs of n_step steps each; or =, if it is the first. */
void adn_amx_product(const adn_amx_run *runs, size_t n_run, size_t n_step, const adn_bf16 *left,
                     const adn_bf16 *right, bool is_first, float *sum);

/* STEP * SIDE multiply-adds from registers alone, `rounds` times; gives a number greater than 0. */
float adn_amx_peak(int rounds);

#endif
