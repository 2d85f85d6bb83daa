/* Creating a net, and running its passes. */
#include "nn/net.h"

#include <math.h>

static adn_status copy_spec(adn_net *net, const adn_net_spec *spec)
{
    net->spec = *spec;
    net->spec.layers = (adn_layers){0};
    for (int i = 0; i < spec->layers.n; i++)
        if (adn_layers_add(&net->spec.layers, &spec->layers.layer[i]) == 0)
            return ADN_FAIL(ADN_NOMEM, "net: no memory for its layers");
    net->shapes = adn_alloc((size_t)(spec->layers.n + 1) * sizeof(*net->shapes));
    if (net->shapes == NULL) return ADN_FAIL(ADN_NOMEM, "net: no memory for its shapes");
    net->spec.input.n = 1;
    return adn_layers_shapes(&net->spec.layers, net->spec.input, net->shapes);
}

adn_status adn_net_create(const adn_net_conf *conf, adn_net **out)
{
    adn_status st = ADN_NOMEM;
    adn_net *net = adn_alloc(sizeof(*net));

    if (net == NULL) return ADN_FAIL(ADN_NOMEM, "net: no memory");
    ADN_ASSERT(conf->n_batches >= 1 && conf->n_batches <= ADN_MAX_BATCHES);
    net->queue = conf->queue;
    net->dev = conf->queue->dev;
    net->type = conf->type;
    net->conv = conf->conv;
    ADN_TRY(st, copy_spec(net, conf->spec), fail);
    ADN_TRY(st, adn_net_tensors_create(net, conf), fail);
    ADN_TRY(st, adn_net_buckets_create(net, conf->bucket_bytes), fail);
    for (int i = 0; i < conf->n_batches; i++) {
        adn_net_plan *p = &net->plans[net->n_plan++];
        p->batch = conf->batches[i];
        ADN_TRY(st, adn_build_plan(net, p), fail);
        ADN_TRY(st, adn_plan_finish(net, p), fail);
        ADN_TRY(st, adn_plan_buckets(net, p), fail);
    }
    ADN_TRY(st, net->dev->ops->alloc(net->dev, net->activation_bytes, &net->activations), fail);
    ADN_TRY(st, net->dev->ops->alloc(net->dev, net->workspace_bytes, &net->workspace), fail);
    for (int i = 0; i < net->n_plan; i++) adn_plan_bind(net, &net->plans[i]);
    *out = net;
    return ADN_OK;
fail:
    adn_net_destroy(net);
    return st;
}

void adn_net_destroy(adn_net *net)
{
    if (net == NULL) return;
    for (int i = 0; i < net->n_plan; i++) adn_plan_clear(&net->plans[i]);
    adn_net_tensors_destroy(net);
    if (net->activations != NULL) net->dev->ops->release(net->dev, net->activations);
    if (net->workspace != NULL) net->dev->ops->release(net->dev, net->workspace);
    adn_free(net->shapes);
    adn_free(net->buckets);
    adn_net_spec_clear(&net->spec);
    adn_free(net);
}

static adn_net_plan *find_plan(adn_net *net, int n, bool is_training)
{
    for (int i = 0; i < net->n_plan; i++)
        if (net->plans[i].batch.n == n && net->plans[i].batch.is_training == is_training)
            return &net->plans[i];
    adn_assert_failed("a batch of this size was planned", __FILE__, __LINE__);
}

static void *bound(const adn_net_io *io, adn_place place)
{
    switch (place) {
    case ADN_AT_INPUT:
        return (void *)(uintptr_t)io->src;
    case ADN_AT_EMIT:
        return io->emit;
    case ADN_AT_LABELS:
        return (void *)(uintptr_t)io->labels;
    case ADN_AT_RESULT:
        return io->result;
    case ADN_AT_HALT:
        return io->halt;
    default:
        return NULL;
    }
}

static adn_status run_op(const adn_planned *op, const adn_net_io *io)
{
    adn_op_args args = op->args;

    for (int r = 0; r < ADN_N_ROLE; r++)
        if (op->at[r].place >= ADN_AT_INPUT) args.p[r] = bound(io, op->at[r].place);
    if (op->desc.kind == ADN_OP_NORM_FWD) args.value[0] = io->moves_stats;
    return adn_op_run(op->op, &args);
}

static adn_status run_ops(const adn_net_plan *p, int from, int to, const adn_net_io *io)
{
    adn_status st = ADN_OK;
    for (int k = from; k < to && st == ADN_OK; k++) st = run_op(&p->ops[k], io);
    return st;
}

