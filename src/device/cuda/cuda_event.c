/* Events: of one GPU, whose queues alone record them; any queue may wait. */
#include "device/cuda/cuda.h"

typedef struct cuda_event {
    adn_event base;
    const cuda_device *gpu; /* borrowed */
    cudaEvent_t event;
} cuda_event;

adn_status adn_cuda_event_create(adn_device *dev, adn_event **out)
{
    const cuda_device *gpu = (const cuda_device *)dev;
    adn_status st;
    cuda_event *e = adn_alloc(sizeof(*e));

    if (e == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for an event", gpu->name);
    e->base.dev = dev;
    e->gpu = gpu;
    CUDA_TRY(st, gpu, cudaSetDevice(gpu->conf.ordinal), fail);
    /* A host that waits sleeps: it runs two steps ahead, so it has the time. */
    CUDA_TRY(st, gpu,
             cudaEventCreateWithFlags(&e->event, cudaEventDisableTiming | cudaEventBlockingSync),
             fail);
    *out = &e->base;
    return ADN_OK;
fail:
    adn_cuda_event_destroy(&e->base);
    return st;
}

void adn_cuda_event_destroy(adn_event *event)
{
    cuda_event *e = (cuda_event *)event;

    if (e == NULL) return;
    if (e->event != NULL) cudaEventDestroy(e->event);
    adn_free(e);
}

adn_status adn_cuda_event_record(adn_queue *queue, adn_event *event)
{
    cuda_queue *q = (cuda_queue *)queue;
    cuda_event *e = (cuda_event *)event;
    adn_status st;

    ADN_ASSERT(q->gpu->conf.ordinal == e->gpu->conf.ordinal);
    CUDA_TRY(st, q->gpu, cudaSetDevice(q->gpu->conf.ordinal), done);
    CUDA_TRY(st, q->gpu, cudaEventRecord(e->event, q->stream), done);
    st = adn_cuda_idle_begin(q);
done:
    return st;
}

adn_status adn_cuda_event_wait(adn_queue *queue, adn_event *event)
{
    cuda_queue *q = (cuda_queue *)queue;
    cuda_event *e = (cuda_event *)event;
    adn_status st;

    CUDA_TRY(st, q->gpu, cudaSetDevice(q->gpu->conf.ordinal), done);
    ADN_TRY(st, adn_cuda_idle_begin(q), done);
    CUDA_TRY(st, q->gpu, cudaStreamWaitEvent(q->stream, e->event, 0), done);
done:
    return st;
}

adn_status adn_cuda_event_sync(adn_event *event)
{
    cuda_event *e = (cuda_event *)event;
    adn_status st;

    CUDA_TRY(st, e->gpu, cudaSetDevice(e->gpu->conf.ordinal), done);
    CUDA_TRY(st, e->gpu, cudaEventSynchronize(e->event), done);
done:
    return st;
}

/* A failure has happened too: who acts on the answer meets it at the next call. */
bool adn_cuda_event_query(const adn_event *event)
{
    const cuda_event *e = (const cuda_event *)event;
    return cudaEventQuery(e->event) != cudaErrorNotReady;
}
