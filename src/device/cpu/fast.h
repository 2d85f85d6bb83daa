/* What the fast ways share: how hot loops are compiled, small helpers, the ways' names.
 * Private to src/device/cpu; cpu_ways.c puts the ways in order. */
#ifndef ADN_FAST_H
#define ADN_FAST_H

#include <string.h>

#include "device/cpu/cpu.h"

/* A function over a range, compiled for several processors and chosen when the program is loaded.
 * OpenMP's own bodies are not cloned, so parallel regions call such functions. Nothing is
 * contracted to fused multiply-adds and every sum has an order of its own: all versions give the
 * same bits. */
#if defined(__x86_64__) && defined(__linux__)
#define ADN_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ADN_CLONES
#endif

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

/* The gradients of weights and biases that a batch of nothing gives. */
static inline void fast_zero_grads(const adn_op_desc *d, const adn_op_args *args)
{
    static const adn_role sums[] = {ADN_GRAD_WEIGHT, ADN_GRAD_BIAS};

    for (size_t i = 0; i < ADN_COUNT(sums); i++) {
        if (args->p[sums[i]] != NULL) memset(args->p[sums[i]], 0, adn_op_role_bytes(d, sums[i]));
    }
}

/* Convolutions of stride 1 and linear layers: products of our own, weights in panels. */
adn_status adn_direct_plan(adn_cpu_op *op);
adn_status adn_direct_layout(adn_cpu_layout *l, const adn_op_desc *fwd);

/* Other convolutions: oneDNN's, weights in blocks of its own. */
adn_status adn_dnnl_conv_plan(adn_cpu_op *op);
adn_status adn_dnnl_layout(adn_cpu_layout *l, const adn_op_desc *fwd);

/* Norms; 2x2 maxima and averages whose windows are all alike; relu, add, normalise, sgd. */
adn_status adn_fast_norm_plan(adn_cpu_op *op);
adn_status adn_fast_pool_plan(adn_cpu_op *op);
adn_status adn_fast_elem_plan(adn_cpu_op *op);

#endif
