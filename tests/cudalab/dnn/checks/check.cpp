#include "check.h"
#include <algorithm>
#include <cmath>
#include <cstdio>

namespace check
{
namespace
{
int n_failed = 0;
}

bool that(bool is_so, const std::string &name, const std::string &why)
{
    if (is_so)
        printf("ok: %s\n", name.c_str());
    else
        printf("FAILED: %s%s%s\n", name.c_str(), why.empty() ? "" : ": ", why.c_str());
    fflush(stdout); // an emulated library may end the program
    n_failed += !is_so;
    return is_so;
}

void close(const std::string &name, const Numbers &got, const Numbers &expected, double tolerance)
{
    double difference = 0, magnitude = 0;

    for (size_t i = 0; i < expected.size() && i < got.size(); i++) {
        const double here = std::fabs(got[i] - expected[i]);
        difference = std::isnan(here) ? INFINITY : std::max(difference, here);
        magnitude = std::max(magnitude, std::fabs(expected[i]));
    }
    that(got.size() == expected.size() && magnitude > 0 && difference <= tolerance * magnitude,
         name, "differs by " + std::to_string(difference) + " of " + std::to_string(magnitude));
}

int status()
{
    return n_failed == 0 ? 0 : 1;
}
} // namespace check
