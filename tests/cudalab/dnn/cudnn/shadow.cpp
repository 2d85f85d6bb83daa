#include "shadow.h"
#include "../common/quiet.h"
#include <mutex>

namespace lab
{
namespace
{
// Never destroyed: programs end with descriptors alive, in any order.
struct Registry {
    QuietLock lock;
    std::map<cudnnBackendDescriptor_t, ShadowPtr> shadows;
};

Registry &registry()
{
    static Registry *const all = new Registry;
    return *all;
}

size_t bytes_of(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
        return 1;
    case CUDNN_TYPE_FRACTION:
        return sizeof(cudnnFraction_t);
    default:
        return 4; // enumerations, float and int32
    }
}
} // namespace

void shadow_create(cudnnBackendDescriptor_t descriptor, cudnnBackendDescriptorType_t type)
{
    auto shadow = std::make_shared<Shadow>();

    shadow->type = type;
    std::lock_guard<QuietLock> guard(registry().lock);
    registry().shadows[descriptor] = shadow;
}

void shadow_destroy(cudnnBackendDescriptor_t descriptor)
{
    std::lock_guard<QuietLock> guard(registry().lock);

    registry().shadows.erase(descriptor);
}

ShadowPtr shadow_of(cudnnBackendDescriptor_t descriptor)
{
    std::lock_guard<QuietLock> guard(registry().lock);
    const auto found = registry().shadows.find(descriptor);

    return found == registry().shadows.end() ? nullptr : found->second;
}

void shadow_set(Shadow &shadow, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                int64_t count, const void *elements)
{
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        std::vector<ShadowPtr> links;
        for (int64_t i = 0; i < count; i++)
            links.push_back(shadow_of(((const cudnnBackendDescriptor_t *)elements)[i]));
        shadow.links[name] = links;
    } else {
        const char *bytes = (const char *)elements;
        shadow.values[name].assign(bytes, bytes + (size_t)count * bytes_of(type));
    }
}

ShadowPtr link_of(const ShadowPtr &shadow, int name)
{
    const auto found = shadow->links.find(name);

    return found == shadow->links.end() || found->second.empty() ? nullptr : found->second[0];
}

double real_of(const ShadowPtr &shadow, int name, double by_default)
{
    const auto found = shadow->values.find(name);

    if (found == shadow->values.end()) return by_default;
    if (found->second.size() == sizeof(float)) return value_of<float>(shadow, name, 0);
    return value_of<double>(shadow, name, by_default);
}

Integers integers_of(const ShadowPtr &shadow, int name)
{
    const auto found = shadow->values.find(name);
    Integers integers;

    if (found != shadow->values.end()) {
        integers.resize(found->second.size() / sizeof(int64_t));
        memcpy(integers.data(), found->second.data(), integers.size() * sizeof(int64_t));
    }
    return integers;
}

Integers whole_fractions_of(const ShadowPtr &shadow, int name)
{
    const Integers parts = integers_of(shadow, name); // numerator, denominator, numerator, ...
    Integers wholes;

    for (size_t i = 0; i + 1 < parts.size(); i += 2) wholes.push_back(parts[i] / parts[i + 1]);
    return wholes;
}
} // namespace lab
