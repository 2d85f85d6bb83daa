/* A pass of a convolution as cuDNN plans it: by its descriptor alone, so that it is planned for
 * GPUs that are not here too. Private to src/device/cuda. */
#ifndef ADN_CUDA_CONV_PLAN_H
#define ADN_CUDA_CONV_PLAN_H

#include "device/cuda/dnn_graph.h"

/* Tensors that a plan reads and writes: gradients have the ids of what they are gradients of. */
enum { CONV_SRC = 1, CONV_WEIGHT, CONV_DST, CONV_BIAS };

typedef struct conv_plan {
    dnn_graph graph;
    dnn_plan plan;
    int src_c, dst_c; /* channels in the graph: as they are, or filled up to eights */
    bool adds_bias;   /* the graph does */
} conv_plan;

/* Of CONV_FWD, CONV_GRAD_SRC or CONV_GRAD_PARAM, over a batch that is not empty. ADN_END: cuDNN has
 * no plan within the limits. After a failure too, clear it. */
adn_status adn_conv_plan_create(const adn_op_desc *d, const dnn_target *target,
                                const dnn_limits *limits, conv_plan *out) ADN_MUST_USE;
void adn_conv_plan_clear(conv_plan *p);

/* What the device lets a plan be. */
dnn_limits adn_conv_limits(const adn_op_desc *d, const adn_cuda_conf *conf);

#endif
