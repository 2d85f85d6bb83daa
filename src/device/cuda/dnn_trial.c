/* Trials of plans. */
#include "device/cuda/dnn_trial.h"

#include <math.h>

#include "device/cuda/dnn_plan.h"

enum { N_RUN = 5, SMALL_NUMBERS = 0x3c /* 0.0115 as a float and as a bf16 of such bytes */ };

/* Out of memory is an answer here. */
static adn_status take(const cuda_device *gpu, size_t bytes, void **out)
{
    adn_status st;
    cudaError_t e = cudaMalloc(out, ADN_MAX(bytes, (size_t)1));

    if (e == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        adn_debug("%s: no memory to try plans: %zu bytes", gpu->name, bytes);
        return ADN_END;
    }
    CUDA_TRY(st, gpu, e, done);
done:
    return st;
}

adn_status adn_dnn_trial_begin(const dnn_graph *g, dnn_trial *t)
{
    const cuda_device *gpu = g->target.gpu;
    adn_status st;

    *t = (dnn_trial){.graph = g};
    CUDA_TRY(st, gpu, cudaSetDevice(gpu->conf.ordinal), done);
    CUDNN_TRY(st, gpu, cudnnGetStream(g->target.handle, &t->stream), done);
    CUDA_TRY(st, gpu, cudaEventCreate(&t->from), done);
    CUDA_TRY(st, gpu, cudaEventCreate(&t->to), done);
    for (int i = 0; i < g->n_tensor; i++) {
        ADN_TRY(st, take(gpu, g->tensor_bytes[i], &t->memory[i]), done);
        CUDA_TRY(st, gpu,
                 cudaMemsetAsync(t->memory[i], SMALL_NUMBERS, g->tensor_bytes[i], t->stream), done);
    }
done:
    return st;
}

void adn_dnn_trial_clear(dnn_trial *t)
{
    if (t->stream != NULL) cudaStreamSynchronize(t->stream);
    for (int i = 0; i < DNN_MAX_TENSOR; i++)
        if (t->memory[i] != NULL) cudaFree(t->memory[i]);
    if (t->workspace != NULL) cudaFree(t->workspace);
    if (t->from != NULL) cudaEventDestroy(t->from);
    if (t->to != NULL) cudaEventDestroy(t->to);
    *t = (dnn_trial){0};
}

static adn_status make_workspace(dnn_trial *t, size_t bytes)
{
    if (bytes <= t->workspace_bytes) return ADN_OK;
    if (t->workspace != NULL) cudaFree(t->workspace); /* waits for who uses it */
    t->workspace = NULL;
    t->workspace_bytes = 0;
    adn_status st = take(t->graph->target.gpu, bytes, &t->workspace);
    if (st == ADN_OK) t->workspace_bytes = bytes;
    return st;
}

/* One run. ADN_END: cuDNN refuses to. */
static adn_status run(dnn_trial *t, const dnn_plan *plan, cudnnBackendDescriptor_t pack,
                      double *out)
{
    const cuda_device *gpu = t->graph->target.gpu;
    adn_status st;
    float ms;

    CUDA_TRY(st, gpu, cudaEventRecord(t->from, t->stream), done);
    cudnnStatus_t e = cudnnBackendExecute(t->graph->target.handle, plan->plan, pack);
    if (e != CUDNN_STATUS_SUCCESS) {
        adn_debug("%s: engine %d does not run: %s", gpu->name, plan->engine,
                  cudnnGetErrorString(e));
        return ADN_END;
    }
    CUDA_TRY(st, gpu, cudaEventRecord(t->to, t->stream), done);
    CUDA_TRY(st, gpu, cudaEventSynchronize(t->to), done);
    CUDA_TRY(st, gpu, cudaEventElapsedTime(&ms, t->from, t->to), done);
    *out = (double)ms / 1000;
done:
    return st;
}

/* The first run loads the kernels, and is not counted. */
adn_status adn_dnn_trial_time(dnn_trial *t, const dnn_plan *plan, double enough_s, double *out)
{
    cudnnBackendDescriptor_t pack = NULL;
    double seconds, least = INFINITY;
    adn_status st = make_workspace(t, plan->workspace_bytes);

    if (st != ADN_OK) return st;
    ADN_TRY(st,
            adn_dnn_pack_create(t->graph, t->graph->tensor_id, t->memory, t->graph->n_tensor,
                                t->workspace, &pack),
            done);
    ADN_TRY(st, run(t, plan, pack, &seconds), done);
    for (int i = 0; i < N_RUN && !(least > 2 * enough_s && i > 0); i++) {
        ADN_TRY(st, run(t, plan, pack, &seconds), done);
        least = fmin(least, seconds);
    }
    *out = least;
done:
    if (pack != NULL) cudnnBackendDestroyDescriptor(pack);
    return st;
}
