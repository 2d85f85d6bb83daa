/* Elements of activations: the hot files that touch them are compiled for floats, and once more for
 * bf16 (cpu.cmake), which are widened when they are loaded and rounded when they are stored; all
 * that is computed is computed in floats. Private to src/device/cpu. */
#ifndef ADN_ACT_H
#define ADN_ACT_H

#include "core/bf16.h"
#include "device/cpu/fast.h"
#include "device/cpu/vec.h"

/* ACT(name): what such files share has the type in its name, beside the processor. */
#define adn_cpu_ways       ACT(adn_cpu_ways)
#define adn_wino_plan      ACT(adn_wino_plan)
#define adn_fast_norm_plan ACT(adn_fast_norm_plan)
#define adn_fast_pool_plan ACT(adn_fast_pool_plan)
#define adn_fast_elem_plan ACT(adn_fast_elem_plan)

VEC_INLINE vec vec_load_bf16(const adn_bf16 *p)
{
    vec_half half;
    memcpy(&half, p, sizeof(half));
    return (vec)(vec_widen(half) << 16);
}

/* As adn_bf16_of does. */
VEC_INLINE void vec_store_bf16(adn_bf16 *p, vec v)
{
    vec_bits bits = (vec_bits)v, near = bits + 0x7fff + (bits >> 16 & 1);
    vec_bits is_number = (vec_bits)(v == v);
    vec_bits kept = (is_number & near) | (~is_number & (bits | 0x400000));
    vec_half half = vec_narrow(kept >> 16);
    memcpy(p, &half, sizeof(half));
}

#if defined(ADN_ACT_bf16)

typedef adn_bf16 act;
#define ACT_TYPE  ADN_BF16
#define ACT(name) HOT(name##_bf16)
#define act_get   adn_bf16_float
#define act_of    adn_bf16_of
#define act_load  vec_load_bf16
#define act_store vec_store_bf16
/* tile_streams: their vectors are less than a line, and stay. */
static inline bool act_streams(const act *dst, size_t n, size_t row)
{
    (void)dst, (void)n, (void)row;
    return false;
}
#define act_stream act_store

/* The first n lanes, the others zero; the first n lanes alone. */
VEC_INLINE vec act_load_some(const act *p, size_t n)
{
    act all[LANES] = {0};
    memcpy(all, p, n * sizeof(*all));
    return act_load(all);
}

VEC_INLINE void act_store_some(act *p, vec v, size_t n)
{
    act all[LANES];
    act_store(all, v);
    memcpy(p, all, n * sizeof(*all));
}

#else

typedef float act;
#define ACT_TYPE       ADN_F32
#define ACT(name)      HOT(name)
#define act_get(x)     (x)
#define act_of(x)      (x)
#define act_load       vec_load
#define act_store      vec_store
#define act_stream     vec_stream
#define act_streams    tile_streams
#define act_load_some  vec_load_some
#define act_store_some vec_store_some

#endif

/* Convolutions of 3x3 and stride 1, by Winograd's transforms. */
adn_status adn_wino_plan(adn_cpu_op *op);
/* Norms; 2x2 maxima and averages whose windows are all alike; relu, add, normalise. */
adn_status adn_fast_norm_plan(adn_cpu_op *op);
adn_status adn_fast_pool_plan(adn_cpu_op *op);
adn_status adn_fast_elem_plan(adn_cpu_op *op);

#endif
