/* GPUs as cuDNN's plans see them. */
#include "device/cuda/dnn_graph.h"

#include <string.h>

char *adn_dnn_text(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name)
{
    int64_t n = 0;
    char *text = NULL;

    if (cudnnBackendGetAttribute(d, name, CUDNN_TYPE_CHAR, 0, &n, NULL) != CUDNN_STATUS_SUCCESS)
        return NULL;
    text = adn_alloc((size_t)n + 1);
    if (text == NULL ||
        cudnnBackendGetAttribute(d, name, CUDNN_TYPE_CHAR, n, &n, text) == CUDNN_STATUS_SUCCESS)
        return text;
    adn_free(text);
    return NULL;
}

adn_status adn_dnn_props_create(const cuda_device *gpu, const char *json,
                                cudnnBackendDescriptor_t *out)
{
    cudnnBackendDescriptor_t props = NULL;
    adn_status st;

    CUDNN_TRY(st, gpu, cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &props),
              fail);
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(props, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                       CUDNN_TYPE_CHAR, (int64_t)strlen(json) + 1, json),
              fail);
    CUDNN_TRY(st, gpu, cudnnBackendFinalize(props), fail);
    *out = props;
    return ADN_OK;
fail:
    if (props != NULL) cudnnBackendDestroyDescriptor(props);
    return st;
}

/* The value's own text in a flat JSON object, where its name stands in quotes. Gives; NULL: it is
 * not there. */
static char *value_of(const char *json, const char *name)
{
    const char *at = strstr(json, name);

    if (at == NULL) return NULL;
    at += strlen(name);
    at += strspn(at, ": ");
    return adn_format("%.*s", (int)strcspn(at, ",}\n"), at);
}

/* What cuDNN itself asks of a GPU that loads a plan (another ordinal or slot will do), and the
 * model, whose memory and clocks its heuristics go by. */
static char *describe(cudnnBackendDescriptor_t props)
{
    char *json = adn_dnn_text(props, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION), *all = NULL;

    if (json == NULL) return NULL;
    char *model = value_of(json, "\"deviceName\""), *sm = value_of(json, "\"deviceVer\"");
    char *n_sm = value_of(json, "\"multiProcessorCount\"");
    char *driver = value_of(json, "\"driverVer\"");
    if (model != NULL && sm != NULL && n_sm != NULL && driver != NULL)
        all =
            adn_format("%s, capability %s, %s multiprocessors, driver %s", model, sm, n_sm, driver);
    adn_free(driver);
    adn_free(n_sm);
    adn_free(sm);
    adn_free(model);
    adn_free(json);
    return all;
}

/* A plan that was made without the GPU, or without what compiles, is none that it would get. */
static char *describe_absent(const dnn_target *target)
{
    char *model = describe(target->props), *all = NULL;

    if (model != NULL)
        all = adn_format("%s, not here%s", model,
                         target->gpu->planned.compiles ? "" : ", nothing is compiled");
    adn_free(model);
    return all;
}

char *adn_dnn_target_describe(const dnn_target *target)
{
    cudnnBackendDescriptor_t props = NULL;
    char *text = NULL;

    if (target->props != NULL) return describe_absent(target);
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &props) !=
        CUDNN_STATUS_SUCCESS)
        return NULL;
    if (cudnnBackendSetAttribute(props, CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, 1,
                                 &target->handle) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendFinalize(props) == CUDNN_STATUS_SUCCESS)
        text = describe(props);
    cudnnBackendDestroyDescriptor(props);
    return text;
}
