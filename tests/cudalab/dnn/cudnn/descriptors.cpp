// The descriptor calls: passed to the real library, noted in the shadow. Where a program gives its
// handle, the real library gets the GPU model's properties instead.
#include "../common/race.h"
#include "handle.h"
#include "plan_text.h"
#include "real.h"
#include "shadow.h"
#include <algorithm>

namespace
{
using lab::ShadowPtr;

cudnnStatus_t set_handle(cudnnBackendDescriptor_t descriptor, const ShadowPtr &shadow,
                         cudnnBackendAttributeName_t name, int64_t count, const void *elements)
{
    if (count != 1 || !elements || !lab::handle_of(*(const cudnnHandle_t *)elements))
        return lab::refuse(CUDNN_STATUS_BAD_PARAM, "SetAttribute %d: not a handle", (int)name);
    switch ((int)name) {
    case CUDNN_ATTR_OPERATIONGRAPH_HANDLE:
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_EXECUTION_PLAN_HANDLE: {
        const cudnnBackendDescriptor_t model = lab::gpu_model();
        if (shadow) shadow->values[name] = {1};
        return LAB_REAL(cudnnBackendSetAttribute)(descriptor, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                                  CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &model);
    }
    case CUDNN_ATTR_DEVICEPROP_HANDLE:
        return lab::set_gpu_model(descriptor);
    default:
        return lab::refuse(CUDNN_STATUS_NOT_SUPPORTED, "SetAttribute: handle attribute %d",
                           (int)name);
    }
}

// What needs a GPU and was given none gets the model.
void complete(cudnnBackendDescriptor_t descriptor, const ShadowPtr &shadow)
{
    const cudnnBackendDescriptor_t model = lab::gpu_model();
    cudnnBackendAttributeName_t name;

    switch (shadow->type) {
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        name = CUDNN_ATTR_ENGINEHEUR_DEVICEPROP;
        break;
    case CUDNN_BACKEND_ENGINE_DESCRIPTOR:
        name = CUDNN_ATTR_ENGINE_DEVICEPROP;
        break;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        if (shadow->values.count(CUDNN_ATTR_EXECUTION_PLAN_HANDLE)) return;
        name = CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP;
        break;
    default:
        return;
    }
    if (!shadow->links.count(name)) LAB_REAL(cudnnBackendSetAttribute)
    (descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &model);
}

// A plan's graph: its engine configuration's, which came from a heuristic or names an engine.
ShadowPtr graph_of_plan(const ShadowPtr &plan)
{
    const ShadowPtr configuration = lab::link_of(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);

    if (!configuration) return nullptr;
    if (configuration->graph) return configuration->graph;
    const ShadowPtr engine = lab::link_of(configuration, CUDNN_ATTR_ENGINECFG_ENGINE);
    return engine ? lab::link_of(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH) : nullptr;
}

// The real library's own refusal is the last error, not an older one of ours.
cudnnStatus_t real_status(cudnnStatus_t status)
{
    if (status != CUDNN_STATUS_SUCCESS) lab::forget_refusal();
    return status;
}

// The real library fills in descriptors of the program: their shadows learn which graph they are
// for.
void note_answer(const ShadowPtr &shadow, cudnnBackendAttributeName_t name, int64_t count,
                 const void *elements)
{
    const auto *descriptors = (const cudnnBackendDescriptor_t *)elements;

    if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS) {
        const ShadowPtr graph = lab::link_of(shadow, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
        for (int64_t i = 0; i < count; i++)
            if (const ShadowPtr result = lab::shadow_of(descriptors[i])) result->graph = graph;
    }
    if (name == CUDNN_ATTR_ENGINECFG_ENGINE && shadow->graph)
        if (const ShadowPtr engine = lab::shadow_of(descriptors[0]))
            engine->links[CUDNN_ATTR_ENGINE_OPERATION_GRAPH] = {shadow->graph};
}

// Gives the plan's text with its graph.
cudnnStatus_t get_plan_text(cudnnBackendDescriptor_t plan, const ShadowPtr &graph,
                            int64_t max_count, int64_t *count, void *elements)
{
    const auto get = LAB_REAL(cudnnBackendGetAttribute);
    const auto name = CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION;
    int64_t size = 0;
    cudnnStatus_t status = real_status(get(plan, name, CUDNN_TYPE_CHAR, 0, &size, nullptr));
    std::string real((size_t)size, 0);

    if (status == CUDNN_STATUS_SUCCESS)
        status = real_status(get(plan, name, CUDNN_TYPE_CHAR, size, &size, &real[0]));
    if (status != CUDNN_STATUS_SUCCESS) return status;
    const std::string text = lab::plan_text(real.c_str(), graph);
    if (count) *count = (int64_t)text.size();
    if (elements) memcpy(elements, text.data(), std::min((size_t)max_count, text.size()));
    return CUDNN_STATUS_SUCCESS;
}

// Of this text the real library reads its own part.
cudnnStatus_t set_plan_text(cudnnBackendDescriptor_t plan, const ShadowPtr &shadow, int64_t count,
                            const void *elements)
{
    const std::string text((const char *)elements, strnlen((const char *)elements, (size_t)count));
    size_t real_size = 0;
    const ShadowPtr graph = lab::graph_of_plan_text(text, real_size);

    if (!graph)
        return lab::refuse(CUDNN_STATUS_NOT_SUPPORTED,
                           "SetAttribute: a plan's text without its graph (not of the lab?)");
    if (shadow) shadow->graph = graph;
    return real_status(LAB_REAL(cudnnBackendSetAttribute)(
        plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
        (int64_t)real_size + 1, text.substr(0, real_size).c_str()));
}
} // namespace

