/* Nets: a list of layers with skips, planned once for a queue, a type and its batch sizes.
 * A stage's net is its block and the head behind it. */
#ifndef ADN_NN_H
#define ADN_NN_H

#include "adonis/config.h"
#include "core/core.h"
#include "device/device.h"

typedef enum adn_layer_kind {
    ADN_LAYER_CONV,
    ADN_LAYER_NORM, /* batch norm: eps 1e-5, momentum 0.1 */
    ADN_LAYER_RELU,
    ADN_LAYER_POOL,
    ADN_LAYER_LINEAR,
    ADN_LAYER_FLATTEN, /* [n, h, w, c] seen as [n, 1, 1, h*w*c]; no operation */
    ADN_LAYER_ADD,
    ADN_N_LAYER_KIND
} adn_layer_kind;

/* Values are numbered: 0 is the net's input, k the output of layer k-1. */
typedef struct adn_layer {
    adn_layer_kind kind;
    char name[48]; /* "unit3.conv", "aux.0.fc1", "unit3.pool"; "": that of the layer before it */
    int src, src2; /* values; src2 of ADD only */
    int channels;  /* of dst: conv, linear */
    int kernel, stride, pad;
    int size; /* adaptive pool: side of dst, or of the map where that is smaller */
    adn_pool_kind pool;
    bool has_bias;
} adn_layer;

/* A list of layers and where it is cut. Grows; clear with adn_layers_clear. */
typedef struct adn_layers {
    adn_layer *layer;
    int n, room;
} adn_layers;
/* Appends; gives the number of its output value, or 0 when there is no memory (src is set by the
 * caller). */
int adn_layers_add(adn_layers *list, const adn_layer *layer);
void adn_layers_clear(adn_layers *list);

/* --- zoo.c: a whole net as units, numbered from 1 in names and cuts. */
typedef struct adn_model {
    adn_layers layers;
    int *unit_end; /* layers up to and with unit k: [n_unit] */
    int n_unit;
    bool
        global_classifier; /* global average + linear (ResNets); else 2x2 average + hidden layers */
} adn_model;
const char *adn_model_name(int k); /* of the zoo's k-th net, from 0; NULL behind the last */
adn_status adn_model_create(const adn_model_conf *conf, adn_model *out) ADN_MUST_USE;
void adn_model_clear(adn_model *m);

/* --- What one stage runs: layers [0, n_block) are the block, the rest the head; the last gives the
 * scores. */
typedef struct adn_net_spec {
    adn_layers layers;
    int n_block;
    adn_shape input;  /* n unused */
    bool input_is_u8; /* pixels, normalised first */
    double mean[ADN_MAX_CHANNELS], std[ADN_MAX_CHANNELS];
    bool has_emit_pool; /* the pool that opens the next block is run here, when emitting */
    adn_layer emit_pool;
    double label_smoothing;
} adn_net_spec;
/* Block `block` of `n_block` blocks that end after units cut[0], cut[1], ... (n_block - 1 cuts),
 * for images `image` (h, w, c) and so many classes. mean and std belong to block 0 and are set by
 * the caller. */
adn_status adn_net_spec_create(const adn_model *m, const int *cuts, int n_block, int block,
                               adn_shape image, int classes, const adn_head_conf *aux,
                               int classifier_hidden, adn_net_spec *out) ADN_MUST_USE;
void adn_net_spec_clear(adn_net_spec *s);
/* Appends the head (heads.c): aux of a block, or the classifier. src: the block's last value, of
 * shape `src`. */
adn_status adn_head_append(adn_layers *list, int src, adn_shape shape, const char *prefix,
                           const adn_head_conf *conf, int classes) ADN_MUST_USE;
adn_status adn_classifier_append(adn_layers *list, int src, adn_shape shape, int hidden,
                                 bool is_global, int classes) ADN_MUST_USE;

/* Shape of every value: [layers.n + 1]. ADN_BADCONF with the layer's name where sizes do not fit.
 */
adn_status adn_layers_shapes(const adn_layers *list, adn_shape input, adn_shape *out) ADN_MUST_USE;
adn_shape adn_layer_dst(const adn_layer *l, adn_shape src);
/* Shape that the spec's block emits (after the emit pool). */
adn_status adn_net_spec_emits(const adn_net_spec *s, adn_shape *out) ADN_MUST_USE;
/* Multiply-adds of block and head forward, of one sample. */
adn_status adn_net_spec_macs(const adn_net_spec *s, double *out) ADN_MUST_USE;

