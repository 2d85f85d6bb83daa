// The container in which nvcc embeds a program's device code.
#pragma once
#include <string>

namespace lab
{

// The first PTX text of the fat binary that `wrapper` (what __cudaRegisterFatBinary gets) points
// to; empty where there is none, with a word on stderr if it is only unreadable.
std::string ptx_of_fatbin(const void *wrapper);

} // namespace lab