adn_status adn_net_fwd(adn_net *net, int n, bool is_training, const adn_net_io *io)
{
    const adn_net_plan *p = find_plan(net, n, is_training);
    adn_status st = run_ops(p, 0, p->phase_end[ADN_PHASE_FWD], io);

    if (st != ADN_OK || io->emit == NULL) return st;
    if (p->block_output_ptr == NULL)
        return run_ops(p, p->phase_end[ADN_PHASE_FWD], p->phase_end[ADN_PHASE_EMIT], io);
    size_t bytes = adn_shape_count(net->shapes[net->spec.n_block]) * adn_type_bytes(net->type);
    return net->dev->ops->copy(net->queue, io->emit, p->block_output_ptr, (size_t)n * bytes);
}

/* Behind operation k: buckets that it was the last to write. */
static adn_status tell_ready(const adn_net *net, const adn_net_plan *p, int k,
                             adn_event *const *ready)
{
    adn_status st = ADN_OK;
    for (int b = 0; b < net->n_bucket && st == ADN_OK; b++)
        if (p->bucket_end[b] == k) st = net->dev->ops->event_record(net->queue, ready[b]);
    return st;
}

adn_status adn_net_learn(adn_net *net, int n, bool is_training, const adn_net_io *io)
{
    const adn_net_plan *p = find_plan(net, n, is_training);
    int to = p->phase_end[ADN_PHASE_LEARN];
    adn_status st = ADN_OK;

    for (int k = p->phase_end[ADN_PHASE_EMIT]; k < to && st == ADN_OK; k++) {
        st = run_op(&p->ops[k], io);
        if (is_training && st == ADN_OK && io->ready != NULL) st = tell_ready(net, p, k, io->ready);
    }
    return st;
}

/* A layer's own name, or that of the last named one before it: a net's first layer has one. */
static const char *name_of(const adn_net *net, int layer)
{
    while (layer > 0 && net->spec.layers.layer[layer].name[0] == '\0') layer--;
    return net->spec.layers.layer[layer].name;
}

adn_status adn_net_find_bad(adn_net *net, const char **out)
{
    const adn_layer *layers = net->spec.layers.layer;

    for (int k = 0; k < net->n_tensor; k++) {
        const adn_tensor *t = &net->tensors[k];
        if (!t->is_stat) continue;
        double *values = adn_alloc(t->count * sizeof(*values));
        if (values == NULL) return ADN_FAIL(ADN_NOMEM, "net: no memory to look for the layer");
        adn_status st = adn_net_export(net, k, NULL, values);
        bool is_bad = false;
        for (size_t i = 0; st == ADN_OK && i < t->count; i++) is_bad |= !isfinite(values[i]);
        adn_free(values);
        if (st != ADN_OK) return st;
        if (is_bad) {
            *out = name_of(net, ADN_MAX(0, layers[t->layer].src - 1));
            return ADN_OK;
        }
    }
    *out = name_of(net, net->spec.layers.n - 1);
    return ADN_OK;
}

adn_net_sizes adn_net_size(const adn_net *net)
{
    size_t item = adn_type_bytes(adn_param_type(net->type));
    adn_net_sizes s = {.param_bytes = net->n_param * item,
                       .grad_bytes = net->n_param * item,
                       .activation_bytes = net->activation_bytes,
                       .workspace_bytes = net->workspace_bytes};

    for (int k = 0; k < net->n_tensor; k++)
        if (!net->tensors[k].is_stat) s.n_param += (int64_t)net->tensors[k].count;
    for (int i = 0; i < net->spec.layers.n; i++) {
        adn_layer_kind kind = net->spec.layers.layer[i].kind;
        if (kind != ADN_LAYER_CONV && kind != ADN_LAYER_LINEAR) continue;
        adn_op_desc d = adn_layer_fwd_desc(net, i, 1);
        s.macs += adn_op_macs(&d);
        if (i >= net->spec.n_block) s.head_macs += adn_op_macs(&d);
    }
    return s;
}

void adn_net_ops(const adn_net *net, adn_op_fn fn, void *user)
{
    const adn_net_plan *p = &net->plans[0];

    for (int k = 0; k < p->n_op; k++) {
        bool emits = k >= p->phase_end[ADN_PHASE_FWD] && k < p->phase_end[ADN_PHASE_EMIT];
        fn(user, emits ? net->spec.emit_pool.name : name_of(net, p->ops[k].layer), p->ops[k].op);
    }
}
