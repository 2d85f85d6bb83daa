// The runner of the checks, and what they share.
#include "check.h"

#include <cmath>
#include <cstdarg>
#include <cstdlib>
#include <random>

namespace check
{

namespace
{

struct Check {
    const char *name;
    void (*body)();
};

std::vector<Check> &checks()
{
    static std::vector<Check> registered;
    return registered;
}

std::mt19937 generator(123);
int n_failure_here;

} // namespace

Registration::Registration(const char *name, void (*body)())
{
    checks().push_back({name, body});
}

void expect(bool holds, const char *format, ...)
{
    if (holds) return;
    n_failure_here++;
    va_list args;
    va_start(args, format);
    fputs("    ", stdout);
    vprintf(format, args);
    fputc('\n', stdout);
    va_end(args);
}

void must(cudaError_t code, const char *call)
{
    if (code == cudaSuccess) return;
    printf("FAILED: %s: %s\n", call, cudaGetErrorString(code));
    exit(EXIT_FAILURE);
}

std::vector<float> random_normal(size_t n, float scale)
{
    std::normal_distribution<float> distribution(0, scale);
    std::vector<float> values(n);
    for (float &value : values) value = distribution(generator);
    return values;
}

int random_int(int n)
{
    return static_cast<int>(generator() % static_cast<unsigned>(n));
}

double largest_error(const std::vector<float> &a, const std::vector<double> &b)
{
    double largest = 0;
    for (size_t i = 0; i < a.size(); i++) {
        double error = std::fabs(a[i] - b[i]) / (1e-3 + std::fabs(b[i]));
        if (!(error <= largest)) largest = error;
    }
    return largest;
}

} // namespace check

int main()
{
    int n_failed = 0;
    for (const check::Check &check : check::checks()) {
        check::n_failure_here = 0;
        check.body();
        bool is_ok = check::n_failure_here == 0;
        printf("%s: %s\n", is_ok ? "ok" : "FAILED", check.name);
        fflush(stdout);
        n_failed += !is_ok;
    }
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
