/* What a queue's GPU reaches at best: the floors of a benchmark. */
#include "device/cuda/cuda.h"

/* Long enough that launching does not count. */
static const double long_enough_s = 0.1;
enum { SIDE_LEAST = 128, SIDE_MOST = 8192 };
static const size_t copy_least = (size_t)1 << 20, copy_most = (size_t)1 << 30;

typedef struct bench {
    cuda_queue *q;
    cudaEvent_t from, to;
    void *a, *b, *c;
    size_t size; /* what one run works on */
    adn_type factor;
} bench;

/* Seconds of a run, behind one that is not counted: the first chooses a kernel. */
static adn_status measure(bench *t, adn_status (*run)(bench *t), double *out_s)
{
    const cuda_device *gpu = t->q->gpu;
    adn_status st;
    float ms = 0;

    ADN_TRY(st, run(t), done);
    CUDA_TRY(st, gpu, cudaEventRecord(t->from, t->q->stream), done);
    ADN_TRY(st, run(t), done);
    CUDA_TRY(st, gpu, cudaEventRecord(t->to, t->q->stream), done);
    CUDA_TRY(st, gpu, cudaEventSynchronize(t->to), done);
    CUDA_TRY(st, gpu, cudaEventElapsedTime(&ms, t->from, t->to), done);
    *out_s = ADN_MAX((double)ms, 1e-6) / 1000;
done:
    return st;
}

static adn_status multiply(bench *t)
{
    int side = (int)t->size;
    cuda_product p = {.m = side,
                      .n = side,
                      .k = side,
                      .factor = t->factor,
                      .result = t->factor,
                      .op_a = CUBLAS_OP_N,
                      .op_b = CUBLAS_OP_N};
    return adn_cuda_multiply(t->q, &p, t->a, t->b, t->c);
}

static adn_status copy(bench *t)
{
    return adn_cuda_copy(&t->q->base, t->b, t->a, t->size);
}

static adn_status take(bench *t, size_t bytes, void **out)
{
    adn_status st;

    CUDA_TRY(st, t->q->gpu, cudaMalloc(out, bytes), done);
    /* Small numbers of either type: zeros would cost a GPU less power than a net's. */
    CUDA_TRY(st, t->q->gpu, cudaMemsetAsync(*out, 0x3c, bytes, t->q->stream), done);
done:
    return st;
}

static void give_all(bench *t)
{
    cudaFree(t->a);
    cudaFree(t->b);
    cudaFree(t->c);
    t->a = t->b = t->c = NULL;
}

static adn_status rate_of_products(bench *t, double *out)
{
    adn_status st = ADN_OK;
    double seconds = 0;

    for (t->size = SIDE_LEAST; t->size <= SIDE_MOST && seconds < long_enough_s; t->size *= 2) {
        size_t bytes = t->size * t->size * adn_type_bytes(t->factor);
        ADN_TRY(st, take(t, bytes, &t->a), done);
        ADN_TRY(st, take(t, bytes, &t->b), done);
        ADN_TRY(st, take(t, bytes, &t->c), done);
        ADN_TRY(st, measure(t, multiply, &seconds), done);
        *out = ADN_MAX(*out, (double)t->size * (double)t->size * (double)t->size / seconds);
        give_all(t);
    }
done:
    give_all(t);
    return st;
}

static adn_status rate_of_copies(bench *t, double *out)
{
    adn_status st = ADN_OK;
    double seconds = 0;

    for (t->size = copy_least; t->size <= copy_most && seconds < long_enough_s / 100;
         t->size *= 4) {
        ADN_TRY(st, take(t, t->size, &t->a), done);
        ADN_TRY(st, take(t, t->size, &t->b), done);
        ADN_TRY(st, measure(t, copy, &seconds), done);
        *out = 2 * (double)t->size / seconds; /* of the largest: the others fit in the L2 cache */
        give_all(t);
    }
done:
    give_all(t);
    return st;
}

adn_status adn_cuda_queue_rates(adn_queue *queue, adn_rates *out)
{
    bench t = {.q = (cuda_queue *)queue, .factor = ADN_F32};
    const cuda_device *gpu = t.q->gpu;
    adn_rates rates = {0};
    adn_status st;

    CUDA_TRY(st, gpu, cudaSetDevice(gpu->conf.ordinal), done);
    ADN_TRY(st, adn_cuda_queue_blas(t.q), done); /* no plan may have asked for it yet */
    CUDA_TRY(st, gpu, cudaEventCreate(&t.from), done);
    CUDA_TRY(st, gpu, cudaEventCreate(&t.to), done);
    ADN_TRY(st, rate_of_products(&t, &rates.macs_s), done);
    t.factor = ADN_BF16;
    ADN_TRY(st, rate_of_products(&t, &rates.macs_bf16_s), done);
    ADN_TRY(st, rate_of_copies(&t, &rates.copy_bytes_s), done);
    *out = rates;
done:
    if (t.from != NULL) cudaEventDestroy(t.from);
    if (t.to != NULL) cudaEventDestroy(t.to);
    return st;
}
