/* The floors of this machine for a queue's team: multiply-adds from registers, copies of main
 * memory. */
#include <omp.h>
#include <string.h>

#include "device/cpu/amx_tile.h"
#include "device/cpu/fast.h"

enum {
    N_ROUND = 1 << 20,    /* rounds between two looks at the clock: some 10 ms */
    COPY_BYTES = 64 << 20 /* each way; beyond any last-level share of two cores */
};

struct rates_call {
    adn_rates *out;
    const adn_cpu_isa *isa;
    void *src, *dst;
};

/* Of a loop that makes so many a round. */
static double best_multiply_adds(float (*peak)(int rounds), double round)
{
    double best = 0;
    float sink = 0;
    for (int trial = 0; trial < 5; trial++) {
        double start = adn_cpu_work_s(omp_get_max_threads());
#pragma omp parallel reduction(+ : sink)
        sink += peak(N_ROUND);
        double macs = N_ROUND * round * omp_get_max_threads();
        best = ADN_MAX(best, macs / (adn_cpu_work_s(omp_get_max_threads()) - start));
    }
    return sink > 0 ? best : 0; /* the sums are positive: the loops cannot be left out */
}

static double best_copy(void *dst, const void *src)
{
    double best = 0;
    for (int trial = 0; trial < 5; trial++) {
        double start = adn_cpu_work_s(omp_get_max_threads());
#pragma omp parallel
        {
            size_t share = COPY_BYTES / (size_t)omp_get_num_threads();
            size_t at = share * (size_t)omp_get_thread_num();
            memcpy((char *)dst + at, (const char *)src + at, share);
        }
        best = ADN_MAX(best, 2.0 * COPY_BYTES / (adn_cpu_work_s(omp_get_max_threads()) - start));
    }
    return best;
}

static adn_status measure(void *user)
{
    struct rates_call *call = user;
    const adn_cpu_isa *isa = call->isa;
    adn_rates *out = call->out;

    out->macs_s = out->macs_bf16_s = best_multiply_adds(isa->peak, PEAK_CHAINS * isa->lanes);
    if (isa->peak_bf16 != NULL) out->macs_bf16_s = best_multiply_adds(isa->peak_bf16, STEP * SIDE);
    out->copy_bytes_s = best_copy(call->dst, call->src);
    return ADN_OK;
}

adn_status adn_cpu_queue_rates(adn_queue *q, adn_rates *out)
{
    struct rates_call call = {out, adn_cpu_queue_isa(q), adn_alloc(COPY_BYTES),
                              adn_alloc(COPY_BYTES)};
    adn_status st = ADN_NOMEM;

    if (call.src != NULL && call.dst != NULL)
        st = adn_cpu_queue_call(q, measure, &call);
    else
        st = ADN_FAIL(ADN_NOMEM, "cpu: no memory to measure copies");
    adn_free(call.src);
    adn_free(call.dst);
    return st;
}
