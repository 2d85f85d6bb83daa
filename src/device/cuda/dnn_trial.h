/* How long a plan takes on the GPU that is here: its graph's tensors in memory for the trial, run
 * several times alone. Private to src/device/cuda. */
#ifndef ADN_CUDA_DNN_TRIAL_H
#define ADN_CUDA_DNN_TRIAL_H

#include "device/cuda/dnn_graph.h"

typedef struct dnn_trial {
    const dnn_graph *graph;
    cudaStream_t stream; /* the handle's */
    cudaEvent_t from, to;
    void *memory[DNN_MAX_TENSOR]; /* of the graph's tensors, in their order */
    void *workspace;
    size_t workspace_bytes;
} dnn_trial;

/* ADN_END: there is no memory for it. After a failure too, clear it. */
adn_status adn_dnn_trial_begin(const dnn_graph *g, dnn_trial *out) ADN_MUST_USE;
void adn_dnn_trial_clear(dnn_trial *t);
/* Seconds of a run, the shortest of some; enough_s: of a plan that takes twice as long it is not
 * asked exactly. ADN_END: the plan does not run, or there is no memory for its workspace. */
adn_status adn_dnn_trial_time(dnn_trial *t, const dnn_plan *plan, double enough_s,
                              double *out) ADN_MUST_USE;

#endif
