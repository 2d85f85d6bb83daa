/* A net's parameters and running statistics: names, offsets, layouts, import and export. */
#include <stdio.h>
#include <string.h>

#include "nn/net.h"

adn_op_desc adn_layer_fwd_desc(const adn_net *net, int i, int n)
{
    const adn_layer *l = &net->spec.layers.layer[i];
    adn_op_desc d = {.kind = l->kind == ADN_LAYER_CONV ? ADN_OP_CONV_FWD : ADN_OP_LINEAR_FWD,
                     .type = net->type,
                     .src = net->shapes[l->src],
                     .dst = net->shapes[i + 1]};
    d.src.n = d.dst.n = n;
    d.u.conv.kernel = l->kernel;
    d.u.conv.stride = l->stride;
    d.u.conv.pad = l->pad;
    d.u.conv.has_bias = l->has_bias;
    d.u.conv.algo = net->conv;
    return d;
}

static int add(adn_net *net, int layer, const char *part, bool is_stat, int n_dim,
               const int64_t *dim)
{
    adn_tensor *t = &net->tensors[net->n_tensor];
    *t = (adn_tensor){.is_stat = is_stat, .n_dim = n_dim, .count = 1, .layer = layer};
    snprintf(t->name, sizeof(t->name), "%s.%s", net->spec.layers.layer[layer].name, part);
    for (int d = 0; d < n_dim; d++) {
        t->dim[d] = dim[d];
        t->count *= (size_t)dim[d];
    }
    return net->n_tensor++;
}

/* A linear layer behind a flatten reads a map: its weight is permuted when a file is read or
 * written. */
static adn_shape linear_input(const adn_net *net, const adn_layer *l)
{
    if (l->src > 0 && net->spec.layers.layer[l->src - 1].kind == ADN_LAYER_FLATTEN)
        return net->shapes[net->spec.layers.layer[l->src - 1].src];
    return net->shapes[l->src];
}

static adn_status add_tensors(adn_net *net, int i, int n_full)
{
    const adn_layer *l = &net->spec.layers.layer[i];
    adn_layer_tensors *has = &net->layer_tensors[i];
    adn_shape src = net->shapes[l->src], dst = net->shapes[i + 1];
    int64_t vector[1] = {dst.c};

    *has = (adn_layer_tensors){-1, -1, -1, -1};
    if (l->kind == ADN_LAYER_NORM) {
        has->weight = add(net, i, "weight", false, 1, vector);
        has->bias = add(net, i, "bias", false, 1, vector);
        has->run_mean = add(net, i, "running_mean", true, 1, vector);
        has->run_var = add(net, i, "running_var", true, 1, vector);
        return ADN_OK;
    }
    if (l->kind != ADN_LAYER_CONV && l->kind != ADN_LAYER_LINEAR) return ADN_OK;
    adn_op_desc d = adn_layer_fwd_desc(net, i, n_full);
    if (l->kind == ADN_LAYER_CONV) {
        int64_t dim[4] = {dst.c, src.c, l->kernel, l->kernel};
        has->weight = add(net, i, "weight", false, 4, dim);
    } else {
        int64_t dim[2] = {dst.c, src.h * src.w * src.c};
        has->weight = add(net, i, "weight", false, 2, dim);
        d.src = linear_input(net, l);
        d.src.n = n_full;
    }
    if (l->has_bias) has->bias = add(net, i, "bias", false, 1, vector);
    return net->dev->ops->layout_create(net->queue, &d, &net->tensors[has->weight].layout);
}

/* Elements that a tensor takes in its array: whole cache lines. */
static size_t room(const adn_net *net, const adn_tensor *t)
{
    size_t item = adn_type_bytes(adn_param_type(net->type));
    size_t bytes = t->layout != NULL ? t->layout->bytes : t->count * item;
    return (bytes + 63) / 64 * 64 / item;
}

static bool decays(const adn_net *net, const adn_net_conf *conf, int k)
{
    int layer = net->tensors[k].layer;
    if (conf->no_decay_norm && net->spec.layers.layer[layer].kind == ADN_LAYER_NORM) return false;
    return !(conf->no_decay_bias && net->layer_tensors[layer].bias == k);
}

static void place(adn_net *net, const adn_net_conf *conf)
{
    for (int pass = 0; pass < 2; pass++) { /* those that decay first */
        for (int k = 0; k < net->n_tensor; k++) {
            adn_tensor *t = &net->tensors[k];
            if (t->is_stat || decays(net, conf, k) != (pass == 0)) continue;
            t->offset = net->n_param;
            net->n_param += room(net, t);
        }
        if (pass == 0) net->n_decay = net->n_param;
    }
    for (int k = 0; k < net->n_tensor; k++) {
        if (!net->tensors[k].is_stat) continue;
        net->tensors[k].offset = net->n_stat;
        net->n_stat += room(net, &net->tensors[k]);
    }
}

