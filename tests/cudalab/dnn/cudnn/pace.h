// Which plan is the fastest, when a test says so.
#pragma once
#include "shadow.h"

namespace lab
{
// Whether this execution of the plan takes longer.
bool is_slow(const ShadowPtr &plan);
} // namespace lab
