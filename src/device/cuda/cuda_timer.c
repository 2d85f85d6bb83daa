/* How long work of a timed queue takes: an event before it and one behind it. */
#include "device/cuda/cuda.h"

static adn_status collect(cuda_queue *q, cuda_timer *t)
{
    adn_status st = ADN_OK;
    float ms = 0;

    if (!t->is_pending) return ADN_OK;
    t->is_pending = false;
    CUDA_TRY(st, q->gpu, cudaEventSynchronize(t->to), done);
    CUDA_TRY(st, q->gpu, cudaEventElapsedTime(&ms, t->from, t->to), done);
    t->tally->seconds += (double)ms / 1000;
done:
    return st;
}

adn_status adn_cuda_timer_begin(cuda_queue *q, cuda_timer *t, adn_tally *tally)
{
    adn_status st = ADN_OK;

    if (!q->base.conf.is_timed) return ADN_OK;
    ADN_TRY(st, collect(q, t), done);
    if (t->from == NULL) CUDA_TRY(st, q->gpu, cudaEventCreate(&t->from), done);
    if (t->to == NULL) {
        CUDA_TRY(st, q->gpu, cudaEventCreate(&t->to), done);
        t->tally = tally;
        t->next = q->timers;
        q->timers = t;
    }
    CUDA_TRY(st, q->gpu, cudaEventRecord(t->from, q->stream), done);
done:
    return st;
}

adn_status adn_cuda_timer_end(cuda_queue *q, cuda_timer *t)
{
    adn_status st = ADN_OK;

    if (!q->base.conf.is_timed) return ADN_OK;
    CUDA_TRY(st, q->gpu, cudaEventRecord(t->to, q->stream), done);
    t->is_pending = true;
done:
    return st;
}

adn_status adn_cuda_timers_collect(cuda_queue *q)
{
    adn_status st = ADN_OK;
    for (cuda_timer *t = q->timers; t != NULL && st == ADN_OK; t = t->next) st = collect(q, t);
    return st;
}

void adn_cuda_timer_clear(cuda_queue *q, cuda_timer *t)
{
    for (cuda_timer **at = &q->timers; *at != NULL; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            break;
        }
    if (t->from != NULL) cudaEventDestroy(t->from);
    if (t->to != NULL) cudaEventDestroy(t->to);
    *t = (cuda_timer){0};
}
