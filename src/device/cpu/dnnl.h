/* oneDNN, 2.6 or 3, as this device uses it: a chain of primitives, made when an operation is
 * planned; a run sets pointers and executes. Included by dnnl.c, which knows where the two
 * generations differ, and dnnl_conv.c; these alone speak to oneDNN. */
#ifndef ADN_DNNL_H
#define ADN_DNNL_H

#include <dnnl.h>

#include "device/cpu/fast.h"

/* A shape and how it lies: in 2.6 the descriptor itself, in 3 a pointer to one. Only dnnl.c looks
 * inside. */
typedef dnnl_memory_desc_t adn_chain_format;

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

/* One or two primitives that follow each other, and the formats they are made of. */
typedef struct adn_chain {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attr; /* scratchpads are slots in the workspace */
    adn_chain_step steps[2];
    adn_chain_slot slots[12];
    adn_chain_format formats[8];
    int n_step, n_slot, n_format;
    size_t workspace_bytes;
} adn_chain;

/* A convolution in oneDNN's words. `any`: weights as the primitive likes them. bias NULL: none. */
typedef struct adn_chain_conv {
    const adn_chain_format *src, *dst, *bias, *any;
    dnnl_dims_t stride, pad;
} adn_chain_conv;

adn_status adn_chain_create(adn_chain **out) ADN_MUST_USE;
void adn_chain_destroy(void *chain);
/* A format of floats: of these dimensions, or as a primitive has it (what: dnnl_query_weights_md
 * and the like). The chain keeps it. */
adn_status adn_chain_format_add(adn_chain *c, int n_dim, const dnnl_dims_t dims,
                                dnnl_format_tag_t tag, const adn_chain_format **out) ADN_MUST_USE;
adn_status adn_chain_format_query(adn_chain *c, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                                  const adn_chain_format **out) ADN_MUST_USE;
size_t adn_chain_format_bytes(const adn_chain_format *f);
bool adn_chain_format_equal(const adn_chain_format *a, const adn_chain_format *b);
/* A copy that outlives the chain (adn_chain_format_free). */
adn_status adn_chain_format_copy(const adn_chain_format *f, adn_chain_format **out) ADN_MUST_USE;
void adn_chain_format_free(void *format);
/* A pass of a convolution with weights of this format. fwd: the forward pass as a hint; NULL for
 * that pass itself. Gives pd. ADN_END, unlogged: oneDNN has no such pass. */
adn_status adn_chain_conv_desc(const adn_chain *c, adn_op_kind pass, const adn_chain_conv *conv,
                               const adn_chain_format *weight, const_dnnl_primitive_desc_t fwd,
                               dnnl_primitive_desc_t *out) ADN_MUST_USE;
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
