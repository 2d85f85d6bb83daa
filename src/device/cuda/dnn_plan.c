/* Plans: made or loaded, kept, run. */
#include "device/cuda/dnn_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void adn_dnn_plan_clear(dnn_plan *p)
{
    if (p->plan != NULL) cudnnBackendDestroyDescriptor(p->plan);
    *p = (dnn_plan){0};
}

adn_status adn_dnn_plan_begin(const dnn_graph *g, dnn_plan *p)
{
    const cuda_device *gpu = g->target.gpu;
    adn_status st;

    CUDNN_TRY(st, gpu,
              cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &p->plan),
              done);
    if (g->target.props != NULL)
        CUDNN_TRY(st, gpu,
                  cudnnBackendSetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->target.props),
                  done);
    else
        CUDNN_TRY(st, gpu,
                  cudnnBackendSetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE,
                                           CUDNN_TYPE_HANDLE, 1, &g->target.handle),
                  done);
done:
    return st;
}

adn_status adn_dnn_plan_finish(const dnn_graph *g, const dnn_limits *limits, dnn_plan *p)
{
    const cuda_device *gpu = g->target.gpu;
    adn_status st;
    int64_t n = 0, bytes = 0;

    if (cudnnBackendFinalize(p->plan) != CUDNN_STATUS_SUCCESS) return ADN_END;
    CUDNN_TRY(st, gpu,
              cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                       CUDNN_TYPE_INT64, 1, &n, &bytes),
              done);
    p->workspace_bytes = (size_t)bytes;
    if (limits->workspace_bytes != 0 && p->workspace_bytes > limits->workspace_bytes) {
        adn_debug("%s: engine %d wants %zu bytes of workspace: passed over", gpu->name, p->engine,
                  p->workspace_bytes);
        st = ADN_END;
    }
done:
    return st;
}

/* All that decides which plan is chosen, and whether it may be used. Gives; NULL: it is not known.
 */
static char *key_of(const dnn_graph *g, const dnn_limits *limits)
{
    const char *tf32 = getenv("NVIDIA_TF32_OVERRIDE"); /* cuDNN heeds it */
    char *gpu = adn_dnn_target_describe(&g->target), *key = NULL;

    if (gpu != NULL)
        key = adn_format("adonis plan 2\ncudnn %zu, cuda %zu\n%s\ntf32 %s, workspace %zu, tensor "
                         "cores %d\n%s",
                         cudnnGetVersion(), cudnnGetCudartVersion(), gpu,
                         tf32 != NULL ? tf32 : "as asked", limits->workspace_bytes,
                         !limits->no_tensor_core, g->text);
    adn_free(gpu);
    return key;
}

/* A plan is kept as "engine 2, compiled 1", a line's end, and cuDNN's own text of it. ADN_END: it
 * is not there, or cuDNN refuses it. */
static adn_status load(const dnn_graph *g, const dnn_limits *limits, const char *key, dnn_plan *out)
{
    char *text = adn_dnn_cache_get(g->target.cache, key);
    const char *plan = text != NULL ? strchr(text, '\n') : NULL;
    dnn_plan p = {0};
    int compiled;
    adn_status st = ADN_END;

    if (plan == NULL || sscanf(text, "engine %d, compiled %d", &p.engine, &compiled) != 2)
        goto done;
    p.is_compiled = compiled != 0;
    ADN_TRY(st, adn_dnn_plan_begin(g, &p), done); /* the GPU first: else cuDNN crashes */
    st = ADN_END;
    if (cudnnBackendSetAttribute(p.plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, (int64_t)strlen(plan + 1) + 1,
                                 plan + 1) == CUDNN_STATUS_SUCCESS)
        st = adn_dnn_plan_finish(g, limits, &p);
done:
    if (text != NULL && st == ADN_END)
        adn_debug("%s: cuDNN refuses a kept plan", g->target.gpu->name);
    adn_free(text);
    if (st == ADN_OK)
        *out = p;
    else
        adn_dnn_plan_clear(&p);
    return st;
}

static void keep(const dnn_graph *g, const char *key, const dnn_plan *p)
{
    char *plan = adn_dnn_text(p->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
    char *text = plan != NULL
                     ? adn_format("engine %d, compiled %d\n%s", p->engine, p->is_compiled, plan)
                     : NULL;

    if (text != NULL) adn_dnn_cache_put(g->target.cache, key, text);
    adn_free(text);
    adn_free(plan);
}

adn_status adn_dnn_plan_create(dnn_graph *g, const dnn_limits *limits, dnn_plan *out)
{
    char *key = NULL;
    double start = adn_now();
    adn_status st = g->st;

    if (st != ADN_OK) return st;
    if (g->target.cache != NULL) key = key_of(g, limits);
    st = key != NULL ? load(g, limits, key, out) : ADN_END;
    bool is_loaded = st == ADN_OK;
    if (st == ADN_END) st = adn_dnn_plan_choose(g, limits, out);
    if (st == ADN_OK)
        adn_debug("%s: a plan is %s in %.3f s: engine %d, %zu bytes of workspace",
                  g->target.gpu->name, is_loaded ? "loaded" : "made", adn_now() - start,
                  out->engine, out->workspace_bytes);
    if (st == ADN_OK && !is_loaded && key != NULL) keep(g, key, out);
    adn_free(key);
    return st;
}

adn_status adn_dnn_plan_run(const dnn_graph *g, const dnn_plan *plan, const int64_t *id,
                            void *const *p, int n, void *workspace)
{
    const cuda_device *gpu = g->target.gpu;
    cudnnBackendDescriptor_t pack = NULL;
    adn_status st;

    CUDNN_TRY(st, gpu, cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack),
              done);
    CUDNN_TRY(
        st, gpu,
        cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, id),
        done);
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                       CUDNN_TYPE_VOID_PTR, n, p),
              done);
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR,
                                       1, &workspace),
              done);
    CUDNN_TRY(st, gpu, cudnnBackendFinalize(pack), done);
    CUDNN_TRY(st, gpu, cudnnBackendExecute(g->target.handle, plan->plan, pack), done);
done:
    if (pack != NULL) cudnnBackendDestroyDescriptor(pack);
    return st;
}
