/* What a run did, by its order.bin: a plain set of learned steps for each block, against which
 * clocks, rows and files are held. */
#ifndef ADN_TEST_ORDER_MODEL_H
#define ADN_TEST_ORDER_MODEL_H

#include "tiny.h"

enum { MODEL_BLOCKS = 8, MODEL_STEPS = 8192, MODEL_EPOCHS = 64 };

typedef struct model_clock {
    int64_t steps, samples, rereads;
} model_clock;

typedef struct model_block {
    model_clock now;
    int n_epoch;                         /* that its clock has ended */
    model_clock ends[MODEL_EPOCHS];      /* [e]: of epoch e, from 1 */
    int64_t updates;                     /* of this process */
    int64_t n_late;                      /* updates behind `until` */
    int64_t forwards, tests;             /* steps; forwards: of the training lane */
    int64_t emits_fresh, emits_reread;   /* updates that emitted */
    int64_t silent_fresh, silent_reread; /* updates that emitted nothing */
    bool learned[MODEL_STEPS];           /* source steps */
} model_block;

typedef struct order_model {
    model_block blocks[MODEL_BLOCKS];
    int64_t n_source, n_record;
} order_model;

/* The clocks at which a run begins: before it trains. */
void model_begin(order_model *m, const tiny_run *t);
/* Reads the newest order in the folder. Asserts. */
void model_read(order_model *m, const adn_plan *plan, const char *dir);
/* Clocks, rows of every epoch that ended since, and where each ended, are the model's. */
void model_check(const order_model *m, tiny_run *t);

#endif
