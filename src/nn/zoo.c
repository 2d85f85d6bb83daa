/* The networks by name, and lists of units from a config. A unit is conv + norm + ReLU with an
 * optional max pool in front, or a residual block (He et al. 2016, the "basic" one). */
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"

typedef struct unit {
    bool is_residual;
    int channels, pool, stride;
    bool has_bias;
} unit;

static const unit dgl4[] = {{.channels = 64, .has_bias = true},
                            {.channels = 128, .pool = 2, .has_bias = true},
                            {.channels = 128, .has_bias = true},
                            {.channels = 256, .pool = 2, .has_bias = true}};
static const unit dgl6[] = {{.channels = 128}, {.channels = 256, .pool = 2},
                            {.channels = 256}, {.channels = 512, .pool = 2},
                            {.channels = 512}, {.channels = 512}};
static const unit vgg11[] = {{.channels = 64, .has_bias = true},
                             {.channels = 128, .pool = 2, .has_bias = true},
                             {.channels = 256, .pool = 2, .has_bias = true},
                             {.channels = 256, .has_bias = true},
                             {.channels = 512, .pool = 2, .has_bias = true},
                             {.channels = 512, .has_bias = true},
                             {.channels = 512, .pool = 2, .has_bias = true},
                             {.channels = 512, .has_bias = true}};
#define RES(c, s)                                                                                  \
    {                                                                                              \
        .is_residual = true, .channels = c, .stride = s                                            \
    }
static const unit resnet18[] = {{.channels = 64}, RES(64, 1),  RES(64, 1),
                                RES(128, 2),      RES(128, 1), RES(256, 2),
                                RES(256, 1),      RES(512, 2), RES(512, 1)};
static const unit resnet20[] = {{.channels = 16}, RES(16, 1), RES(16, 1), RES(16, 1), RES(32, 2),
                                RES(32, 1),       RES(32, 1), RES(64, 2), RES(64, 1), RES(64, 1)};

static const struct {
    const char *name;
    const unit *units;
    int n_unit;
    bool global_classifier;
} zoo[] = {
    {"dgl4", dgl4, ADN_COUNT(dgl4), false},
    {"dgl6", dgl6, ADN_COUNT(dgl6), false},
    {"vgg11", vgg11, ADN_COUNT(vgg11), false},
    {"resnet18", resnet18, ADN_COUNT(resnet18), true},
    {"resnet20", resnet20, ADN_COUNT(resnet20), true},
};

/* Appends a layer named "unit<k>.<part>" that reads value src; gives its value, 0 without memory.
 */
static int add(adn_layers *list, int k, const char *part, int src, adn_layer l)
{
    if (src < 0) return 0;
    l.src = src;
    if (part != NULL) snprintf(l.name, sizeof(l.name), "unit%d.%s", k, part);
    return adn_layers_add(list, &l);
}

static adn_layer conv(int channels, int kernel, int stride, bool has_bias)
{
    return (adn_layer){.kind = ADN_LAYER_CONV,
                       .channels = channels,
                       .kernel = kernel,
                       .stride = stride,
                       .pad = kernel / 2,
                       .has_bias = has_bias};
}

static const adn_layer norm = {.kind = ADN_LAYER_NORM};
static const adn_layer relu = {.kind = ADN_LAYER_RELU};

/* Appends unit k, which reads value src of `c` channels; false without memory. Every value but src
 * is > 0. */
