/* The steps between a graph and its plan. Private to dnn_plan.c and dnn_choose.c. */
#ifndef ADN_CUDA_DNN_PLAN_H
#define ADN_CUDA_DNN_PLAN_H

#include "device/cuda/dnn_graph.h"

/* An empty plan for the graph's GPU; after a failure too, clear it. */
adn_status adn_dnn_plan_begin(const dnn_graph *g, dnn_plan *p);
/* ADN_END: cuDNN refuses it, or it wants more workspace than the limit. */
adn_status adn_dnn_plan_finish(const dnn_graph *g, const dnn_limits *limits, dnn_plan *p);

/* Whether plans are timed before one is chosen. */
bool adn_dnn_is_timed(const dnn_target *target);
/* A plan of the heuristics that suits: that of the choice `wanted`; NULL: the fastest of the first
 * ones where plans are timed, else the first. ADN_END: there is none. */
adn_status adn_dnn_plan_choose(dnn_graph *g, const dnn_limits *limits, const char *wanted,
                               dnn_plan *out);

/* What a run reads and writes: as in adn_dnn_plan_run. cudnnBackendDestroyDescriptor. */
adn_status adn_dnn_pack_create(const dnn_graph *g, const int64_t *id, void *const *p, int n,
                               void *workspace, cudnnBackendDescriptor_t *out);

#endif