/* --- A net on a device. */
typedef struct adn_net adn_net;
typedef struct adn_net_batch {
    int n;
    bool is_training; /* training plan, or forward only with running statistics */
} adn_net_batch;
enum { ADN_MAX_BATCHES = 6 };
typedef struct adn_net_conf {
    const adn_net_spec *spec;               /* borrowed while creating */
    adn_queue *queue;                       /* borrowed */
    adn_type type;                          /* of activations: ADN_F32 | ADN_F64 | ADN_BF16 */
    adn_net_batch batches[ADN_MAX_BATCHES]; /* the first is the full batch: it fixes the layouts */
    int n_batches;
    adn_conv_algo conv;
    /* Such parameters lie behind the others: biases, a norm's shift among them; a norm's both. */
    bool no_decay_bias, no_decay_norm;
    size_t bucket_bytes; /* 0: 4 MiB */
} adn_net_conf;
adn_status adn_net_create(const adn_net_conf *conf, adn_net **out) ADN_MUST_USE;
void adn_net_destroy(adn_net *net);

/* A parameter or running statistic. Parameters lie in one array of `type`'s adn_param_type, so
 * do their gradients and momenta. */
typedef struct adn_tensor {
    char name[64]; /* "unit3.conv.weight" */
    bool is_stat;  /* running_mean, running_var: not learned */
    int n_dim;
    int64_t dim[4]; /* PyTorch's */
    size_t count;   /* of elements in PyTorch's order */
    size_t offset;  /* elements from the array's start */
    int layer;
    adn_layout *layout; /* conv and linear weights; NULL: as it stands */
} adn_tensor;
int adn_net_n_tensor(const adn_net *net);
const adn_tensor *adn_net_tensor(const adn_net *net, int i);
/* Elements of the parameter arrays; the first n_decay of them are subject to weight decay. */
size_t adn_net_n_param(const adn_net *net, size_t *out_n_decay);
void *adn_net_params(adn_net *net);
void *adn_net_grads(adn_net *net);
/* Tensor i in PyTorch's order, doubles. base: adn_net_params, adn_net_grads or an array like them
 * (momentum); ignored for statistics. Both finish before they return. */
adn_status adn_net_export(adn_net *net, int i, const void *base, double *dst) ADN_MUST_USE;
adn_status adn_net_import(adn_net *net, int i, void *base, const double *src) ADN_MUST_USE;
/* Fills parameters and statistics (init.c): a function of seed, name and index. */
adn_status adn_net_init(adn_net *net, adn_init kind, uint64_t seed) ADN_MUST_USE;

/* buckets.c. Gradients that are handed on while others are still to come: parts of the parameter
 * arrays of at least bucket_bytes each, those that a backward pass finishes first in front. */
typedef struct adn_bucket {
    size_t first, count; /* elements of the array */
} adn_bucket;
int adn_net_n_bucket(const adn_net *net);
adn_bucket adn_net_bucket(const adn_net *net, int i);
/* The running statistics of all norms: one array of the parameters' type. */
void *adn_net_stats(adn_net *net, size_t *out_count);

/* One pass over n samples (n and is_training as planned). Enqueues and returns. */
typedef struct adn_net_io {
    const void *src;         /* what the block reads: [n, h, w, c] of type, or u8 */
    void *emit;              /* what it hands on; NULL: nothing */
    const adn_label *labels; /* device memory */
    adn_loss_result *result; /* device memory */
    int32_t *halt;           /* device memory */
    bool moves_stats;        /* running statistics follow this batch */
    /* [n_bucket]: recorded when the bucket's gradients stand, in training; NULL: nobody asks */
    adn_event *const *ready;
} adn_net_io;
/* Forward through the block, and into `emit`. */
adn_status adn_net_fwd(adn_net *net, int n, bool is_training, const adn_net_io *io) ADN_MUST_USE;
/* Forward through the head, loss; in training the gradients of all parameters too. */
adn_status adn_net_learn(adn_net *net, int n, bool is_training, const adn_net_io *io) ADN_MUST_USE;

/* After a loss that was not finite: names the first layer whose output was not, by the running
 * statistics of the norm behind it; the last layer if all of them are finite. Waits for the queue.
 * The name lives as long as the net. */
adn_status adn_net_find_bad(adn_net *net, const char **out) ADN_MUST_USE;

typedef struct adn_net_sizes {
    size_t param_bytes, grad_bytes, activation_bytes, workspace_bytes;
    int64_t n_param;        /* elements, padding not counted */
    double macs, head_macs; /* forward, of one sample */
} adn_net_sizes;
adn_net_sizes adn_net_size(const adn_net *net);
/* Calls fn for each operation that the full batch's plan may run, in the order of a step, with the
 * name of its layer. Both live as long as the net. */
typedef void (*adn_op_fn)(void *user, const char *layer, const adn_op *op);
void adn_net_ops(const adn_net *net, adn_op_fn fn, void *user);

#endif
