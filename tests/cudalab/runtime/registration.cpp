// __cudaRegister*: called by code that nvcc adds to the program.
#include "registration.h"

#include <cstdio>
#include <exception>
#include <map>

#include "device.h"
#include "error.h"
#include "fatbin.h"
#include "memory.h"
#include "ptxi.h"
#include "quiet.h"

namespace lab
{

// Each device loads the module for itself, when first asked: device variables are a device's own.
class FatModule
{
  public:
    explicit FatModule(std::string text) : ptx(std::move(text))
    {
    }
    ptxi::Module *on_device(int device);

  private:
    const std::string ptx;
    QuietLock lock;
    ptxi::Module *loaded[MAX_DEVICES] = {};
};

namespace
{

struct Variable {
    FatModule *module;
    std::string name;
    size_t n_bytes;
};

// Filled before main, by one thread; only read afterwards.
struct Registry {
    std::map<const void *, Kernel> kernels;
    std::map<const void *, Variable> variables;
};

Registry &registry()
{
    static Registry *registered = new Registry; // registration may precede our own static objects
    return *registered;
}

} // namespace

ptxi::Module *FatModule::on_device(int device)
{
    QuietGuard guard(lock);
    if (loaded[device] == nullptr && !ptx.empty()) {
        try {
            loaded[device] = ptxi::load(ptx.c_str());
        } catch (const std::exception &error) {
            fprintf(stderr, "cudalab: %s\n", error.what());
            return nullptr;
        }
        for (const ptxi::Variable &variable : ptxi::variables(*loaded[device]))
            track_symbol(variable.address, variable.n_bytes, device);
    }
    return loaded[device];
}

const Kernel *find_kernel(const void *stub)
{
    auto place = registry().kernels.find(stub);
    return place == registry().kernels.end() ? nullptr : &place->second;
}

ptxi::Module *module_on_device(const Kernel &kernel, int device)
{
    ptxi::Module *module = kernel.module->on_device(device);
    if (module == nullptr)
        fprintf(stderr, "cudalab: there is no PTX for kernel %s\n", kernel.name.c_str());
    return module;
}

void *symbol_address(const void *symbol, size_t *n_bytes)
{
    auto place = registry().variables.find(symbol);
    if (place == registry().variables.end()) return nullptr;
    const Variable &variable = place->second;
    ptxi::Module *module = variable.module->on_device(current_device());
    *n_bytes = variable.n_bytes;
    return module ? ptxi::symbol(*module, variable.name.c_str()) : nullptr;
}

} // namespace lab

using namespace lab;

LAB_API void **__cudaRegisterFatBinary(void *wrapper)
{
    return reinterpret_cast<void **>(new FatModule(ptx_of_fatbin(wrapper)));
}

LAB_API void __cudaRegisterFatBinaryEnd(void **)
{
}

LAB_API void __cudaUnregisterFatBinary(void **)
{
}

LAB_API char __cudaInitModule(void **)
{
    return 1;
}

LAB_API void __cudaRegisterFunction(void **module, const char *stub, char *, const char *name, int,
                                    void *, void *, void *, void *, int *)
{
    registry().kernels[stub] = {reinterpret_cast<FatModule *>(module), name};
}

LAB_API void __cudaRegisterVar(void **module, char *symbol, char *, const char *name, int,
                               size_t n_bytes, int, int)
{
    registry().variables[symbol] = {reinterpret_cast<FatModule *>(module), name, n_bytes};
}
