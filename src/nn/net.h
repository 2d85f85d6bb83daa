/* A net's inside: its tensors, and for each batch size the list of operations with where their
 * memory is. Private to src/nn.
 *
 * Planning a batch has two passes: the layers append operations whose memory is named by adn_at
 * (build.c, kinds.c; fuse.c says which of them run inside others); then lives are known, buffers
 * get offsets in the activations' arena, and operations are planned on the device (plan.c). */
#ifndef ADN_NET_H
#define ADN_NET_H

#include "nn/nn.h"

typedef enum adn_place {
    ADN_AT_NONE,
    ADN_AT_BUFFER, /* index: buffer of the plan */
    ADN_AT_PARAM,  /* index: tensor */
    ADN_AT_GRAD,   /* index: tensor */
    ADN_AT_STAT,   /* index: tensor */
    ADN_AT_INPUT,  /* bound at run: io->src ... */
    ADN_AT_EMIT,
    ADN_AT_LABELS,
    ADN_AT_RESULT,
    ADN_AT_HALT
} adn_place;
typedef struct adn_at {
    adn_place place;
    int index;
} adn_at;

typedef struct adn_buffer {
    size_t bytes, offset;
    int first, last; /* operations that touch it */
    bool is_shared;  /* two gradients are this buffer: nothing may write over it */
} adn_buffer;

typedef struct adn_planned {
    int layer; /* whose it is */
    adn_op_desc desc;
    adn_at at[ADN_N_ROLE];
    adn_op *op;
    adn_op_args
        args; /* all that is fixed; roles with a place from ADN_AT_INPUT on are bound at run */
} adn_planned;

typedef enum adn_phase { ADN_PHASE_FWD, ADN_PHASE_EMIT, ADN_PHASE_LEARN, ADN_N_PHASE } adn_phase;

typedef struct adn_net_plan {
    adn_net_batch batch;
    adn_planned *ops;
    int n_op, room_op;
    int phase_end[ADN_N_PHASE];
    int head_end;    /* operations up to and with the loss */
    int *bucket_end; /* [n_bucket] a bucket's gradients stand behind this operation */
    adn_buffer *buffers;
    int n_buffer, room_buffer;
    size_t arena_bytes;
    adn_at block_output; /* copied to where it is emitted; none: an operation writes there */
    void *block_output_ptr;
} adn_net_plan;

/* Tensors of a layer: indices into net->tensors, -1 where it has none. */
typedef struct adn_layer_tensors {
    int weight, bias, run_mean, run_var;
} adn_layer_tensors;

struct adn_net {
    adn_queue *queue;
    adn_device *dev;
    adn_type type; /* of activations */
    adn_conv_algo conv;
    adn_net_spec spec; /* a copy that owns its layers */
    adn_shape *shapes; /* of each value for one sample: [layers.n + 1] */
    adn_layer_tensors *layer_tensors;
    adn_tensor *tensors;
    int n_tensor;
    size_t n_param, n_decay, n_stat; /* elements of the arrays */
    void *params, *grads, *stats;    /* device arrays */
    adn_bucket *buckets;
    int n_bucket;
    void *activations, *workspace;
    size_t activation_bytes, workspace_bytes;
    adn_net_plan plans[ADN_MAX_BATCHES];
    int n_plan;
};

/* What is known of a layer while a plan's operations are listed. */
typedef struct adn_note {
    adn_at mean, inv_std, index; /* what forward keeps for the gradient */
    adn_at sums;                 /* of a convolution, for the norm behind it */
    bool is_fused;               /* this ReLU, or pool, runs inside an operation before it */
    /* Of a norm (fuse.c): the pools that run inside it, as layers; their gradients. */
    int max, avg;
    adn_at grad_max, grad_avg;
    bool emits;          /* its result goes straight to where the block's output is emitted */
    bool is_pooled_only; /* pools alone read its result */
    int norm;            /* of a pool that is fused: its norm */
} adn_note;
enum { ADN_NO_LAYER = -1, ADN_EMIT_POOL = -2 };

/* build.c: while a plan's operations are listed. */
typedef struct adn_build {
    adn_net *net;
    adn_net_plan *plan;
    adn_at *value;    /* [layers.n + 1] where each value is; none: it is never written */
    adn_at *grad;     /* [layers.n + 1] where its gradient is; none: not written yet */
    bool *needs_grad; /* [layers.n + 1] */
    adn_note *note;   /* [layers.n] */
    adn_status st;    /* first failure; later calls do nothing */
    adn_planned scratch;
} adn_build;
adn_at adn_build_buffer(adn_build *b, size_t bytes);
/* Appends an operation of layer i with src and dst's shapes set; a scratch that is ignored once st
 * is not ok. */
adn_planned *adn_build_op(adn_build *b, adn_op_kind kind, int i);
adn_shape adn_build_shape(const adn_build *b, int value); /* with the plan's n */
/* Where a layer is to write its gradient of value v, and, once the operation is listed, that it
 * was: then it is summed with what another reader of v left. */
adn_at adn_build_grad_dst(adn_build *b, int v);
void adn_build_grad_done(adn_build *b, int v, adn_at written);
adn_status adn_build_plan(adn_net *net, adn_net_plan *plan) ADN_MUST_USE; /* lists everything */

/* fuse.c: finds which layers run inside others (the notes), so that a map is written once and read
 * as seldom as may be. */
void adn_fuse_find(adn_build *b);
int adn_fuse_readers(const adn_build *b, int value); /* layers that read it */
bool adn_fuse_has_relu(const adn_build *b, int i);   /* of a norm or a sum: the ReLU behind it */

/* One table row a kind of layer (kinds.c): fwd and grad append operations for layer i. */
typedef struct adn_layer_ops {
    void (*fwd)(adn_build *b, int i);
    void (*grad)(adn_build *b, int i);
} adn_layer_ops;
extern const adn_layer_ops adn_layer_table[ADN_N_LAYER_KIND];

/* plan.c */
adn_status adn_plan_finish(adn_net *net,
                           adn_net_plan *plan) ADN_MUST_USE; /* offsets, device plans */
void adn_plan_bind(adn_net *net, adn_net_plan *plan);        /* pointers, once arrays exist */
void adn_plan_clear(adn_net_plan *plan);

/* buckets.c */
adn_status adn_net_buckets_create(adn_net *net, size_t bytes) ADN_MUST_USE;
adn_status adn_plan_buckets(const adn_net *net, adn_net_plan *plan) ADN_MUST_USE;

/* tensors.c: names, offsets, layouts, arrays. */
adn_status adn_net_tensors_create(adn_net *net, const adn_net_conf *conf) ADN_MUST_USE;
void adn_net_tensors_destroy(adn_net *net);
/* The forward descriptor of a conv or linear layer for n samples (layout not set). */
adn_op_desc adn_layer_fwd_desc(const adn_net *net, int i, int n);

#endif
