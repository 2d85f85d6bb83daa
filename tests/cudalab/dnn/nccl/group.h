// Groups: calls and joinings gathered in a thread until its outermost ncclGroupEnd, then begun
// together.
#pragma once
#include "communicator.h"

namespace lab
{
bool is_in_group();
ncclResult_t join_with_group(const Joining &joining);
// Checks a call; begins it, or keeps it for its group's end.
ncclResult_t issue(Call call);
} // namespace lab
