#include "values.h"
#include "quiet.h"
#include <mutex>

namespace lab
{
namespace
{
const size_t smallest_kept = 4096; // malloc does not return less to the kernel each time

// By powers of two: the layers of a network share them. Never destroyed: streams outlive main.
struct Store {
    QuietLock lock;
    std::vector<void *> blocks[64];
};

Store &store()
{
    static Store *const all = new Store;
    return *all;
}

int class_of(size_t n_bytes)
{
    return 64 - __builtin_clzll(n_bytes - 1); // the first power of two that is not less
}
} // namespace

void *take_block(size_t n_bytes)
{
    if (n_bytes < smallest_kept) return ::operator new(n_bytes);
    std::lock_guard<QuietLock> guard(store().lock);
    std::vector<void *> &blocks = store().blocks[class_of(n_bytes)];

    if (blocks.empty()) return ::operator new((size_t)1 << class_of(n_bytes));
    void *block = blocks.back();
    blocks.pop_back();
    return block;
}

void give_block(void *block, size_t n_bytes)
{
    if (n_bytes < smallest_kept) {
        ::operator delete(block);
        return;
    }
    std::lock_guard<QuietLock> guard(store().lock);
    store().blocks[class_of(n_bytes)].push_back(block);
}
} // namespace lab
