/* Plans: made or loaded, kept, run. */
#include "device/cuda/dnn_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

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
        key = adn_format("adonis plan 3\ncudnn %zu, cuda %zu\n%s\ntf32 %s, workspace %zu, tensor "
                         "cores %d, %s\n%s",
                         cudnnGetVersion(), cudnnGetCudartVersion(), gpu,
                         tf32 != NULL ? tf32 : "as asked", limits->workspace_bytes,
                         !limits->no_tensor_core, adn_dnn_is_timed(&g->target) ? "timed" : "first",
                         g->text);
    adn_free(gpu);
    return key;
}

/* A plan is kept as its choice, a line's end, "compiled 1" or 0, a line's end, and cuDNN's own text
 * of it. ADN_END: it is not there, or another than is wanted (NULL: any), or cuDNN refuses it. */
static adn_status load(const dnn_graph *g, const dnn_limits *limits, const char *key,
                       const char *wanted, dnn_plan *out)
{
    char *text = adn_dnn_cache_get(g->target.cache, key);
    const char *more = text != NULL ? strchr(text, '\n') : NULL, *plan = NULL;
    dnn_plan p = {0};
    int compiled;
    adn_status st = ADN_END;

    if (more != NULL) plan = strchr(more + 1, '\n');
    if (plan == NULL || sscanf(text, "engine %d", &p.engine) != 1 ||
        sscanf(more, " compiled %d", &compiled) != 1 || more - text >= DNN_MAX_CHOICE)
        goto done;
    memcpy(p.choice, text, (size_t)(more - text));
    if (wanted != NULL && strcmp(p.choice, wanted) != 0) goto done;
    p.is_compiled = compiled != 0;
    ADN_TRY(st, adn_dnn_plan_begin(g, &p), done); /* the GPU first: else cuDNN crashes */
    st = ADN_END;
    if (cudnnBackendSetAttribute(p.plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, (int64_t)strlen(plan + 1) + 1,
                                 plan + 1) == CUDNN_STATUS_SUCCESS)
        st = adn_dnn_plan_finish(g, limits, &p);
done:
    if (text != NULL && st == ADN_END)
        adn_debug("%s: a kept plan is not taken", g->target.gpu->name);
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
    char *text =
        plan != NULL ? adn_format("%s\ncompiled %d\n%s", p->choice, p->is_compiled, plan) : NULL;

    if (text != NULL) adn_dnn_cache_put(g->target.cache, key, text);
    adn_free(text);
    adn_free(plan);
}

/* What the choice of a plan goes by in every version of the libraries. */
static void choice_key(const dnn_graph *g, const dnn_limits *limits, char *out, size_t room)
{
    uint64_t hash = adn_hash_on(ADN_HASH_OF_NOTHING, g->text, g->n_text);

    snprintf(out, room, "%s %016" PRIx64 "%s", g->target.gpu->model, hash,
             limits->no_tensor_core ? "" : " by tensor cores");
}

/* Loaded, or chosen. */
static adn_status obtain(dnn_graph *g, const dnn_limits *limits, const char *wanted, dnn_plan *out)
{
    char *key = g->target.cache != NULL ? key_of(g, limits) : NULL;
    double start = adn_now();
    adn_status st = key != NULL ? load(g, limits, key, wanted, out) : ADN_END;
    bool is_loaded = st == ADN_OK;

    if (st == ADN_END) st = adn_dnn_plan_choose(g, limits, wanted, out);
    if (st == ADN_OK)
        adn_debug("%s: a plan is %s in %.3f s: %s, %zu bytes of workspace", g->target.gpu->name,
                  is_loaded ? "loaded" : "made", adn_now() - start, out->choice,
                  out->workspace_bytes);
    if (st == ADN_OK && !is_loaded && key != NULL && wanted == NULL) keep(g, key, out);
    adn_free(key);
    return st;
}

adn_status adn_dnn_plan_create(dnn_graph *g, const dnn_limits *limits, dnn_plan *out)
{
    const cuda_device *gpu = g->target.gpu;
    adn_choices *choices = gpu->conf.choices;
    char key[sizeof(gpu->model) + 40], wanted[DNN_MAX_CHOICE];
    adn_status st = g->st;

    if (st != ADN_OK) return st;
    choice_key(g, limits, key, sizeof(key));
    bool was_chosen = choices != NULL && adn_choices_get(choices, key, wanted, sizeof(wanted));
    st = obtain(g, limits, was_chosen ? wanted : NULL, out);
    if (st == ADN_END && was_chosen) {
        adn_warn("%s: cuDNN does not offer %s any more, which was taken for a convolution: it is "
                 "planned anew, and results may differ in rounding",
                 gpu->name, wanted);
        st = obtain(g, limits, NULL, out);
    }
    if (st == ADN_OK && choices != NULL) st = adn_choices_put(choices, key, out->choice);
    return st;
}

adn_status adn_dnn_pack_create(const dnn_graph *g, const int64_t *id, void *const *p, int n,
                               void *workspace, cudnnBackendDescriptor_t *out)
{
    const cuda_device *gpu = g->target.gpu;
    cudnnBackendDescriptor_t pack = NULL;
    adn_status st;

    CUDNN_TRY(st, gpu, cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack),
              fail);
    CUDNN_TRY(
        st, gpu,
        cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, id),
        fail);
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                       CUDNN_TYPE_VOID_PTR, n, p),
              fail);
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR,
                                       1, &workspace),
              fail);
    CUDNN_TRY(st, gpu, cudnnBackendFinalize(pack), fail);
    *out = pack;
    return ADN_OK;
fail:
    if (pack != NULL) cudnnBackendDestroyDescriptor(pack);
    return st;
}

adn_status adn_dnn_plan_run(const dnn_graph *g, const dnn_plan *plan, const int64_t *id,
                            void *const *p, int n, void *workspace)
{
    cudnnBackendDescriptor_t pack = NULL;
    adn_status st;

    ADN_TRY(st, adn_dnn_pack_create(g, id, p, n, workspace, &pack), done);
    CUDNN_TRY(st, g->target.gpu, cudnnBackendExecute(g->target.handle, plan->plan, pack), done);
done:
    if (pack != NULL) cudnnBackendDestroyDescriptor(pack);
    return st;
}
