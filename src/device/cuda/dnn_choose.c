/* From a graph to a plan: the heuristics' candidates in their order, the first that suits. */
#include "device/cuda/dnn_plan.h"

enum { MAX_CANDIDATE = 64, MAX_NOTE = 16 };

/* The candidates that one heuristic mode names. Each is made before the library fills it. */
typedef struct candidates {
    cudnnBackendDescriptor_t config[MAX_CANDIDATE];
    int64_t n_made, n;
} candidates;

static void candidates_clear(candidates *c)
{
    while (c->n_made > 0) cudnnBackendDestroyDescriptor(c->config[--c->n_made]);
}

/* "No candidate" is told by a failure as often as by an empty list. */
static adn_status ask(const dnn_graph *g, cudnnBackendDescriptor_t graph,
                      cudnnBackendHeurMode_t mode, candidates *out)
{
    const cuda_device *gpu = g->target.gpu;
    cudnnBackendDescriptor_t heur = NULL;
    adn_status st;

    CUDNN_TRY(st, gpu, cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heur),
              done);
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(heur, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph),
              done);
    CUDNN_TRY(
        st, gpu,
        cudnnBackendSetAttribute(heur, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode),
        done);
    if (g->target.props != NULL)
        CUDNN_TRY(st, gpu,
                  cudnnBackendSetAttribute(heur, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->target.props),
                  done);
    if (cudnnBackendFinalize(heur) != CUDNN_STATUS_SUCCESS) goto done;
    for (; out->n_made < MAX_CANDIDATE; out->n_made++)
        CUDNN_TRY(st, gpu,
                  cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                               &out->config[out->n_made]),
                  done);
    if (cudnnBackendGetAttribute(heur, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                 MAX_CANDIDATE, &out->n, out->config) != CUDNN_STATUS_SUCCESS)
        out->n = 0;
    out->n = ADN_MIN(out->n, (int64_t)MAX_CANDIDATE);
done:
    if (heur != NULL) cudnnBackendDestroyDescriptor(heur);
    return st;
}

static bool is_compiled(cudnnBackendDescriptor_t engine)
{
    cudnnBackendBehaviorNote_t notes[MAX_NOTE];
    int64_t n = 0;
    bool is = false;

    if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                                 MAX_NOTE, &n, notes) != CUDNN_STATUS_SUCCESS)
        return false;
    for (int64_t k = 0; k < n && k < MAX_NOTE; k++)
        if (notes[k] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) is = true;
    return is;
}

/* Whether the limits allow the candidate's engine, which goes out. What the library does not say of
 * an engine is no reason to take it. */
static bool suits(cudnnBackendDescriptor_t config, const dnn_limits *limits, dnn_plan *out)
{
    cudnnBackendDescriptor_t engine = NULL;
    cudnnBackendNumericalNote_t notes[MAX_NOTE];
    int64_t n = 0, number = -1;
    bool is_fit = false;

    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) !=
        CUDNN_STATUS_SUCCESS)
        return false;
    if (cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                 1, &n, &engine) != CUDNN_STATUS_SUCCESS)
        goto done;
    if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &n,
                                 &number) != CUDNN_STATUS_SUCCESS)
        goto done;
    if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, MAX_NOTE, &n,
                                 notes) != CUDNN_STATUS_SUCCESS)
        goto done;
    is_fit = true;
    for (int64_t k = 0; k < n && k < MAX_NOTE; k++) {
        if (notes[k] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) is_fit = false;
        if (notes[k] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && limits->no_tensor_core) is_fit = false;
    }
    out->engine = (int)number;
    out->is_compiled = is_compiled(engine);
done:
    cudnnBackendDestroyDescriptor(engine);
    return is_fit;
}

/* ADN_END: this candidate makes no plan, or too large a one. */
static adn_status try_config(const dnn_graph *g, cudnnBackendDescriptor_t config,
                             const dnn_limits *limits, dnn_plan *out)
{
    const cuda_device *gpu = g->target.gpu;
    adn_status st;
    dnn_plan p = {0};

    if (!suits(config, limits, &p)) return ADN_END;
    ADN_TRY(st, adn_dnn_plan_begin(g, &p), fail);
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(p.plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config),
              fail);
    ADN_TRY(st, adn_dnn_plan_finish(g, limits, &p), fail);
    *out = p;
    return ADN_OK;
fail:
    adn_dnn_plan_clear(&p);
    return st;
}

static adn_status finish_graph(dnn_graph *g, cudnnBackendDescriptor_t *out)
{
    const cuda_device *gpu = g->target.gpu;
    cudnnBackendDescriptor_t graph = NULL;
    adn_status st;

    ADN_ASSERT(g->n_desc < DNN_MAX_DESC);
    CUDNN_TRY(st, gpu,
              cudnnBackendCreateDescriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, &graph), done);
    g->desc[g->n_desc++] = graph;
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, g->n_op, g->ops),
              done);
    if (g->target.handle != NULL)
        CUDNN_TRY(st, gpu,
                  cudnnBackendSetAttribute(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE,
                                           CUDNN_TYPE_HANDLE, 1, &g->target.handle),
                  done);
    CUDNN_TRY(st, gpu, cudnnBackendFinalize(graph), done);
    *out = graph;
done:
    return st;
}

adn_status adn_dnn_plan_choose(dnn_graph *g, const dnn_limits *limits, dnn_plan *out)
{
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    cudnnBackendDescriptor_t graph = NULL;
    adn_status st = finish_graph(g, &graph);

    if (st != ADN_OK) return st;
    st = ADN_END;
    for (size_t m = 0; st == ADN_END && m < ADN_COUNT(modes); m++) {
        candidates c = {0};
        st = ask(g, graph, modes[m], &c);
        if (st == ADN_OK) st = ADN_END;
        for (int64_t k = 0; st == ADN_END && k < c.n; k++)
            st = try_config(g, c.config[k], limits, out);
        candidates_clear(&c);
    }
    return st;
}