LAB_API cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                                   cudnnBackendDescriptor_t *descriptor)
{
    lab::Unseen unseen;
    const cudnnStatus_t status =
        real_status(LAB_REAL(cudnnBackendCreateDescriptor)(type, descriptor));

    if (status == CUDNN_STATUS_SUCCESS) lab::shadow_create(*descriptor, type);
    return status;
}

LAB_API cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
    lab::Unseen unseen;

    lab::shadow_destroy(descriptor);
    return real_status(LAB_REAL(cudnnBackendDestroyDescriptor)(descriptor));
}

LAB_API cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                               cudnnBackendAttributeName_t name,
                                               cudnnBackendAttributeType_t type, int64_t count,
                                               const void *elements)
{
    lab::Unseen unseen;
    const ShadowPtr shadow = lab::shadow_of(descriptor);

    if (type == CUDNN_TYPE_HANDLE) return set_handle(descriptor, shadow, name, count, elements);
    if (name == CUDNN_ATTR_DEVICEPROP_DEVICE_ID) return lab::set_gpu_model(descriptor);
    if (name == CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION && elements)
        return set_plan_text(descriptor, shadow, count, elements);
    const cudnnStatus_t status =
        real_status(LAB_REAL(cudnnBackendSetAttribute)(descriptor, name, type, count, elements));
    if (status == CUDNN_STATUS_SUCCESS && shadow && elements)
        lab::shadow_set(*shadow, name, type, count, elements);
    return status;
}

LAB_API cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
    lab::Unseen unseen;
    const ShadowPtr shadow = lab::shadow_of(descriptor);

    if (shadow) complete(descriptor, shadow);
    const cudnnStatus_t status = real_status(LAB_REAL(cudnnBackendFinalize)(descriptor));
    if (status != CUDNN_STATUS_SUCCESS || !shadow) return status;
    shadow->is_finished = true;
    if (shadow->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR && !shadow->graph)
        shadow->graph = graph_of_plan(shadow);
    return status;
}

LAB_API cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor,
                                               cudnnBackendAttributeName_t name,
                                               cudnnBackendAttributeType_t type, int64_t max_count,
                                               int64_t *count, void *elements)
{
    lab::Unseen unseen;
    int64_t n_found = 0; // the caller may not ask
    const ShadowPtr shadow = lab::shadow_of(descriptor);

    if (name == CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION && shadow && shadow->graph)
        return get_plan_text(descriptor, shadow->graph, max_count, count, elements);
    const cudnnStatus_t status = real_status(
        LAB_REAL(cudnnBackendGetAttribute)(descriptor, name, type, max_count, &n_found, elements));
    if (count) *count = n_found;
    if (status == CUDNN_STATUS_SUCCESS && shadow && elements)
        note_answer(shadow, name, n_found < max_count ? n_found : max_count, elements);
    return status;
}
