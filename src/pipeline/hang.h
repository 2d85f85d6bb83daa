/* Who has done nothing for so long that somebody should be told. Pure bookkeeping: no clock, no
 * thread. */
#ifndef ADN_PIPELINE_HANG_H
#define ADN_PIPELINE_HANG_H

#include "adonis/train.h"

typedef struct adn_hang { /* zeroed at first, but for patience_s */
    double patience_s;
    struct {
        int64_t done; /* what the block had done when it last did anything */
        double at_s;  /* when that was seen */
        bool is_seen;
    } blocks[ADN_MAX_BLOCKS];
    bool has_told;
    double told_s;
} adn_hang;

/* A look at a block at now_s: done changes with everything that it does. may_rest: nobody waits for
 * it to do anything. */
void adn_hang_see(adn_hang *h, int block, int64_t done, bool may_rest, double now_s);
/* The first of n_block blocks that must be told of now, and since when: it rested longer than the
 * patience, and as long ago is the last telling. -1: none. */
int adn_hang_tell(adn_hang *h, int n_block, double now_s, double *out_rest_s);

#endif
