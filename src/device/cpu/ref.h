/* The loops' inside: one name for float and double, and what several of them share. Every ref_*.c
 * is compiled twice (cpu.cmake); they are the truth, so they say what is computed and nothing
 * faster. */
#ifndef ADN_REF_H
#define ADN_REF_H

#include "device/cpu/cpu.h"

#if defined(ADN_REAL_double)
typedef double real;
#define REF(name) name##_double
#else
typedef float real;
#define REF(name) name##_float
#endif

#define REF_LOOPS(X)                                                                               \
    X(CONV_FWD, conv_fwd)                                                                          \
    X(CONV_GRAD_SRC, conv_grad_src)                                                                \
    X(CONV_GRAD_PARAM, conv_grad_param)                                                            \
    X(LINEAR_FWD, linear_fwd)                                                                      \
    X(LINEAR_GRAD_SRC, linear_grad_src)                                                            \
    X(LINEAR_GRAD_PARAM, linear_grad_param)                                                        \
    X(NORM_FWD, norm_fwd)                                                                          \
    X(NORM_INFER, norm_infer)                                                                      \
    X(NORM_GRAD, norm_grad)                                                                        \
    X(RELU_FWD, relu_fwd)                                                                          \
    X(RELU_GRAD, relu_grad)                                                                        \
    X(POOL_FWD, pool_fwd)                                                                          \
    X(POOL_GRAD, pool_grad)                                                                        \
    X(ADD, add)                                                                                    \
    X(LOSS, loss)                                                                                  \
    X(AUGMENT, augment)                                                                            \
    X(NORMALISE, normalise)                                                                        \
    X(SGD, sgd)                                                                                    \
    X(ADAMW, adamw)
#define X(kind, name) void REF(adn_ref_##name)(const adn_op_desc *d, const adn_op_args *args);
REF_LOOPS(X)
#undef X

/* Channels (or other neighbours) whose sums are taken together, in double, on the stack. */
enum { REF_CHUNK = 64 };

/* The element [n][y][x][0] of an NHWC array. */
static inline size_t ref_at(adn_shape s, int n, int y, int x)
{
    return (((size_t)n * (size_t)s.h + (size_t)y) * (size_t)s.w + (size_t)x) * (size_t)s.c;
}

static inline void ref_zero(real *p, size_t n)
{
    for (size_t k = 0; k < n; k++) p[k] = 0;
}

/* Eight partial sums, so that the processor need not wait for each addition. */
static inline real ref_dot(const real *a, const real *b, size_t n)
{
    real part[8] = {0}, sum = 0;
    size_t k = 0;
    for (; k + 8 <= n; k += 8)
        for (size_t i = 0; i < 8; i++) part[i] += a[k + i] * b[k + i];
    for (; k < n; k++) sum += a[k] * b[k];
    for (size_t i = 0; i < 8; i++) sum += part[i];
    return sum;
}

static inline void ref_add_scaled(real *restrict dst, const real *restrict src, real by, size_t n)
{
    for (size_t k = 0; k < n; k++) dst[k] += by * src[k];
}

/* max(x, 0); what is not a number stays so, and the loss will see it. */
static inline real ref_relu(real x)
{
    return x <= 0 ? 0 : x;
}

static inline real ref_relu_grad(real y, real grad)
{
    return y <= 0 ? 0 : grad;
}

#endif
