/* oneDNN 2.6 as this device uses it: a chain of primitives, made when an operation is planned; a
 * run sets pointers and executes. Included by dnnl.c and dnnl_conv.c, which alone speak to
 * oneDNN. */
#ifndef ADN_DNNL_H
#define ADN_DNNL_H

#include <dnnl.h>

#include "device/cpu/fast.h"

typedef dnnl_memory_desc_t adn_chain_format; /* a shape and how it lies */

/* Memory that a run points at p[role] + offset. */
typedef struct adn_chain_slot {
    dnnl_memory_t memory;
    adn_role role;
    size_t offset;
} adn_chain_slot;

typedef struct adn_chain_step {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[6];
    int n_arg;
} adn_chain_step;

/* One or two primitives that follow each other. */
typedef struct adn_chain {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attr; /* scratchpads are slots in the workspace */
    adn_chain_step steps[2];
    adn_chain_slot slots[12];
    int n_step, n_slot;
    size_t workspace_bytes;
} adn_chain;

adn_status adn_chain_create(adn_chain **out) ADN_MUST_USE;
void adn_chain_destroy(void *chain);
/* Memory of this format at a role; ADN_WORKSPACE: a piece of its own. */
adn_status adn_chain_slot_add(adn_chain *c, const adn_chain_format *f, adn_role role,
                              dnnl_memory_t *out) ADN_MUST_USE;
/* Adds the primitive, without arguments but for its scratchpad. Takes pd, in any case. */
adn_status adn_chain_step_add(adn_chain *c, dnnl_primitive_desc_t pd,
                              adn_chain_step **out) ADN_MUST_USE;
void adn_chain_step_arg(adn_chain_step *s, int arg, dnnl_memory_t memory);
/* Adds a copy from one format into another. */
adn_status adn_chain_reorder_add(adn_chain *c, const adn_chain_format *from, dnnl_memory_t src,
                                 const adn_chain_format *to, dnnl_memory_t dst) ADN_MUST_USE;
adn_status adn_chain_run(const adn_chain *c, void *const p[ADN_N_ROLE]) ADN_MUST_USE;

#endif
