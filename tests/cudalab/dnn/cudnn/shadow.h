// The shadow of descriptors: the real library does not tell what a finished plan computes, so that
// everything the program sets in a descriptor is noted here, too, and a plan finds its graph again.
#pragma once
#include <cudnn.h>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

namespace lab
{
struct Shadow;
typedef std::shared_ptr<Shadow> ShadowPtr;
typedef std::vector<int64_t> Integers;

struct Shadow {
    cudnnBackendDescriptorType_t type;
    bool is_finished = false;
    std::map<int, std::vector<char>> values;     // attribute -> the bytes that were set
    std::map<int, std::vector<ShadowPtr>> links; // attribute -> the descriptors that were set
    ShadowPtr graph; // engine configurations and plans: what they compute
};

void shadow_create(cudnnBackendDescriptor_t descriptor, cudnnBackendDescriptorType_t type);
void shadow_destroy(cudnnBackendDescriptor_t descriptor);
ShadowPtr
shadow_of(cudnnBackendDescriptor_t descriptor); // null for one that the library made for itself
void shadow_set(Shadow &shadow, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                int64_t count, const void *elements);

// What was set; the default for what was not.
ShadowPtr link_of(const ShadowPtr &shadow, int name);                 // null if not set
double real_of(const ShadowPtr &shadow, int name, double by_default); // set as float or double
Integers integers_of(const ShadowPtr &shadow, int name);
Integers whole_fractions_of(const ShadowPtr &shadow, int name);
template <class T> T value_of(const ShadowPtr &shadow, int name, T by_default)
{
    const auto found = shadow->values.find(name);
    T value;

    if (found == shadow->values.end() || found->second.size() < sizeof value) return by_default;
    memcpy(&value, found->second.data(), sizeof value);
    return value;
}
} // namespace lab
