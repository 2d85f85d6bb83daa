/* cuDNN's graph API: tensors and operations make a graph; a plan of those that the heuristics name
 * runs it. Building stops at the first failure, which adn_dnn_plan_create then gives: no call
 * between needs a check. Private to src/device/cuda. */
#ifndef ADN_CUDA_DNN_GRAPH_H
#define ADN_CUDA_DNN_GRAPH_H

#include "device/cuda/cuda.h"
#include "device/cuda/dnn_cache.h"

/* Where a graph is planned: for the GPU of a handle, or for a model that is not here. */
typedef struct dnn_target {
    const cuda_device *gpu;         /* in messages */
    cudnnHandle_t handle;           /* NULL: by props */
    cudnnBackendDescriptor_t props; /* a finished DEVICEPROP */
    dnn_cache *cache;               /* borrowed; NULL: none */
} dnn_target;

/* A target's props, from a GPU's properties as cuDNN writes them. cudnnBackendDestroyDescriptor. */
adn_status adn_dnn_props_create(const cuda_device *gpu, const char *json,
                                cudnnBackendDescriptor_t *out) ADN_MUST_USE;
/* The GPU in words, the same for all GPUs that may share a plan. Gives (adn_free); NULL: cuDNN does
 * not say, or no memory. */
char *adn_dnn_target_describe(const dnn_target *target);
/* A descriptor's attribute that is a text. Gives (adn_free); NULL likewise. */
char *adn_dnn_text(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name);

enum { DNN_MAX_DESC = 24, DNN_MAX_TENSOR = 8, DNN_MAX_TEXT = 8192, DNN_MAX_CHOICE = 256 };
typedef struct dnn_graph {
    dnn_target target;
    cudnnBackendDescriptor_t desc[DNN_MAX_DESC]; /* all that were made: plans refer to them */
    int n_desc;
    cudnnBackendDescriptor_t ops[4];
    int n_op;
    int64_t tensor_id[DNN_MAX_TENSOR]; /* of those in memory */
    size_t tensor_bytes[DNN_MAX_TENSOR];
    int n_tensor;
    char text[DNN_MAX_TEXT]; /* all that was set in them: equal texts are equal graphs */
    size_t n_text;
    adn_status st; /* first failure */
} dnn_graph;

void adn_dnn_graph_init(dnn_graph *g, const dnn_target *target);
void adn_dnn_graph_clear(dnn_graph *g);

typedef struct dnn_tensor {
    int64_t id; /* not 0; a plan's run binds memory by it */
    adn_type type;
    adn_shape shape; /* NHWC; a filter [o][h][w][i] is n = o, c = i */
    bool is_virtual; /* between two operations alone */
} dnn_tensor;
cudnnBackendDescriptor_t adn_dnn_tensor(dnn_graph *g, const dnn_tensor *t);

typedef enum dnn_conv_pass { DNN_CONV_FWD, DNN_CONV_GRAD_SRC, DNN_CONV_GRAD_WEIGHT } dnn_conv_pass;
/* src, weight and dst stand for their gradients where the pass makes or reads those. Sums in fp32.
 */
void adn_dnn_conv(dnn_graph *g, dnn_conv_pass pass, int stride, int pad,
                  cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t weight,
                  cudnnBackendDescriptor_t dst);
/* dst = src in dst's type. */
void adn_dnn_convert(dnn_graph *g, cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t dst);
/* dst = src + bias, which is [1, 1, 1, c], in dst's type. */
void adn_dnn_add(dnn_graph *g, cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t bias,
                 cudnnBackendDescriptor_t dst);

typedef struct dnn_plan {
    cudnnBackendDescriptor_t plan;
    size_t workspace_bytes;
    int engine;                  /* cuDNN's number for it */
    bool is_compiled;            /* at run time, for this graph */
    char choice[DNN_MAX_CHOICE]; /* the engine and its knobs: "engine 31, 2=1 4=3" */
} dnn_plan;

/* What a plan may be. Plans that do not repeat their results to the bit are never taken. */
typedef struct dnn_limits {
    size_t workspace_bytes; /* 0: no limit */
    bool no_tensor_core;    /* fp32 must not become TF32 */
} dnn_limits;

/* Takes the operations of g, which must outlive the plan. It is what the GPU's choices say; else
 * what the target's cache has; else it is chosen and put there: the first that the heuristics name,
 * or, where the GPU times plans, the fastest of the first ones. ADN_END: there is no such plan. */
adn_status adn_dnn_plan_create(dnn_graph *g, const dnn_limits *limits, dnn_plan *out) ADN_MUST_USE;
void adn_dnn_plan_clear(dnn_plan *p);
/* Enqueues it on the handle's stream; p[i] is the memory of tensor id[i]. */
adn_status adn_dnn_plan_run(const dnn_graph *g, const dnn_plan *plan, const int64_t *id,
                            void *const *p, int n, void *workspace) ADN_MUST_USE;

#endif
