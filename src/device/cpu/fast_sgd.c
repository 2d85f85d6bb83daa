/* The update of parameters: floats, whatever activations are. */
#include "device/cpu/fast.h"

enum { CHUNK = 16384 }; /* elements a thread takes at a time */

typedef struct sgd_rule {
    float lr, momentum, decay;
    bool nesterov, is_first;
} sgd_rule;

/* One pass: 20 bytes a parameter. A first step does not read the momentum's memory. */
static inline void sgd_range(float *restrict w, float *restrict m, const float *restrict grad,
                             size_t n, sgd_rule s)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++) {
        float g = grad[i] + s.decay * w[i];
        float moved = s.is_first ? g : s.momentum * m[i] + g;
        m[i] = moved;
        w[i] -= s.lr * (s.nesterov ? g + s.momentum * moved : moved);
    }
}

static void sgd(float *restrict w, float *restrict m, const float *restrict grad, size_t n,
                sgd_rule s)
{
    if (s.is_first)
        sgd_range(w, m, grad, n, s);
    else if (s.nesterov)
        sgd_range(w, m, grad, n, (sgd_rule){s.lr, s.momentum, s.decay, true, false});
    else
        sgd_range(w, m, grad, n, (sgd_rule){s.lr, s.momentum, s.decay, false, false});
}

static adn_status run_sgd(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t n = adn_shape_count(op->base.desc.src);
    const float *grad = args->p[ADN_GRAD_WEIGHT];
    float *weight = args->p[ADN_WEIGHT], *momentum = args->p[ADN_MOMENTUM];
    const sgd_rule rule = {(float)args->value[0], (float)args->value[1], (float)args->value[2],
                           op->base.desc.u.sgd.nesterov, args->value[3] == 1};

    if (*(const int32_t *)args->p[ADN_HALT] != 0) return ADN_OK;
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK)
        sgd(weight + at, momentum + at, grad + at, ADN_MIN(CHUNK, n - at), rule);
    return ADN_OK;
}

adn_status adn_sgd_plan(adn_cpu_op *op)
{
    if (op->base.desc.type != ADN_F32) return ADN_END;
    op->run = run_sgd;
    return ADN_OK;
}
