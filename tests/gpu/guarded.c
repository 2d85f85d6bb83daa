/* Memory of the GPU between guard bytes. */
#include "guarded.h"

#include <check.h>

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

void guarded_must(cudaError_t e)
{
    if (e != cudaSuccess) ck_abort_msg("%s", cudaGetErrorString(e));
}

guarded guarded_put(const void *from, size_t bytes, size_t off)
{
    guarded g = {.bytes = bytes};
    guarded_must(cudaMalloc((void **)&g.base, bytes + off + 2 * GUARD));
    guarded_must(cudaMemset(g.base, GUARD_BYTE, bytes + off + 2 * GUARD));
    g.p = g.base + GUARD + off;
    if (from != NULL) guarded_must(cudaMemcpy(g.p, from, bytes, cudaMemcpyHostToDevice));
    return g;
}

void guarded_take(guarded g, void *to)
{
    unsigned char guard[2 * GUARD];
    size_t before = (size_t)((char *)g.p - g.base);

    guarded_must(cudaDeviceSynchronize());
    if (to != NULL) guarded_must(cudaMemcpy(to, g.p, g.bytes, cudaMemcpyDeviceToHost));
    guarded_must(cudaMemcpy(guard, g.base + before - GUARD, GUARD, cudaMemcpyDeviceToHost));
    guarded_must(cudaMemcpy(guard + GUARD, (char *)g.p + g.bytes, GUARD, cudaMemcpyDeviceToHost));
    for (size_t k = 0; k < sizeof(guard); k++)
        ck_assert_msg(guard[k] == GUARD_BYTE, "guard byte %zu", k);
    guarded_must(cudaFree(g.base));
}
