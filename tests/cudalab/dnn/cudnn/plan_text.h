// Plans as text: the real library's own, and behind it what the plan computes, so that another
// process can execute it.
#pragma once
#include "shadow.h"
#include <string>

namespace lab
{
std::string plan_text(const std::string &real, const ShadowPtr &graph);
// The graph of such a text, and where the real library's part ends; null if there is none in it.
ShadowPtr graph_of_plan_text(const std::string &text, size_t &real_size);
} // namespace lab
