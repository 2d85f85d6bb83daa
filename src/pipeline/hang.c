/* When a block moved last, and when somebody was told. */
#include "pipeline/hang.h"

void adn_hang_see(adn_hang *h, int block, int64_t done, bool may_rest, double now_s)
{
    if (h->blocks[block].is_seen && h->blocks[block].done == done && !may_rest) return;
    h->blocks[block].done = done;
    h->blocks[block].at_s = now_s;
    h->blocks[block].is_seen = true;
}

int adn_hang_tell(adn_hang *h, int n_block, double now_s, double *out_rest_s)
{
    int stuck = -1;

    for (int j = 0; j < n_block && stuck < 0; j++)
        if (h->blocks[j].is_seen && now_s - h->blocks[j].at_s > h->patience_s) stuck = j;
    if (stuck < 0 || (h->has_told && now_s - h->told_s < h->patience_s)) return -1;
    h->has_told = true;
    h->told_s = now_s;
    *out_rest_s = now_s - h->blocks[stuck].at_s;
    return stuck;
}
