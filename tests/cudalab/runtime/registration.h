// What a program registers before main: its modules of device code, their kernels and variables.
#pragma once
#include <string>

namespace ptxi
{
struct Module;
}

namespace lab
{

class FatModule;

struct Kernel {
    FatModule *module;
    std::string name; // mangled, as in the PTX
};

// The kernel of a host-side stub; NULL where none was registered.
const Kernel *find_kernel(const void *stub);

// The kernel's module as the device has it; NULL, and a word on stderr, where there is no PTX that
// the interpreter reads.
ptxi::Module *module_on_device(const Kernel &kernel, int device);

// Where the current device keeps a __device__ or __constant__ variable; NULL where none was
// registered.
void *symbol_address(const void *symbol, size_t *n_bytes);

} // namespace lab
