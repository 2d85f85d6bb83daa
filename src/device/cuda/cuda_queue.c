/* A queue is a stream; its libraries' handles are made when the first plan asks for them. */
#include "device/cuda/cuda.h"

#include <nvtx3/nvToolsExt.h>

/* What NVIDIA advises for cuBLAS on Hopper; ours to give, so that no step allocates and results do
 * not depend on which streams share it. */
enum { BLAS_WORKSPACE = 32 << 20 };

adn_status adn_cuda_queue_create(adn_device *dev, const adn_queue_conf *conf, adn_queue **out)
{
    cuda_device *gpu = (cuda_device *)dev;
    adn_status st;
    cuda_queue *q = adn_alloc(sizeof(*q));

    if (q == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for a queue", gpu->name);
    q->base.dev = dev;
    q->base.conf = *conf;
    q->gpu = gpu;
    CUDA_TRY(st, gpu, cudaSetDevice(gpu->conf.ordinal), fail);
    CUDA_TRY(st, gpu, cudaStreamCreateWithFlags(&q->stream, cudaStreamNonBlocking), fail);
    ADN_TRY(st, adn_cuda_idle_begin(q), fail);
    *out = &q->base;
    return ADN_OK;
fail:
    adn_cuda_queue_destroy(&q->base);
    return st;
}

void adn_cuda_queue_destroy(adn_queue *queue)
{
    cuda_queue *q = (cuda_queue *)queue;

    if (q == NULL) return;
    if (cudaSetDevice(q->gpu->conf.ordinal) == cudaSuccess && q->stream != NULL)
        cudaStreamSynchronize(q->stream);
    adn_cuda_timer_clear(q, &q->copy_timer);
    adn_cuda_idle_clear(q);
    if (q->dnn != NULL) cudnnDestroy(q->dnn);
    if (q->blas != NULL) cublasDestroy(q->blas);
    if (q->blas_workspace != NULL) cudaFree(q->blas_workspace);
    if (q->stream != NULL) cudaStreamDestroy(q->stream);
    adn_free(q);
}

/* Of a GPU that is not here: it would be taken. */
static adn_status count_workspace(cuda_queue *q)
{
    adn_device *gpu = &q->gpu->base;

    if (q->blas_workspace != NULL) return ADN_OK;
    return gpu->ops->alloc(gpu, BLAS_WORKSPACE, &q->blas_workspace);
}

adn_status adn_cuda_queue_blas(cuda_queue *q)
{
    adn_status st = ADN_OK;

    if (q->gpu->props != NULL) return count_workspace(q);
    if (q->blas != NULL) return ADN_OK;
    CUBLAS_TRY(st, q->gpu, cublasCreate(&q->blas), done);
    CUBLAS_TRY(st, q->gpu, cublasSetStream(q->blas, q->stream), done);
    CUDA_TRY(st, q->gpu, cudaMalloc(&q->blas_workspace, BLAS_WORKSPACE), done);
    CUBLAS_TRY(st, q->gpu, cublasSetWorkspace(q->blas, q->blas_workspace, BLAS_WORKSPACE), done);
done:
    return st;
}

adn_status adn_cuda_queue_dnn(cuda_queue *q)
{
    adn_status st = ADN_OK;

    if (q->dnn != NULL) return ADN_OK;
    CUDNN_TRY(st, q->gpu, cudnnCreate(&q->dnn), done);
    CUDNN_TRY(st, q->gpu, cudnnSetStream(q->dnn, q->stream), done);
done:
    return st;
}

adn_status adn_cuda_queue_sync(adn_queue *queue)
{
    cuda_queue *q = (cuda_queue *)queue;
    adn_status st;

    CUDA_TRY(st, q->gpu, cudaSetDevice(q->gpu->conf.ordinal), done);
    CUDA_TRY(st, q->gpu, cudaStreamSynchronize(q->stream), done);
    st = adn_cuda_timers_collect(q);
done:
    return st;
}

adn_status adn_cuda_queue_profile(adn_queue *queue, adn_profile *out)
{
    cuda_queue *q = (cuda_queue *)queue;
    double wait_s = 0;
    adn_status st;

    ADN_TRY(st, adn_cuda_queue_sync(queue), done);
    ADN_TRY(st, adn_cuda_idle_look(q, &wait_s), done);
    *out = (adn_profile){.copies = q->copies, .copy_bytes = q->copy_bytes, .wait_s = wait_s};
done:
    return st;
}

/* A copy or a fill has been enqueued. */
static adn_status count_copy(cuda_queue *q, size_t bytes)
{
    q->copies.runs++;
    q->copy_bytes += (double)bytes;
    return adn_cuda_timer_end(q, &q->copy_timer);
}

void adn_cuda_range_begin(adn_queue *queue, const char *name)
{
    (void)queue;
    nvtxRangePushA(name);
}

void adn_cuda_range_end(adn_queue *queue)
{
    (void)queue;
    nvtxRangePop();
}

/* One call for all directions: an address says where it lies. */
adn_status adn_cuda_copy(adn_queue *queue, void *dst, const void *src, size_t bytes)
{
    cuda_queue *q = (cuda_queue *)queue;
    adn_status st = ADN_OK;

    if (bytes == 0) return ADN_OK;
    CUDA_TRY(st, q->gpu, cudaSetDevice(q->gpu->conf.ordinal), done);
    ADN_TRY(st, adn_cuda_idle_end(q), done);
    ADN_TRY(st, adn_cuda_timer_begin(q, &q->copy_timer, &q->copies), done);
    CUDA_TRY(st, q->gpu, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDefault, q->stream), done);
    st = count_copy(q, 2 * bytes);
done:
    return st;
}

adn_status adn_cuda_fill(adn_queue *queue, void *dst, int byte, size_t bytes)
{
    cuda_queue *q = (cuda_queue *)queue;
    adn_status st = ADN_OK;

    if (bytes == 0) return ADN_OK;
    CUDA_TRY(st, q->gpu, cudaSetDevice(q->gpu->conf.ordinal), done);
    ADN_TRY(st, adn_cuda_idle_end(q), done);
    ADN_TRY(st, adn_cuda_timer_begin(q, &q->copy_timer, &q->copies), done);
    CUDA_TRY(st, q->gpu, cudaMemsetAsync(dst, byte, bytes, q->stream), done);
    st = count_copy(q, bytes);
done:
    return st;
}
