// What a check says: a line `ok: name` for each thing that holds, `FAILED: name` for what does not.
#pragma once
#include <string>
#include <vector>

namespace check
{
typedef std::vector<double> Numbers;

bool that(bool is_so, const std::string &name, const std::string &why = "");
// The largest difference over the largest expected magnitude. NaN never passes.
void close(const std::string &name, const Numbers &got, const Numbers &expected, double tolerance);
int status(); // of the program
} // namespace check