adn_status adn_net_tensors_create(adn_net *net, const adn_net_conf *conf)
{
    adn_status st = ADN_NOMEM;
    int n_layer = net->spec.layers.n;
    size_t item = adn_type_bytes(adn_param_type(net->type));

    net->layer_tensors = adn_alloc((size_t)n_layer * sizeof(*net->layer_tensors));
    net->tensors = adn_alloc((size_t)n_layer * 4 * sizeof(*net->tensors));
    if (net->layer_tensors == NULL || net->tensors == NULL)
        return ADN_FAIL(ADN_NOMEM, "net: no memory for its tensors' names");
    for (int i = 0; i < n_layer; i++) {
        st = add_tensors(net, i, conf->batches[0].n);
        if (st != ADN_OK) return st;
    }
    place(net, conf);
    ADN_TRY(st, net->dev->ops->alloc(net->dev, net->n_param * item, &net->params), done);
    ADN_TRY(st, net->dev->ops->alloc(net->dev, net->n_param * item, &net->grads), done);
    ADN_TRY(st, net->dev->ops->alloc(net->dev, net->n_stat * item, &net->stats), done);
done:
    return st;
}

void adn_net_tensors_destroy(adn_net *net)
{
    for (int k = 0; k < net->n_tensor; k++)
        if (net->tensors[k].layout != NULL) net->dev->ops->layout_destroy(net->tensors[k].layout);
    if (net->params != NULL) net->dev->ops->release(net->dev, net->params);
    if (net->grads != NULL) net->dev->ops->release(net->dev, net->grads);
    if (net->stats != NULL) net->dev->ops->release(net->dev, net->stats);
    adn_free(net->tensors);
    adn_free(net->layer_tensors);
}

int adn_net_n_tensor(const adn_net *net)
{
    return net->n_tensor;
}

const adn_tensor *adn_net_tensor(const adn_net *net, int i)
{
    return &net->tensors[i];
}

size_t adn_net_n_param(const adn_net *net, size_t *out_n_decay)
{
    if (out_n_decay != NULL) *out_n_decay = net->n_decay;
    return net->n_param;
}

void *adn_net_params(adn_net *net)
{
    return net->params;
}

void *adn_net_grads(adn_net *net)
{
    return net->grads;
}

static char *address(adn_net *net, const adn_tensor *t, const void *base)
{
    char *array = t->is_stat ? net->stats : (char *)(uintptr_t)base;
    return array + t->offset * adn_type_bytes(adn_param_type(net->type));
}

adn_status adn_net_export(adn_net *net, int i, const void *base, double *dst)
{
    const adn_tensor *t = &net->tensors[i];
    const adn_device_ops *ops = net->dev->ops;
    const char *src = address(net, t, base);
    adn_status st;

    if (t->layout != NULL) return ops->param_export(net->queue, t->layout, dst, src);
    /* Widens in place from the end: a double is never shorter than what it comes from. */
    ADN_TRY(
        st,
        ops->download(net->queue, dst, src, t->count * adn_type_bytes(adn_param_type(net->type))),
        done);
    ADN_TRY(st, ops->queue_sync(net->queue), done);
    if (adn_param_type(net->type) == ADN_F32)
        for (size_t k = t->count; k-- > 0;) {
            float f;
            memcpy(&f, (const char *)dst + k * sizeof(f), sizeof(f));
            dst[k] = (double)f;
        }
done:
    return st;
}

adn_status adn_net_import(adn_net *net, int i, void *base, const double *src)
{
    const adn_tensor *t = &net->tensors[i];
    const adn_device_ops *ops = net->dev->ops;
    char *dst = address(net, t, base);
    size_t bytes = t->count * adn_type_bytes(adn_param_type(net->type));
    adn_status st;

    if (t->layout != NULL) return ops->param_import(net->queue, t->layout, dst, src);
    void *host = adn_alloc(bytes);
    if (host == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", t->name);
    for (size_t k = 0; k < t->count; k++) {
        if (adn_param_type(net->type) == ADN_F32)
            ((float *)host)[k] = (float)src[k];
        else
            ((double *)host)[k] = src[k];
    }
    ADN_TRY(st, ops->upload(net->queue, dst, host, bytes), done);
    st = ops->queue_sync(net->queue);
done:
    adn_free(host);
    return st;
}
