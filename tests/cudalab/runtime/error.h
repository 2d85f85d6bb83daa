// Errors of the runtime: told on stderr where they are seen, and kept as CUDA keeps them.
#pragma once
#include <cuda_runtime_api.h>

#define LAB_API extern "C" __attribute__((visibility("default")))

namespace lab
{

// Says "cudalab: <text>", keeps code as the thread's last error and returns it.
cudaError_t fail(cudaError_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Keeps code without a word: for answers that programs expect, such as "there is no device".
cudaError_t keep_error(cudaError_t code);

// A setting from the environment, which has one family of names, CUDALAB_*; ends the program where
// it is no number in [low, high].
int setting(const char *name, int by_default, int low, int high);

} // namespace lab
