/* How long a queue's stream had nothing to do, or waited: an event where its work ends, before the
 * wait or behind what was recorded, and one where it goes on. Some gaps are under way at once, as
 * the host runs ahead; where that are too many, one is left out: the host waits for nothing. */
#include "device/cuda/cuda.h"

static adn_status collect_oldest(cuda_queue *q)
{
    cuda_idle *i = &q->idle;
    int at = (int)(i->n_collected % CUDA_N_GAP);
    adn_status st;
    float ms = 0;

    CUDA_TRY(st, q->gpu, cudaEventSynchronize(i->to[at]), done);
    CUDA_TRY(st, q->gpu, cudaEventElapsedTime(&ms, i->from[at], i->to[at]), done);
    i->seconds += (double)ms / 1000;
    i->n_collected++;
done:
    return st;
}

static adn_status record(cuda_queue *q, cudaEvent_t *event)
{
    adn_status st;

    if (*event == NULL) CUDA_TRY(st, q->gpu, cudaEventCreate(event), done);
    CUDA_TRY(st, q->gpu, cudaEventRecord(*event, q->stream), done);
done:
    return st;
}

adn_status adn_cuda_idle_begin(cuda_queue *q)
{
    cuda_idle *i = &q->idle;
    adn_status st = ADN_OK;

    if (i->is_open) return ADN_OK;
    if (i->n_gap - i->n_collected == CUDA_N_GAP) {
        if (cudaEventQuery(i->to[i->n_collected % CUDA_N_GAP]) == cudaErrorNotReady) return ADN_OK;
        ADN_TRY(st, collect_oldest(q), done);
    }
    ADN_TRY(st, record(q, &i->from[i->n_gap % CUDA_N_GAP]), done);
    i->is_open = true;
done:
    return st;
}

adn_status adn_cuda_idle_end(cuda_queue *q)
{
    cuda_idle *i = &q->idle;
    adn_status st = ADN_OK;

    if (!i->is_open) return ADN_OK;
    ADN_TRY(st, record(q, &i->to[i->n_gap % CUDA_N_GAP]), done);
    i->n_gap++;
    i->is_open = false;
done:
    return st;
}

adn_status adn_cuda_idle_look(cuda_queue *q, double *out)
{
    adn_status st = adn_cuda_idle_end(q);

    if (st == ADN_OK) st = adn_cuda_idle_begin(q);
    while (st == ADN_OK && q->idle.n_collected < q->idle.n_gap) st = collect_oldest(q);
    *out = q->idle.seconds;
    return st;
}

void adn_cuda_idle_clear(cuda_queue *q)
{
    for (int k = 0; k < CUDA_N_GAP; k++) {
        if (q->idle.from[k] != NULL) cudaEventDestroy(q->idle.from[k]);
        if (q->idle.to[k] != NULL) cudaEventDestroy(q->idle.to[k]);
    }
    q->idle = (cuda_idle){0};
}
