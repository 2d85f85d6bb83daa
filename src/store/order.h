/* order.bin: the order in which a run took its steps, appended by whoever decides it and read again
 * by `adonis replay`. A process that goes on from a checkpoint begins a file of its own, named by
 * the source steps of that checkpoint: order.bin, order-<step>.bin. What acts and flags mean is
 * theirs who write and read them. */
#ifndef ADN_ORDER_H
#define ADN_ORDER_H

#include "core/core.h"

typedef struct adn_order_step {
    int stage;           /* -1: the source (the loader) */
    int in_slot;         /* of the edge into the stage; -1: none, and always so of the source */
    int out_slot;        /* of the edge behind it; -1: it emitted nothing */
    uint8_t act;         /* what was done: 0 .. 7 */
    uint8_t flags;       /* how, and of which lane the slots are: 0 .. 31 */
    int64_t source_step; /* source step of what was taken, or number of the test batch: from 0,
                            below 2^56 */
} adn_order_step;
/* Slots, acts and flags are below these. */
enum { ADN_ORDER_SLOTS = 0xffffff, ADN_ORDER_ACTS = 8, ADN_ORDER_FLAGS = 32 };

typedef struct adn_order_info {
    int n_block;
    int64_t first_step; /* source steps finished in the checkpoint it begins at; 0: the start */
    int64_t n_step;     /* whole records; readers only */
} adn_order_info;

/* --- writing */
typedef struct adn_order adn_order;
/* Replaces `path` by an order without steps, synced. */
adn_status adn_order_create(const char *path, int n_block, int64_t first_step,
                            adn_order **out) ADN_MUST_USE;
/* Any thread; steps lie in the file in the order of the calls. Allocates nothing and writes once in
 * 4096 steps. A file that cannot be written is said once; it then ends there for good, since an
 * order with a gap is none: all later calls give ADN_IO. */
adn_status adn_order_append(adn_order *o, const adn_order_step *step) ADN_MUST_USE;
adn_status adn_order_flush(adn_order *o) ADN_MUST_USE; /* to the system: readers see all of it */
/* Flushes, syncs, frees. NULL: ADN_OK. ADN_IO: said, now or before. Nobody may use it any more. */
adn_status adn_order_close(adn_order *o);

/* --- reading: untrusted bytes. ADN_BADDATA says the file and the byte. */
typedef struct adn_order_reader adn_order_reader;
/* Checks the header. Reads what is there now; a torn last record counts as not there. */
adn_status adn_order_open(const char *path, adn_order_reader **out) ADN_MUST_USE;
adn_order_info adn_order_about(const adn_order_reader *r);
/* The next step, checked against the number of blocks, not against slots: those are the plan's.
 * ADN_END behind the last. */
adn_status adn_order_next(adn_order_reader *r, adn_order_step *out) ADN_MUST_USE;
void adn_order_reader_close(adn_order_reader *r); /* takes NULL */

/* --- in a run's folder */
/* The name of the order that begins at this source step. Gives (adn_free); NULL: no memory. */
char *adn_order_path(const char *run_dir, int64_t first_step);
/* The order of the process that trained last: the one of the largest step, since begin removes
 * those that a resume has left behind. ADN_END: there is none. Gives path (adn_free); out_path may
 * be NULL. */
adn_status adn_order_newest(const char *run_dir, char **out_path,
                            int64_t *out_first_step) ADN_MUST_USE;
/* For a process that begins to train: removes the orders that begin later (their checkpoints were
 * passed over, so their rows are cut too), then creates or replaces the one of this step. A kill
 * in between leaves the newest that is still true. */
adn_status adn_order_begin(const char *run_dir, int n_block, int64_t first_step,
                           adn_order **out) ADN_MUST_USE;

#endif