static bool add_unit(adn_layers *list, int k, const unit *u, int src, int c)
{
    int stride = ADN_MAX(1, u->stride), v = src, ok = 1;

    if (u->pool > 0)
        ok &= (v = add(list, k, "pool", v,
                       (adn_layer){.kind = ADN_LAYER_POOL,
                                   .pool = ADN_POOL_MAX,
                                   .kernel = u->pool,
                                   .stride = u->pool})) > 0;
    if (!u->is_residual) {
        ok &= (v = add(list, k, "conv", v, conv(u->channels, 3, stride, u->has_bias))) > 0;
        ok &= (v = add(list, k, "norm", v, norm)) > 0;
        ok &= add(list, k, NULL, v, relu) > 0;
        return ok;
    }
    ok &= (v = add(list, k, "conv1", v, conv(u->channels, 3, stride, false))) > 0;
    ok &= (v = add(list, k, "norm1", v, norm)) > 0;
    ok &= (v = add(list, k, NULL, v, relu)) > 0;
    ok &= (v = add(list, k, "conv2", v, conv(u->channels, 3, 1, false))) > 0;
    ok &= (v = add(list, k, "norm2", v, norm)) > 0;
    int s = src;
    if (c != u->channels || stride != 1) {
        ok &= (s = add(list, k, "shortcut.conv", src, conv(u->channels, 1, stride, false))) > 0;
        ok &= (s = add(list, k, "shortcut.norm", s, norm)) > 0;
    }
    ok &= (v = add(list, k, "add", v, (adn_layer){.kind = ADN_LAYER_ADD, .src2 = s})) > 0;
    ok &= add(list, k, NULL, v, relu) > 0;
    return ok;
}

static adn_status append(adn_model *m, const unit *u, int *c)
{
    int k = m->n_unit + 1;
    if (!add_unit(&m->layers, k, u, m->layers.n, *c))
        return ADN_FAIL(ADN_NOMEM, "model: no memory for unit %d", k);
    m->unit_end[m->n_unit++] = m->layers.n;
    *c = u->channels;
    return ADN_OK;
}

const char *adn_model_name(int k)
{
    return k >= 0 && k < (int)ADN_COUNT(zoo) ? zoo[k].name : NULL;
}

adn_status adn_model_create(const adn_model_conf *conf, adn_model *out)
{
    adn_status st = ADN_NOMEM;
    adn_model m = {0};
    int n = 0, c = 0; /* channels of the image: 0 differs from all, and no net begins with a
                         residual block */

    for (int i = 0; i < conf->n_unit; i++) n += conf->units[i].repeat;
    for (size_t z = 0; conf->name != NULL && z < ADN_COUNT(zoo); z++)
        if (strcmp(conf->name, zoo[z].name) == 0) n = zoo[z].n_unit;
    m.unit_end = adn_alloc((size_t)n * sizeof(*m.unit_end));
    if (m.unit_end == NULL) return ADN_FAIL(ADN_NOMEM, "model: no memory for %d units", n);
    for (size_t z = 0; conf->name != NULL && z < ADN_COUNT(zoo); z++) {
        if (strcmp(conf->name, zoo[z].name) != 0) continue;
        m.global_classifier = zoo[z].global_classifier;
        for (int i = 0; i < zoo[z].n_unit; i++) ADN_TRY(st, append(&m, &zoo[z].units[i], &c), fail);
    }
    for (int i = 0; conf->name == NULL && i < conf->n_unit; i++) {
        const adn_unit_conf *uc = &conf->units[i];
        unit u = {uc->is_residual, uc->channels, uc->pool, uc->stride, uc->bias};
        m.global_classifier =
            uc->is_residual; /* as the last unit is: ResNets end in a global average */
        for (int r = 0; r < uc->repeat; r++) {
            ADN_TRY(st, append(&m, &u, &c), fail);
            u.pool = 0;
            u.stride = 1;
        }
    }
    if (m.n_unit == 0) {
        st = ADN_FAIL(ADN_BADCONF, "model: no net is called '%s'",
                      conf->name != NULL ? conf->name : "");
        goto fail;
    }
    *out = m;
    return ADN_OK;
fail:
    adn_model_clear(&m);
    return st;
}

void adn_model_clear(adn_model *m)
{
    adn_layers_clear(&m->layers);
    adn_free(m->unit_end);
    *m = (adn_model){0};
}
