#pragma once
#include <cuda_runtime_api.h>
#include <functional>
#include <cstdint>
struct FakeAlloc {
    uintptr_t base;
    size_t size;
    int dev, kind;
};
bool fake_find(const void *p, size_t n, FakeAlloc *out); // the allocation that holds [p, p+n)
extern thread_local int fake_dev;                        // device of the running task
// a host kernel: given the launch's argument pointers, copies them and returns the body to run in
// the stream
typedef std::function<std::function<void(dim3, dim3, size_t)>(void **args)> FakeHostKernel;
void fake_register_host_kernel(const char *mangled, FakeHostKernel k);
struct FakePtx {
    void *(*load)(const char *ptx);
    void *(*prepare)(void *mod, const char *name, void **args);
    void (*run)(void *launch, dim3 g, dim3 b, size_t smem);
    void *(*symbol)(void *mod, const char *name, int dev);
};
extern FakePtx *fake_ptx;
