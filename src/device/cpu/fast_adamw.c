/* The update of parameters by AdamW: floats, whatever activations are. */
#include <math.h>

#include "device/cpu/fast.h"

enum { CHUNK = 16384 }; /* elements a thread takes at a time */

typedef struct adamw_rule {
    float keep, b1, new1, b2, new2, rate, scale, eps;
} adamw_rule;

/* One pass: 28 bytes a parameter. */
static void adamw(float *restrict w, float *restrict m, float *restrict v,
                  const float *restrict grad, size_t n, adamw_rule a)
{
    ADN_SIMD
    for (size_t i = 0; i < n; i++) {
        m[i] = a.b1 * m[i] + a.new1 * grad[i];
        v[i] = a.b2 * v[i] + a.new2 * (grad[i] * grad[i]);
        w[i] = a.keep * w[i] - a.rate * m[i] / (a.scale * sqrtf(v[i]) + a.eps);
    }
}

static adn_status run_adamw(const adn_cpu_op *op, const adn_op_args *args)
{
    size_t n = adn_shape_count(op->base.desc.src);
    const float *grad = args->p[ADN_GRAD_WEIGHT];
    float *w = args->p[ADN_WEIGHT], *m = args->p[ADN_MOMENTUM], *v = args->p[ADN_MOMENT2];
    const double *by = args->value;
    const adamw_rule rule = {(float)by[0], (float)by[1], (float)by[2], (float)by[3],
                             (float)by[4], (float)by[5], (float)by[6], (float)by[7]};

    if (*(const int32_t *)args->p[ADN_HALT] != 0) return ADN_OK;
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < n; at += CHUNK)
        adamw(w + at, m + at, v + at, grad + at, ADN_MIN(CHUNK, n - at), rule);
    return ADN_OK;
}

adn_status adn_adamw_plan(adn_cpu_op *op)
{
    if (op->base.desc.type != ADN_F32) return ADN_END;
    op->run = run_adamw;
    return ADN_OK;
}
