// %tid, %ctaid and their like.
#pragma once
#include <string>

#include "machine.h"

namespace ptxi
{

// The number of a special register; -1 where no such name is known.
int find_special_register(const std::string &name);
uint64_t special_register_value(int number, const Warp &warp, int lane);

} // namespace ptxi
