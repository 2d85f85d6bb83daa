/* Groups. The mean of arrays that lie with several queues: each member forms it for a part of the
 * elements, in the members' order, and writes it everywhere. So all arrays hold the same bits,
 * however many threads a team has. */
#include <string.h>

#include "device/cpu/cpu.h"

typedef struct cpu_group {
    adn_group base;
    adn_queue *queues[ADN_MAX_REPLICAS];
    adn_event *done[ADN_MAX_REPLICAS]; /* member k's part of the last mean */
} cpu_group;

adn_status adn_cpu_group_create(adn_queue *const *queues, int n, adn_group **out)
{
    adn_status st = ADN_OK;
    cpu_group *g = adn_alloc(sizeof(*g));

    if (g == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a group");
    ADN_ASSERT(n >= 1 && n <= ADN_MAX_REPLICAS);
    g->base = (adn_group){queues[0]->dev, n};
    for (int k = 0; k < n; k++) {
        g->queues[k] = queues[k];
        ADN_TRY(st, adn_cpu_event_create(queues[k]->dev, &g->done[k]), fail);
    }
    *out = &g->base;
    return ADN_OK;
fail:
    adn_cpu_group_destroy(&g->base);
    return st;
}

void adn_cpu_group_destroy(adn_group *group)
{
    cpu_group *g = (cpu_group *)group;

    if (g == NULL) return;
    for (int k = 0; k < g->base.n; k++) adn_cpu_event_destroy(g->done[k]);
    adn_free(g);
}

/* Member k's first element: parts begin on cache lines, as the arrays do. */
static size_t part_of(size_t count, int n, int k, size_t line)
{
    return k == n ? count : count * (size_t)k / (size_t)n / line * line;
}

adn_status adn_cpu_group_mean(adn_group *group, adn_event *const *ready, void *const *arrays,
                              adn_type type, size_t count)
{
    cpu_group *g = (cpu_group *)group;
    int n = g->base.n;
    size_t line = 64 / adn_type_bytes(type);
    adn_cpu_mean m = {.n = n, .type = type};
    adn_status st = ADN_OK;

    memcpy(m.arrays, arrays, (size_t)n * sizeof(*arrays));
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) ADN_TRY(st, adn_cpu_event_wait(g->queues[k], ready[j]), done);
        m.first = part_of(count, n, k, line);
        m.end = part_of(count, n, k + 1, line);
        ADN_TRY(st, adn_cpu_queue_mean(g->queues[k], &m), done);
        ADN_TRY(st, adn_cpu_event_record(g->queues[k], g->done[k]), done);
    }
done:
    return st;
}

adn_status adn_cpu_group_join(adn_group *group)
{
    cpu_group *g = (cpu_group *)group;
    adn_status st = ADN_OK;

    for (int k = 0; k < g->base.n; k++)
        for (int j = 0; j < g->base.n; j++)
            ADN_TRY(st, adn_cpu_event_wait(g->queues[k], g->done[j]), done);
done:
    return st;
}

adn_status adn_cpu_group_send(adn_group *group, void *dst, const void *src, size_t bytes)
{
    cpu_group *g = (cpu_group *)group;
    adn_status st;

    ADN_ASSERT(g->base.n == 2);
    ADN_TRY(st, adn_cpu_event_record(g->queues[0], g->done[0]), done);
    ADN_TRY(st, adn_cpu_event_wait(g->queues[1], g->done[0]), done);
    ADN_TRY(st, adn_cpu_queue_copy(g->queues[1], dst, src, bytes), done);
    ADN_TRY(st, adn_cpu_event_record(g->queues[1], g->done[1]), done);
    st = adn_cpu_event_wait(g->queues[0], g->done[1]);
done:
    return st;
}

/* --- on the worker */

enum { STRIP = 256 }; /* elements whose sums stay in the first cache */

/* Sums are formed in the type of the arrays. */
#define DEFINE_MEAN(name, real)                                                                    \
    static void name(const adn_cpu_mean *m, size_t at, size_t n)                                   \
    {                                                                                              \
        real sum[STRIP];                                                                           \
        memcpy(sum, (const real *)m->arrays[0] + at, n * sizeof(*sum));                            \
        for (int k = 1; k < m->n; k++) {                                                           \
            const real *x = (const real *)m->arrays[k] + at;                                       \
            for (size_t i = 0; i < n; i++) sum[i] += x[i];                                         \
        }                                                                                          \
        for (size_t i = 0; i < n; i++) sum[i] /= (real)m->n;                                       \
        for (int k = 0; k < m->n; k++) memcpy((real *)m->arrays[k] + at, sum, n * sizeof(*sum));   \
    }
DEFINE_MEAN(mean_f32, float)
DEFINE_MEAN(mean_f64, double)

void adn_cpu_mean_run(const adn_cpu_mean *m)
{
    size_t n_strip = (m->end - m->first + STRIP - 1) / STRIP;

#pragma omp parallel for schedule(static)
    for (size_t s = 0; s < n_strip; s++) {
        size_t at = m->first + s * STRIP, n = ADN_MIN((size_t)STRIP, m->end - at);
        if (m->type == ADN_F64)
            mean_f64(m, at, n);
        else
            mean_f32(m, at, n);
    }
}
