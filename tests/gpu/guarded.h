/* Memory of the GPU between guard bytes, for launchers that are called by themselves. */
#ifndef ADN_TEST_GUARDED_H
#define ADN_TEST_GUARDED_H

#include <cuda_runtime_api.h>
#include <stddef.h>

typedef struct guarded {
    char *base; /* on the device */
    void *p;
    size_t bytes;
} guarded;

void guarded_must(cudaError_t e); /* fails the test, unless the call succeeded */
/* `bytes` from the host's `from` (NULL: guard bytes), `off` bytes behind what is aligned. */
guarded guarded_put(const void *from, size_t bytes, size_t off);
/* Waits for the GPU; its bytes to the host (NULL: nowhere), and its guards looked at; then freed.
 */
void guarded_take(guarded g, void *to);

#endif
