/* Activations as factors of tiles' products. */
#ifndef ADN_AMX_TAKE_H
#define ADN_AMX_TAKE_H

#include "device/cpu/amx_map.h"

/* How a map's rows are read: place x of a row begins at element x step - back of it and has n_in
 * elements; beyond the row's ends they are zero. */
typedef struct adn_amx_rows {
    const adn_bf16 *map; /* [n, h, row] */
    size_t n, h, row;
    size_t places, step, back, n_in;
    size_t first, n_step; /* the steps that are taken, of SIDE elements of a place */
    size_t place, plane;  /* factors: elements to the next place's, to the next step's */
} adn_amx_rows;

/* What a pass reads, all of it; a place's factors follow each other. */
adn_amx_rows adn_amx_rows_of(const adn_amx_map *m, const adn_bf16 *map);

/* A row of SIDE images, the group's, as left factors, whose rows are images. Images beyond the last
 * are left as they are. */
void adn_amx_take_left(const adn_amx_rows *r, size_t group, size_t y, adn_bf16 *to);
/* The same as right factors: images are summed over. Those beyond the last are zero. */
void adn_amx_take_right(const adn_amx_rows *r, size_t group, size_t y, adn_bf16 *to);
/* n right factors in one run become left ones, whose rows were columns. */
void adn_amx_turn(adn_bf16 *factors, size_t n);

#endif
