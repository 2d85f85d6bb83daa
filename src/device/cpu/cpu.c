/* The cpu device's table. */
#include "device/cpu/cpu.h"

#include "core/memory.h"

static void cpu_close(adn_device *dev)
{
    adn_free(dev);
}

static adn_status cpu_alloc(adn_device *dev, size_t bytes, void **out)
{
    (void)dev;
    void *p = adn_alloc(bytes);
    if (p == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for %zu bytes", bytes);
    *out = p;
    return ADN_OK;
}

static void cpu_release(adn_device *dev, void *p)
{
    (void)dev;
    adn_free(p);
}

static size_t cpu_memory_free(adn_device *dev)
{
    (void)dev;
    return adn_memory_free();
}

static void range_begin(adn_queue *q, const char *name)
{
    (void)q;
    (void)name;
}

static void range_end(adn_queue *q)
{
    (void)q;
}

static void layout_destroy(adn_layout *layout)
{
    adn_cpu_layout *l = (adn_cpu_layout *)layout;
    if (l == NULL) return;
    if (l->impl_free != NULL) l->impl_free(l->impl);
    adn_free(l);
}

struct layout_call {
    adn_cpu_layout *l;
    adn_status (*const *layouts)(adn_cpu_layout *l, const adn_op_desc *fwd);
    const adn_op_desc *fwd;
};

static adn_status layout_on_worker(void *user)
{
    struct layout_call *call = user;
    adn_status st = ADN_END;
    for (int i = 0; st == ADN_END; i++) st = call->layouts[i](call->l, call->fwd);
    return st;
}

static adn_status layout_create(adn_queue *q, const adn_op_desc *fwd, adn_layout **out)
{
    adn_cpu_layout *l = adn_alloc(sizeof(*l));
    if (l == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for a layout");
    bool is_conv = fwd->kind == ADN_OP_CONV_FWD;
    l->base = (adn_layout){.dev = q->dev,
                           .type = adn_param_type(fwd->type),
                           .o = fwd->dst.c,
                           .i = fwd->src.c,
                           .kernel = is_conv ? fwd->u.conv.kernel : 0,
                           .h = fwd->src.h,
                           .w = fwd->src.w};
    adn_op_desc in_params = *fwd;
    in_params.type = l->base.type;
    const adn_cpu_isa *isa = adn_cpu_queue_isa(q);
    struct layout_call call = {l, fwd->type == ADN_BF16 ? isa->layouts_bf16 : isa->layouts,
                               &in_params};
    adn_status st = adn_cpu_queue_call(q, layout_on_worker, &call);
    if (st != ADN_OK) {
        layout_destroy(&l->base);
        return st;
    }
    *out = &l->base;
    return ADN_OK;
}

struct convert_call {
    const adn_cpu_layout *l;
    void *dst;
    const void *src;
};

static adn_status import_on_worker(void *user)
{
    struct convert_call *call = user;
    return call->l->import_(call->l, call->dst, call->src);
}

static adn_status export_on_worker(void *user)
{
    struct convert_call *call = user;
    return call->l->export_(call->l, call->dst, call->src);
}

static adn_status param_import(adn_queue *q, const adn_layout *l, void *dst, const double *src)
{
    struct convert_call call = {(const adn_cpu_layout *)l, dst, src};
    return adn_cpu_queue_call(q, import_on_worker, &call);
}

static adn_status param_export(adn_queue *q, const adn_layout *l, double *dst, const void *src)
{
    struct convert_call call = {(const adn_cpu_layout *)l, dst, src};
    return adn_cpu_queue_call(q, export_on_worker, &call);
}

static void op_destroy(adn_op *base)
{
    adn_cpu_op *op = (adn_cpu_op *)base;
    if (op == NULL) return;
    if (op->impl_free != NULL) op->impl_free(op->impl);
    adn_free(op);
}

adn_status adn_cpu_choose(const adn_cpu_way *const *ways, adn_cpu_op *op)
{
    const adn_cpu_way *way = ways[op->base.desc.kind];
    adn_status st = ADN_END;
    for (; st == ADN_END; way++) {
        op->base.algo = way->algo;
        st = way->plan(op);
    }
    return st;
}

static adn_status plan_on_worker(void *user)
{
    adn_cpu_op *op = user;
    const adn_cpu_isa *isa = adn_cpu_queue_isa(op->base.queue);
    return adn_cpu_choose(op->base.desc.type == ADN_BF16 ? isa->ways_bf16 : isa->ways, op);
}

static adn_status plan(adn_queue *q, const adn_op_desc *d, adn_op **out)
{
    adn_cpu_op *op = adn_alloc(sizeof(*op));
    if (op == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for an operation");
    op->base.queue = q;
    op->base.desc = *d;
    op->base.macs = adn_op_macs(d);
    adn_status st = adn_cpu_queue_call(q, plan_on_worker, op);
    if (st != ADN_OK) {
        op_destroy(&op->base);
        return st;
    }
    *out = &op->base;
    return ADN_OK;
}

static adn_status run(adn_op *op, const adn_op_args *args)
{
    return adn_cpu_queue_run((adn_cpu_op *)op, args);
}

static const adn_device_ops cpu_ops = {
    .name = "cpu",
    .close = cpu_close,
    .alloc = cpu_alloc,
    .release = cpu_release,
    .host_alloc = cpu_alloc,
    .host_release = cpu_release,
    .memory_free = cpu_memory_free,
    .queue_create = adn_cpu_queue_create,
    .queue_destroy = adn_cpu_queue_destroy,
    .queue_sync = adn_cpu_queue_sync,
    .queue_profile = adn_cpu_queue_profile,
    .queue_rates = adn_cpu_queue_rates,
    .range_begin = range_begin,
    .range_end = range_end,
    .event_create = adn_cpu_event_create,
    .event_destroy = adn_cpu_event_destroy,
    .event_record = adn_cpu_event_record,
    .event_wait = adn_cpu_event_wait,
    .event_sync = adn_cpu_event_sync,
    .event_query = adn_cpu_event_query,
    .upload = adn_cpu_queue_copy,
    .download = adn_cpu_queue_copy,
    .copy = adn_cpu_queue_copy,
    .fill = adn_cpu_queue_fill,
    .group_create = adn_cpu_group_create,
    .group_destroy = adn_cpu_group_destroy,
    .group_mean = adn_cpu_group_mean,
    .group_join = adn_cpu_group_join,
    .group_send = adn_cpu_group_send,
    .layout_create = layout_create,
    .layout_destroy = layout_destroy,
    .param_import = param_import,
    .param_export = param_export,
    .plan = plan,
    .run = run,
    .op_destroy = op_destroy,
};

adn_status adn_cpu_open(adn_device **out)
{
    const adn_cpu_isa *isa;
    adn_status st = adn_cpu_isa_choose(&isa);
    adn_cpu_device *dev = st == ADN_OK ? adn_alloc(sizeof(*dev)) : NULL;

    if (st != ADN_OK) return st;
    if (dev == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for the device");
    dev->base.ops = &cpu_ops;
    dev->isa = isa;
    *out = &dev->base;
    return ADN_OK;
}
