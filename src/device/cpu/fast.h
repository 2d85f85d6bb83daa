/* What the hot files share: how they are compiled, small helpers, the ways' names. Private to
 * src/device/cpu; cpu_ways.c puts the ways in order. */
#ifndef ADN_FAST_H
#define ADN_FAST_H

#include <string.h>

#include "core/bf16.h"
#include "device/cpu/cpu.h"

/* Hot files are compiled for several processors (cpu.cmake); what they share gets the processor's
 * name. Sums have an order of their own and nothing is contracted to fused multiply-adds but by
 * vec_fma: a processor's bits do not depend on the compiler's choices or on the team. */
#define HOT_JOIN(name, isa) name##_##isa
#define HOT_WITH(name, isa) HOT_JOIN(name, isa)
#define HOT(name)           HOT_WITH(name, ADN_ISA)
#define adn_direct_plan     HOT(adn_direct_plan)
#define adn_direct_layout   HOT(adn_direct_layout)
#define adn_panels_layout   HOT(adn_panels_layout)
#define adn_matrix_plan     HOT(adn_matrix_plan)
#define adn_sgd_plan        HOT(adn_sgd_plan)
#define adn_adamw_plan      HOT(adn_adamw_plan)
#define adn_widen           HOT(adn_widen)
#define adn_narrow          HOT(adn_narrow)
#define adn_places_plan     HOT(adn_places_plan)
#define adn_peak            HOT(adn_peak)

/* The iterations of the loop that follows are independent: compilers vectorise it, at -O2 too. */
#define ADN_SIMD _Pragma("omp simd")
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed" /* sanitizers are in the way, and it says so */
#endif

enum { FAST_LINE = 16 }; /* floats a cache line */

static inline size_t fast_round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* An odd number of cache lines: rows so far apart fall into different sets of a cache. */
static inline size_t fast_odd_lines(size_t floats)
{
    return fast_round_up(floats, FAST_LINE) | FAST_LINE;
}

/* How many shares of at most `of` there are. */
static inline size_t fast_parts(size_t count, size_t of)
{
    return (count + of - 1) / of;
}

/* Where the k-th of n nearly equal shares of `count` begins. */
static inline size_t fast_share_begin(size_t count, size_t n, size_t k)
{
    return k * count / n;
}

/* The sums over a batch that a batch of nothing gives. */
static inline void fast_zero_sums(const adn_op_desc *d, const adn_op_args *args)
{
    static const adn_role sums[] = {ADN_GRAD_WEIGHT, ADN_GRAD_BIAS, ADN_SUMS};

    for (size_t i = 0; i < ADN_COUNT(sums); i++) {
        if (args->p[sums[i]] != NULL) memset(args->p[sums[i]], 0, adn_op_role_bytes(d, sums[i]));
    }
}

/* Convolutions of stride 1 over floats: products of our own, weights in panels. */
adn_status adn_direct_plan(adn_cpu_op *op);
adn_status adn_matrix_plan(adn_cpu_op *op); /* linear layers, and convolutions of 1x1 */
adn_status adn_places_plan(adn_cpu_op *op); /* between maps of at most 2x2 */
adn_status adn_direct_layout(adn_cpu_layout *l, const adn_op_desc *fwd);
adn_status adn_panels_layout(adn_cpu_layout *l, const adn_op_desc *fwd); /* of any stride */
adn_status adn_sgd_plan(adn_cpu_op *op);
adn_status adn_adamw_plan(adn_cpu_op *op);

/* Between floats and bf16, by the calling thread's team. */
void adn_widen(float *dst, const adn_bf16 *src, size_t n);
void adn_narrow(adn_bf16 *dst, const float *src, size_t n);

/* Multiply-adds from registers alone, `rounds` times so many; gives a number greater than 0. */
enum {
    PEAK_CHAINS = 10
}; /* independent sums: at least latency times issue width, at most the
      registers */
float adn_peak(int rounds);

#endif
