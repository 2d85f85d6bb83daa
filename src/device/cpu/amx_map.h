/* Convolutions and linear layers as products of tiles: the rows of a product are SIDE images, at
 * one place of the map. For each output place the taps that fall inside its map name the input
 * places; those outside cost nothing, and no map needs a border. A linear layer is a convolution of
 * one place; so is one of 1x1 and stride 1, whose pixels are its images.
 *
 * A map of at most SIDE / kernel channels has a row of taps for one, of kernel * c inputs
 * ("narrow"): a first layer. */
#ifndef ADN_AMX_MAP_H
#define ADN_AMX_MAP_H

#include "device/cpu/amx_tile.h"
#include "device/cpu/fast.h"

typedef struct adn_amx_map {
    size_t n, h, w, c, h_out, w_out, o; /* of the pass: back, the gradients of outputs are read */
    size_t kernel, stride, pad;
    bool is_back; /* gradients of inputs: taps lead the other way */
    bool is_narrow;
    size_t taps_x, w_in, n_in; /* taps of a row, places of a row, inputs of a place */
    size_t n_group;            /* of SIDE images */
    size_t groups, rows;       /* of a block: groups of images, output rows */
    size_t h_in;               /* input rows that a block needs, at most */
    size_t n_row_block, n_block;
} adn_amx_map;

/* Of a pass of a convolution or linear layer; blocks are not cut. */
adn_amx_map adn_amx_map_of(const adn_op_desc *d);
/* Multiply-adds of a run: of the taps inside alone. */
double adn_amx_map_macs(const adn_amx_map *m);

/* A block: its groups, output rows, and the input rows that these need. */
typedef struct adn_amx_block {
    size_t group, n_group, y, n_y, y_in, n_y_in;
} adn_amx_block;

/* Cuts the map into blocks of at most `room` bytes (but at least a row of a group), where an input
 * place of a group takes in_bytes, an output place out_bytes; a multiple of `team` blocks, if there
 * are as many. */
void adn_amx_map_cut(adn_amx_map *m, size_t in_bytes, size_t out_bytes, size_t room, size_t team);
adn_amx_block adn_amx_map_at(const adn_amx_map *m, size_t block);

/* Where tap k reads for output `out`, along one side of n places. false: outside. */
static inline bool adn_amx_source(const adn_amx_map *m, size_t out, size_t k, size_t n, size_t *in)
{
    size_t at = m->is_back ? out + m->pad - k : out * m->stride + k - m->pad; /* it may wrap */
    bool is_met = !m->is_back || at % m->stride == 0;
    *in = m->is_back ? at / m->stride : at;
    return is_met && *in < n;
}

/* The same for a row of places, whose taps may be one. */
static inline bool adn_amx_source_x(const adn_amx_map *m, size_t out, size_t k, size_t *in)
{
    *in = out;
    return m->is_narrow || adn_amx_source(m, out, k, m->w, in);
}

static inline size_t adn_amx_steps(size_t n)
{
    return fast_parts(n, SIDE);
}

#endif
