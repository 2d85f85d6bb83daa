/* Initial weights: functions of (seed, tensor's name, index), so that cuts and layouts do not
 * matter. */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nn/nn.h"

typedef enum law { CONSTANT, UNIFORM, NORMAL } law;

static void fill(double *dst, size_t n, const char *name, uint64_t seed, law law_, double scale)
{
    const double two_pi = 6.283185307179586;
    uint64_t h = adn_rng_hash(name);

    for (size_t i = 0; i < n; i += 4) {
        adn_draw d = adn_rng_draw(seed, ADN_RNG_INIT, h, i / 4);
        for (size_t k = 0; k < 4 && i + k < n; k++) {
            double u = (double)adn_rng_unit(d.u[k]);
            if (law_ == CONSTANT) {
                dst[i + k] = scale;
            } else if (law_ == UNIFORM) {
                dst[i + k] = (2 * u - 1) * scale;
            } else { /* Box-Muller, a pair of words for a pair of numbers */
                double r = sqrt(-2 * log(1 - (double)adn_rng_unit(d.u[k & 2])));
                double phi = two_pi * (double)adn_rng_unit(d.u[(k & 2) + 1]);
                dst[i + k] = scale * r * (k & 1 ? sin(phi) : cos(phi));
            }
        }
    }
}

/* torch: conv and linear uniform within 1/sqrt(fan_in), weight and bias (PyTorch's default).
 * kaiming: convolutions normal, variance 2 / fan_out; linear normal 0.01; biases 0 (He et al. 2015,
 * as VGG). xavier: uniform within sqrt(6 / (fan_in + fan_out)), biases 0 (Glorot and Bengio 2010).
 */
static void init_weighted(double *dst, const adn_tensor *t, adn_init kind, uint64_t seed,
                          int64_t fan_in, int64_t fan_out)
{
    bool is_bias = t->n_dim == 1;

    if (kind == ADN_INIT_TORCH)
        fill(dst, t->count, t->name, seed, UNIFORM, 1 / sqrt((double)fan_in));
    else if (is_bias)
        fill(dst, t->count, t->name, seed, CONSTANT, 0);
    else if (kind == ADN_INIT_XAVIER)
        fill(dst, t->count, t->name, seed, UNIFORM, sqrt(6.0 / (double)(fan_in + fan_out)));
    else
        fill(dst, t->count, t->name, seed, NORMAL,
             t->n_dim == 4 ? sqrt(2.0 / (double)fan_out) : 0.01);
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

adn_status adn_net_init(adn_net *net, adn_init kind, uint64_t seed)
{
    adn_status st = ADN_OK;
    int64_t fan_in = 1, fan_out = 1;
    int weighted = -1; /* the layer that fan_in and fan_out are of: a bias follows its weight */

    for (int i = 0; i < adn_net_n_tensor(net) && st == ADN_OK; i++) {
        const adn_tensor *t = adn_net_tensor(net, i);
        double *values = adn_alloc(t->count * sizeof(*values));
        if (values == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for initial values", t->name);
        if (t->n_dim > 1) {
            int64_t window = t->n_dim == 4 ? t->dim[2] * t->dim[3] : 1;
            fan_in = t->dim[1] * window;
            fan_out = t->dim[0] * window;
            weighted = t->layer;
        }
        if (t->layer == weighted)
            init_weighted(values, t, kind, seed, fan_in, fan_out);
        else /* norm: scale 1, shift 0, mean 0, variance 1 */
            fill(values, t->count, t->name, seed, CONSTANT,
                 ends_with(t->name, ".weight") || ends_with(t->name, ".running_var") ? 1 : 0);
        st = adn_net_import(net, i, adn_net_params(net), values);
        adn_free(values);
    }
    return st;
}
