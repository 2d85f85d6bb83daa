// What the lab's libraries may ask of its runtime: the stand-ins for cuDNN, cuBLAS and NCCL check
// with it the pointers that they are given. They look both names up when they run, so that they
// load without the lab, too; the names and their meaning are therefore a contract.
#pragma once
#include <cstddef>
#include <cstdint>

enum FakeKind { FAKE_DEVICE = 0, FAKE_PINNED = 1, FAKE_MANAGED = 2 };

struct FakeAlloc {
    uintptr_t base;
    size_t size;
    int dev;  // -1 for pinned host memory
    int kind; // of FakeKind
};

// The allocation that holds all of [p, p + n); false where there is none. out may be NULL.
bool fake_find(const void *p, size_t n, FakeAlloc *out);

// The device of the stream whose task this thread runs.
extern thread_local int fake_dev;
