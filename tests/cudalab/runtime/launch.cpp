// Kernel launches: what is refused at once, and the task that runs the kernel in its stream.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <vector>

#include "device.h"
#include "error.h"
#include "fault.h"
#include "fake.h"
#include "ptxi.h"
#include "registration.h"
#include "streams.h"

namespace lab
{

namespace
{

// The limits of compute capability 7.5 and later; shared memory as the largest GPU gives it.
const unsigned MAX_BLOCK_THREADS = 1024, MAX_BLOCK_Z = 64, MAX_GRID_YZ = 65535;
const size_t MAX_SHARED_BYTES = 227 * 1024;

// What <<<...>>> pushes and the kernel's stub pops.
struct CallConfiguration {
    dim3 grid, block;
    size_t shared_bytes;
    cudaStream_t stream;
};

std::vector<CallConfiguration> &configurations()
{
    static thread_local std::vector<CallConfiguration> pushed;
    return pushed;
}

cudaError_t check_shape(const char *name, dim3 grid, dim3 block, size_t shared_bytes)
{
    if (block.x == 0 || block.y == 0 || block.z == 0 || block.z > MAX_BLOCK_Z ||
        static_cast<uint64_t>(block.x) * block.y * block.z > MAX_BLOCK_THREADS)
        return fail(cudaErrorInvalidConfiguration, "kernel %s: a block of %u x %u x %u threads",
                    name, block.x, block.y, block.z);
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > MAX_GRID_YZ || grid.z > MAX_GRID_YZ)
        return fail(cudaErrorInvalidConfiguration, "kernel %s: a grid of %u x %u x %u blocks", name,
                    grid.x, grid.y, grid.z);
    if (shared_bytes > MAX_SHARED_BYTES)
        return fail(cudaErrorInvalidValue, "kernel %s: %zu bytes of shared memory", name,
                    shared_bytes);
    return cudaSuccess;
}

// A kernel that does what it must not ends the program: the words say which, and where.
void run_kernel(const ptxi::Launch &launch, dim3 grid, dim3 block, size_t shared_bytes)
{
    try {
        ptxi::run(launch, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes);
    } catch (const std::exception &error) {
        fprintf(stderr, "cudalab: %s\n", error.what());
        abort();
    }
}

cudaError_t launch_kernel(const Kernel *kernel, dim3 grid, dim3 block, void **args,
                          size_t shared_bytes, cudaStream_t handle)
{
    if (kernel == nullptr)
        return fail(cudaErrorInvalidDeviceFunction, "a launch of a kernel that nobody registered");
    const char *name = kernel->name.c_str();
    cudaError_t code = check_shape(name, grid, block, shared_bytes);
    if (code != cudaSuccess) return code;
    Stream *stream = find_stream(handle, name);
    if (stream == nullptr) return cudaPeekAtLastError();
    if (stream->device != current_device())
        return fail(cudaErrorInvalidResourceHandle,
                    "kernel %s: a stream of device %d, but the current device is %d", name,
                    stream->device, current_device());
    ptxi::Module *module = module_on_device(*kernel, stream->device);
    if (module == nullptr) return keep_error(cudaErrorNoKernelImageForDevice);

    // The arguments are copied now: the caller may overwrite them as soon as this returns.
    std::shared_ptr<ptxi::Launch> launch = ptxi::prepare(*module, name, args);
    if (!launch)
        return fail(cudaErrorInvalidDeviceFunction, "kernel %s is not in its module's PTX", name);
    submit(*stream, [=] { run_kernel(*launch, grid, block, shared_bytes); });
    return cudaSuccess;
}

// Whether a kernel of this thread's stream may touch [p, p + n): for the interpreter.
bool find_for_kernel(const void *p, size_t n_bytes, uintptr_t *base, size_t *size)
{
    FakeAlloc found;
    if (!fake_find(p, n_bytes, &found)) return false;
    if (found.kind == FAKE_DEVICE && found.dev != fake_dev && !has_peer_access(fake_dev, found.dev))
        return false;
    *base = found.base;
    *size = found.size;
    return true;
}

__attribute__((constructor)) void set_up_interpreter()
{
    ptxi::Options &options = ptxi::options();
    options.find_allocation = find_for_kernel;
    options.seed = static_cast<unsigned>(setting("CUDALAB_SEED", 0, 0, 1 << 30));
    options.racecheck = setting("CUDALAB_RACECHECK", 0, 0, 1) != 0;
    options.strict_barriers = setting("CUDALAB_STRICT", 0, 0, 1) != 0;
}

} // namespace

} // namespace lab

using namespace lab;

LAB_API unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared_bytes,
                                             cudaStream_t stream)
{
    configurations().push_back({grid, block, shared_bytes, stream});
    return 0;
}

LAB_API cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes,
                                               void *stream)
{
    if (configurations().empty())
        return fail(cudaErrorMissingConfiguration, "a kernel's stub called without <<<>>>");
    const CallConfiguration &pushed = configurations().back();
    *grid = pushed.grid;
    *block = pushed.block;
    *shared_bytes = pushed.shared_bytes;
    *static_cast<cudaStream_t *>(stream) = pushed.stream;
    configurations().pop_back();
    return cudaSuccess;
}

LAB_API cudaError_t __cudaGetKernel(void **kernel, const void *stub)
{
    const Kernel *found = find_kernel(stub);
    if (found == nullptr)
        return fail(cudaErrorInvalidDeviceFunction, "%p is no kernel that was registered", stub);
    *kernel = const_cast<Kernel *>(found);
    return cudaSuccess;
}

LAB_API cudaError_t __cudaLaunchKernel(void *kernel, dim3 grid, dim3 block, void **args,
                                       size_t shared_bytes, cudaStream_t stream)
{
    LAB_MAY_FAIL(cudaErrorUnknown);
    return launch_kernel(static_cast<const Kernel *>(kernel), grid, block, args, shared_bytes,
                         stream);
}

LAB_API cudaError_t cudaLaunchKernel(const void *stub, dim3 grid, dim3 block, void **args,
                                     size_t shared_bytes, cudaStream_t stream)
{
    LAB_MAY_FAIL(cudaErrorUnknown);
    return launch_kernel(find_kernel(stub), grid, block, args, shared_bytes, stream);
}
