// An interpreter of the PTX that nvcc writes (compute_75), written from NVIDIA's PTX ISA manual. It
// runs a grid block by block, warp by warp, with an active mask. What it does not know it refuses:
// no instruction is guessed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace ptxi
{

struct Module;

struct Dim {
    unsigned x = 1, y = 1, z = 1;
};

// Whether a kernel may touch [p, p + n), and the allocation's range if so.
using FindAllocation = bool (*)(const void *p, size_t n, uintptr_t *base, size_t *size);

// Set before the first run, and then only read.
struct Options {
    FindAllocation find_allocation = nullptr; // NULL: global addresses are not checked
    unsigned seed =
        0; // not 0: warps take turns in random order, for random numbers of instructions
    bool racecheck = false; // races in shared memory end the run
    bool strict_barriers =
        false; // __syncthreads must be one place in the code, met by all the block's threads
};
Options &options();

// All throw std::runtime_error, with what was wrong and where: line and text of the PTX, line of
// the source, and for a run also kernel, block and thread.

Module *load(const char *ptx); // lives as long as the process

struct Variable {
    void *address;
    size_t n_bytes;
};
std::vector<Variable> variables(const Module &module); // __device__ and __constant__
void *symbol(const Module &module,
             const char *name); // where a variable is; NULL where there is none

// A kernel with its arguments. NULL where the module has no such kernel.
struct Launch {
    Module *module;
    size_t function;
    std::vector<unsigned char> params;
};
std::shared_ptr<Launch> prepare(Module &module, const char *kernel, void **args);
void run(const Launch &launch, Dim grid, Dim block, size_t dynamic_shared_bytes);

} // namespace ptxi
