/* clang-format off */
/* The ways to run each kind of operation, best first; the loops come last and take the rest. A way
 * says itself what it takes: in its plan, which gives ADN_END for the others.
 *
 *   operation   the loop that defines it   the ways                          they take
 *   conv_*      ref_conv.c                 "winograd"  fast_wino.c           3x3 of stride 1, as `conv` says (pays)
 *                                          "matrix"    fast_matrix.c         1x1 of stride 1
 *                                          "places"    fast_places.c         others of stride 1 between maps of at most 2x2
 *                                          "direct"    fast_direct.c         other kernels of stride 1
 *                                          "onednn"    dnnl_conv.c           other strides, but for (overruns)
 *   linear_*    ref_linear.c               "matrix"    fast_matrix.c         all
 *   norm_*      ref_norm.c                 "blocked"   fast_norm.c           all
 *   pool_*      ref_pool.c                 "blocked"   fast_pool.c           2x2 maxima, averages that tile
 *   relu_*, add ref_act.c                  "blocked"   fast_elem.c           all
 *   normalise   ref_pixel.c                "blocked"   fast_elem.c           all
 *   sgd         ref_sgd.c                  "blocked"   fast_sgd.c            all
 *   adamw       ref_adamw.c                "blocked"   fast_adamw.c          all
 *   loss        ref_loss.c                 the loop
 *   augment     ref_augment.c              the loop, and nobody asks: here the loader augments
 *
 * Over bf16, "winograd" and "blocked" are compiled once more (act.h); all the rest is widened
 * (cpu_widen.c) and goes by the first of these that takes it. The kind "amx" is v4, but over bf16
 * it has one more way before them:
 *
 *   conv_*      ref_conv.c                 "amx"       amx_product.c         all, unless `conv` asks for Winograd's
 *   linear_*    ref_linear.c               "amx"       amx_product.c         all
 *
 * Each is compared with its loop in double by tests/contract/test_device.c, with the bounds of
 * tests/support/op_compare.c, for every processor that this file and the fast ones are compiled for.
 * Empty batches and doubles go to the loops, or are nothing. */
/* clang-format on */
#include "device/cpu/act.h"
#include "device/cpu/amx.h"
#include "device/cpu/dnnl_conv.h"
#include "device/cpu/fast_moments.h"

/* ThreadSanitizer's builds run the loops alone: oneDNN and libgomp are not instrumented. */
#ifdef ADN_TSAN
#define FAST(...)
#else
#define FAST(...) __VA_ARGS__,
#endif

#if defined(ADN_ACT_bf16)
#define REST                                                                                       \
    {                                                                                              \
        "widened", adn_widen_plan                                                                  \
    }
#if defined(ADN_WAYS_amx)
#undef adn_cpu_ways
#define adn_cpu_ways adn_cpu_ways_amx
static const adn_cpu_way conv[] = {{"amx", adn_amx_plan}, {"winograd", adn_wino_plan}, REST};
static const adn_cpu_way linear[] = {{"amx", adn_amx_plan}, REST};
#else
static const adn_cpu_way conv[] = {FAST({"winograd", adn_wino_plan}) REST};
static const adn_cpu_way linear[] = {REST};
#endif
static const adn_cpu_way sgd[] = {REST};
static const adn_cpu_way adamw[] = {REST};
#else
#define REST                                                                                       \
    {                                                                                              \
        "loops", adn_ref_plan                                                                      \
    }
static const adn_cpu_way conv[] = {FAST({"winograd", adn_wino_plan}, {"matrix", adn_matrix_plan},
                                        {"places", adn_places_plan}, {"direct", adn_direct_plan},
                                        {"onednn", adn_dnnl_conv_plan}) REST};
static const adn_cpu_way linear[] = {FAST({"matrix", adn_matrix_plan}) REST};
static const adn_cpu_way sgd[] = {FAST({"blocked", adn_sgd_plan}) REST};
static const adn_cpu_way adamw[] = {FAST({"blocked", adn_adamw_plan}) REST};
#endif
static const adn_cpu_way norm[] = {FAST({"blocked", adn_fast_norm_plan}) REST};
static const adn_cpu_way pool[] = {FAST({"blocked", adn_fast_pool_plan}) REST};
static const adn_cpu_way elem[] = {FAST({"blocked", adn_fast_elem_plan}) REST};
static const adn_cpu_way rest[] = {REST};

const adn_cpu_way *const adn_cpu_ways[ADN_N_OP] = {
    [ADN_OP_CONV_FWD] = conv,
    [ADN_OP_CONV_GRAD_SRC] = conv,
    [ADN_OP_CONV_GRAD_PARAM] = conv,
    [ADN_OP_LINEAR_FWD] = linear,
    [ADN_OP_LINEAR_GRAD_SRC] = linear,
    [ADN_OP_LINEAR_GRAD_PARAM] = linear,
    [ADN_OP_NORM_FWD] = norm,
    [ADN_OP_NORM_INFER] = norm,
    [ADN_OP_NORM_GRAD] = norm,
    [ADN_OP_RELU_FWD] = elem,
    [ADN_OP_RELU_GRAD] = elem,
    [ADN_OP_POOL_FWD] = pool,
    [ADN_OP_POOL_GRAD] = pool,
    [ADN_OP_ADD] = elem,
    [ADN_OP_LOSS] = rest,
    [ADN_OP_AUGMENT] = rest,
    [ADN_OP_NORMALISE] = elem,
    [ADN_OP_SGD] = sgd,
    [ADN_OP_ADAMW] = adamw,
};

#if !defined(ADN_ACT_bf16)
static adn_status (*const layouts[])(adn_cpu_layout *l, const adn_op_desc *fwd) = {
    FAST(adn_direct_layout, adn_dnnl_layout) adn_ref_layout};

extern const adn_cpu_way *const HOT(adn_cpu_ways_bf16)[ADN_N_OP];

#define TEXT_OF(name) #name
#define TEXT(name)    TEXT_OF(name)

#define COMMON                                                                                     \
    .lanes = LANES, .ways = adn_cpu_ways, .layouts = layouts, .peak = adn_peak,                    \
    .moments = adn_moments_of, .moments_rows = MOMENTS_ROWS, .widen = adn_widen,                   \
    .narrow = adn_narrow

const adn_cpu_isa HOT(adn_cpu_isa) = {
    .name = TEXT(ADN_ISA), .ways_bf16 = HOT(adn_cpu_ways_bf16), .layouts_bf16 = layouts, COMMON};

#if defined(ADN_HAS_AMX) /* the same but over bf16 */
extern const adn_cpu_way *const adn_cpu_ways_amx[ADN_N_OP];
static adn_status (*const layouts_amx[])(adn_cpu_layout *l,
                                         const adn_op_desc *fwd) = {adn_panels_layout};

const adn_cpu_isa adn_cpu_isa_amx = {.name = "amx",
                                     .ways_bf16 = adn_cpu_ways_amx,
                                     .layouts_bf16 = layouts_amx,
                                     .peak_bf16 = adn_amx_peak,
                                     COMMON};
#endif
#endif
