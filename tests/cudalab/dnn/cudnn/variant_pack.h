// The checks of an execution: what a variant pack must hold for a plan's graph. The real library
// checks little of it and computes on whatever lies at the addresses.
#pragma once
#include "graph.h"

namespace lab
{
struct Workspace {
    void *start;
    int64_t n_bytes; // of the plan; 0 if it needs none
};

// Are all operations emulated?
cudnnStatus_t check_operations(const std::vector<ShadowPtr> &operations);
// Notes where each tensor lies, the scalars' values too. Refuses a tensor without an address, and
// memory that is null, misaligned, too small, of another device or of the host; an output that
// overlaps another tensor.
cudnnStatus_t take_variant_pack(const ShadowPtr &pack, const std::vector<ShadowPtr> &operations,
                                const Workspace &workspace, Execution &execution);
} // namespace lab
