/* The floors of this machine for a queue's team: multiply-adds from registers, copies of main
 * memory. */
#include <omp.h>
#include <string.h>

#include "device/cpu/cpu.h"

enum {
    N_ACC = 10, /* independent sums: at least latency times issue width, at most the registers */
    N_ROUND = 1 << 21,    /* rounds between two looks at the clock: some 10 ms */
    COPY_BYTES = 64 << 20 /* each way; beyond any last-level share of two cores */
};

/* The widest vectors that the processor has, from one source. */
#define MULTIPLY_ADDS(name, bytes, target)                                                         \
    typedef float name##_vec __attribute__((vector_size(bytes)));                                  \
    target static float name(int rounds)                                                           \
    {                                                                                              \
        name##_vec acc[N_ACC] = {{0}}, a = acc[0] + 0.999f, b = acc[0] + 0.001f;                   \
        for (int r = 0; r < rounds; r++)                                                           \
            _Pragma("GCC unroll 10") for (int k = 0; k < N_ACC; k++) acc[k] = acc[k] * a + b;      \
        float sum = 0;                                                                             \
        for (int k = 0; k < N_ACC; k++) sum += acc[k][0];                                          \
        return sum;                                                                                \
    }
#define PLAIN
MULTIPLY_ADDS(adds_plain, 16, PLAIN)
#if defined(__x86_64__)
MULTIPLY_ADDS(adds_avx2, 32, __attribute__((target("avx2,fma"))))
MULTIPLY_ADDS(adds_avx512, 64, __attribute__((target("avx512f"))))
#endif

typedef struct peak {
    float (*run)(int rounds);
    int lanes;
} peak;

static peak widest(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return (peak){adds_avx512, 16};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (peak){adds_avx2, 8};
#endif
    return (peak){adds_plain, 4};
}

struct rates_call {
    adn_rates *out;
    void *src, *dst;
};

static double best_multiply_adds(void)
{
    peak p = widest();
    double best = 0;
    float sink = 0;
    for (int trial = 0; trial < 5; trial++) {
        double start = adn_cpu_work_s(omp_get_max_threads());
#pragma omp parallel reduction(+ : sink)
        sink += p.run(N_ROUND);
        double macs = (double)N_ROUND * N_ACC * p.lanes * omp_get_max_threads();
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
    call->out->macs_s = best_multiply_adds();
    call->out->copy_bytes_s = best_copy(call->dst, call->src);
    return ADN_OK;
}

adn_status adn_cpu_queue_rates(adn_queue *q, adn_rates *out)
{
    struct rates_call call = {
        .out = out, .src = adn_alloc(COPY_BYTES), .dst = adn_alloc(COPY_BYTES)};
    adn_status st = ADN_NOMEM;

    if (call.src != NULL && call.dst != NULL)
        st = adn_cpu_queue_call(q, measure, &call);
    else
        st = ADN_FAIL(ADN_NOMEM, "cpu: no memory to measure copies");
    adn_free(call.src);
    adn_free(call.dst);
    return st;
}
