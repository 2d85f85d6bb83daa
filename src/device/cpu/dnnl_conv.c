/* Direct convolutions by oneDNN: NHWC activations, weights in the blocked format that the forward
 * pass of the full training batch chooses. A pass that wants another format gets a reorder in the
 * workspace. */
#include "device/cpu/dnnl_conv.h"

#include <string.h>

#include "device/cpu/dnnl.h"

/* A convolution in oneDNN's words. `any`: weights as the primitive likes them. */
typedef struct shapes {
    adn_chain_format src, dst, bias, any;
    dnnl_dims_t stride, pad;
    bool has_bias;
} shapes;

static void shapes_init(shapes *s, const adn_op_desc *d)
{
    dnnl_dims_t src = {d->src.n, d->src.c, d->src.h, d->src.w};
    dnnl_dims_t dst = {d->dst.n, d->dst.c, d->dst.h, d->dst.w}, bias = {d->dst.c};
    dnnl_dims_t weight = {d->dst.c, d->src.c, d->u.conv.kernel, d->u.conv.kernel};

    *s = (shapes){.stride = {d->u.conv.stride, d->u.conv.stride},
                  .pad = {d->u.conv.pad, d->u.conv.pad},
                  .has_bias = d->u.conv.has_bias};
    /* These fail for wrong ranks and negative sizes only. */
    dnnl_memory_desc_init_by_tag(&s->src, 4, src, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&s->dst, 4, dst, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&s->bias, 1, bias, dnnl_f32, dnnl_x);
    dnnl_memory_desc_init_by_tag(&s->any, 4, weight, dnnl_f32, dnnl_format_tag_any);
}

/* fwd: the forward pass as a hint; NULL for that pass itself. */
static dnnl_status_t pass_desc(const adn_chain *c, adn_op_kind kind, const shapes *s,
                               const adn_chain_format *weight, const_dnnl_primitive_desc_t fwd,
                               dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t conv;
    const adn_chain_format *bias = s->has_bias ? &s->bias : NULL;
    dnnl_status_t st;

    if (kind == ADN_OP_CONV_FWD)
        st = dnnl_convolution_forward_desc_init(&conv, dnnl_forward_training,
                                                dnnl_convolution_direct, &s->src, weight, bias,
                                                &s->dst, s->stride, s->pad, s->pad);
    else if (kind == ADN_OP_CONV_GRAD_SRC)
        st = dnnl_convolution_backward_data_desc_init(&conv, dnnl_convolution_direct, &s->src,
                                                      weight, &s->dst, s->stride, s->pad, s->pad);
    else
        st = dnnl_convolution_backward_weights_desc_init(&conv, dnnl_convolution_direct, &s->src,
                                                         weight, bias, &s->dst, s->stride, s->pad,
                                                         s->pad);
    return st != dnnl_success ? st
                              : dnnl_primitive_desc_create(out, &conv, c->attr, c->engine, fwd);
}

/* oneDNN's own plain loops are slower than ours by far. */
static bool is_plain_loop(const_dnnl_primitive_desc_t pd)
{
    const char *name = "ref";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    return strstr(name, "ref") != NULL;
}

/* A pass with weights as `weight` says if there is real code for that, else as it likes them; plain
 * loops only where they will do. ADN_END: nothing for this shape. */
static adn_status pass_choose(const adn_chain *c, adn_op_kind kind, const shapes *s,
                              const adn_chain_format *weight, bool loops_do,
                              dnnl_primitive_desc_t *out)
{
    const adn_chain_format *wish[] = {weight, &s->any, weight};
    dnnl_primitive_desc_t fwd = NULL, pd = NULL;
    bool is_found = false;

    if (kind != ADN_OP_CONV_FWD &&
        pass_desc(c, ADN_OP_CONV_FWD, s, &s->any, NULL, &fwd) != dnnl_success)
        return ADN_END;
    for (size_t i = 0; i < ADN_COUNT(wish) && !is_found; i++) {
        if (pass_desc(c, kind, s, wish[i], fwd, &pd) != dnnl_success) continue;
        is_found = !is_plain_loop(pd) || (loops_do && i == 2);
        if (!is_found) dnnl_primitive_desc_destroy(pd);
    }
    if (fwd != NULL) dnnl_primitive_desc_destroy(fwd);
    if (!is_found) return ADN_END;
    *out = pd;
    return ADN_OK;
}

/* The weights' format of a pass, whichever way they go. */
static adn_chain_format pass_format(adn_op_kind kind, const_dnnl_primitive_desc_t pd)
{
    dnnl_query_t what =
        kind == ADN_OP_CONV_GRAD_PARAM ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
    return *dnnl_primitive_desc_query_md(pd, what, 0);
}

/* What each pass reads and writes; of the weights, their argument and role. */
typedef struct pass_args {
    struct {
        int arg;
        adn_role role;
    } src, dst, weight, bias;
} pass_args;

static const pass_args passes[] = {
    [ADN_OP_CONV_FWD] = {{DNNL_ARG_SRC, ADN_SRC},
                         {DNNL_ARG_DST, ADN_DST},
                         {DNNL_ARG_WEIGHTS, ADN_WEIGHT},
                         {DNNL_ARG_BIAS, ADN_BIAS}},
    [ADN_OP_CONV_GRAD_SRC] = {{DNNL_ARG_DIFF_SRC, ADN_GRAD_SRC},
                              {DNNL_ARG_DIFF_DST, ADN_GRAD_DST},
                              {DNNL_ARG_WEIGHTS, ADN_WEIGHT},
                              {0}},
    [ADN_OP_CONV_GRAD_PARAM] = {{DNNL_ARG_SRC, ADN_SRC},
                                {DNNL_ARG_DIFF_DST, ADN_GRAD_DST},
                                {DNNL_ARG_DIFF_WEIGHTS, ADN_GRAD_WEIGHT},
                                {DNNL_ARG_DIFF_BIAS, ADN_GRAD_BIAS}},
};

/* Fills the chain: [reorder] pass, or pass [reorder]. Takes pd, in any case. */
static adn_status chain_fill(adn_chain *c, adn_op_kind kind, const shapes *s,
                             const adn_chain_format *layout, dnnl_primitive_desc_t pd)
{
    const pass_args *pass = &passes[kind];
    const adn_chain_format inner = pass_format(kind, pd);
    bool is_same = dnnl_memory_desc_equal(&inner, layout), is_grad = kind == ADN_OP_CONV_GRAD_PARAM;
    dnnl_memory_t weight, own, src, dst, bias;
    adn_chain_step *step;
    adn_status st = ADN_OK;

    ADN_TRY(st, adn_chain_slot_add(c, layout, pass->weight.role, &weight), fail);
    own = weight;
    if (!is_same) ADN_TRY(st, adn_chain_slot_add(c, &inner, ADN_WORKSPACE, &own), fail);
    if (!is_same && !is_grad)
        ADN_TRY(st, adn_chain_reorder_add(c, layout, weight, &inner, own), fail);
    st = adn_chain_step_add(c, pd, &step);
    if (st != ADN_OK) return st;
    ADN_TRY(st, adn_chain_slot_add(c, &s->src, pass->src.role, &src), done);
    ADN_TRY(st, adn_chain_slot_add(c, &s->dst, pass->dst.role, &dst), done);
    adn_chain_step_arg(step, pass->src.arg, src);
    adn_chain_step_arg(step, pass->dst.arg, dst);
    adn_chain_step_arg(step, pass->weight.arg, own);
    if (s->has_bias && pass->bias.arg != 0) {
        ADN_TRY(st, adn_chain_slot_add(c, &s->bias, pass->bias.role, &bias), done);
        adn_chain_step_arg(step, pass->bias.arg, bias);
    }
    if (!is_same && is_grad)
        ADN_TRY(st, adn_chain_reorder_add(c, &inner, own, layout, weight), done);
done:
    return st;
fail:
    dnnl_primitive_desc_destroy(pd);
    return st;
}

static size_t n_place(const adn_op_desc *d)
{
    return (size_t)d->dst.n * (size_t)d->dst.h * (size_t)d->dst.w;
}

/* The sums are a pass of their own; their parts lie behind the chain's workspace. */
static adn_status run_chain(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_chain *c = op->impl;
    const adn_op_desc *d = &op->base.desc;
    float *parts = (float *)((char *)args->p[ADN_WORKSPACE] + c->workspace_bytes);
    adn_status st = adn_chain_run(c, args->p);

    if (st == ADN_OK && args->p[ADN_SUMS] != NULL)
        adn_cpu_queue_isa(op->base.queue)
            ->moments(args->p[ADN_SUMS], args->p[ADN_DST], n_place(d), (size_t)d->dst.c, parts);
    return st;
}

/* An empty batch: sums over nothing. */
static adn_status run_empty(const adn_cpu_op *op, const adn_op_args *args)
{
    fast_zero_sums(&op->base.desc, args);
    return ADN_OK;
}

/* Copies between the layout (at role WEIGHT) and PyTorch's order in floats (at SRC), either way. */
static adn_status layout_copy(const adn_cpu_layout *l, void *weight, float *plain, bool is_import)
{
    void *p[ADN_N_ROLE] = {[ADN_WEIGHT] = weight, [ADN_SRC] = plain};
    dnnl_dims_t dims = {l->base.o, l->base.i, l->base.kernel, l->base.kernel};
    const adn_chain_format *blocked = l->impl;
    adn_chain_format oihw;
    dnnl_memory_t inside, outside;
    adn_chain *c;
    adn_status st = adn_chain_create(&c);

    if (st != ADN_OK) return st;
    dnnl_memory_desc_init_by_tag(&oihw, 4, dims, dnnl_f32, dnnl_oihw);
    ADN_TRY(st, adn_chain_slot_add(c, blocked, ADN_WEIGHT, &inside), done);
    ADN_TRY(st, adn_chain_slot_add(c, &oihw, ADN_SRC, &outside), done);
    if (is_import)
        st = adn_chain_reorder_add(c, &oihw, outside, blocked, inside);
    else
        st = adn_chain_reorder_add(c, blocked, inside, &oihw, outside);
    if (st == ADN_OK) st = adn_chain_run(c, p);
done:
    adn_chain_destroy(c);
    return st;
}

static size_t layout_count(const adn_cpu_layout *l)
{
    return (size_t)l->base.o * (size_t)l->base.i * (size_t)l->base.kernel * (size_t)l->base.kernel;
}

static adn_status layout_import(const adn_cpu_layout *l, void *dst, const double *src)
{
    size_t n = layout_count(l);
    float *plain = adn_alloc(n * sizeof(*plain));

    if (plain == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory to import a weight");
    for (size_t i = 0; i < n; i++) plain[i] = (float)src[i];
    adn_status st = layout_copy(l, dst, plain, true);
    adn_free(plain);
    return st;
}

static adn_status layout_export(const adn_cpu_layout *l, double *dst, const void *src)
{
    size_t n = layout_count(l);
    float *plain = adn_alloc(n * sizeof(*plain));

    if (plain == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory to export a weight");
    /* oneDNN's memory objects know no const; the copy only reads here. */
    adn_status st = layout_copy(l, (void *)(uintptr_t)src, plain, false);
    for (size_t i = 0; st == ADN_OK && i < n; i++) dst[i] = (double)plain[i];
    adn_free(plain);
    return st;
}

adn_status adn_dnnl_layout(adn_cpu_layout *l, const adn_op_desc *fwd)
{
    static const adn_op_kind kinds[] = {ADN_OP_CONV_FWD, ADN_OP_CONV_GRAD_SRC,
                                        ADN_OP_CONV_GRAD_PARAM};
    adn_chain_format *format = NULL;
    adn_chain *c;
    shapes s;

    if (fwd->kind != ADN_OP_CONV_FWD || fwd->type != ADN_F32 || adn_shape_count(fwd->src) == 0)
        return ADN_END;
    adn_status st = adn_chain_create(&c);
    if (st != ADN_OK) return st;
    shapes_init(&s, fwd);
    for (size_t i = 0; i < ADN_COUNT(kinds); i++) { /* all three passes, or the loops' layout */
        dnnl_primitive_desc_t pd;
        ADN_TRY(st, pass_choose(c, kinds[i], &s, i == 0 ? &s.any : format, false, &pd), done);
        if (i == 0 && (format = adn_alloc(sizeof(*format))) != NULL)
            *format = pass_format(kinds[i], pd);
        dnnl_primitive_desc_destroy(pd);
        if (format == NULL) {
            st = ADN_FAIL(ADN_NOMEM, "cpu: no memory for a layout");
            goto done;
        }
    }
    l->base.bytes = dnnl_memory_desc_get_size(format);
    l->base.algo = "onednn";
    l->impl = format;
    l->impl_free = adn_free;
    l->import_ = layout_import;
    l->export_ = layout_export;
    format = NULL;
done:
    adn_free(format);
    adn_chain_destroy(c);
    return st;
}

adn_status adn_dnnl_conv_plan(adn_cpu_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    const adn_cpu_layout *layout = (const adn_cpu_layout *)d->layout;
    dnnl_primitive_desc_t pd;
    adn_chain *c;
    shapes s;

    if (layout->import_ != layout_import) return ADN_END; /* not ours */
    if (adn_shape_count(d->src) == 0) {
        op->run = run_empty;
        return ADN_OK;
    }
    adn_status st = adn_chain_create(&c);
    if (st != ADN_OK) return st;
    shapes_init(&s, d);
    st = pass_choose(c, d->kind, &s, layout->impl, true, &pd);
    if (st == ADN_END)
        st = ADN_FAIL(ADN_DEVICE, "oneDNN: no convolution of this shape in the layout chosen");
    if (st == ADN_OK) st = chain_fill(c, d->kind, &s, layout->impl, pd);
    if (st != ADN_OK) {
        adn_chain_destroy(c);
        return st;
    }
    op->run = run_chain;
    op->impl = c;
    op->impl_free = adn_chain_destroy;
    op->base.workspace_bytes = c->workspace_bytes;
    if (d->kind == ADN_OP_CONV_FWD) {
        size_t rows = adn_cpu_queue_isa(op->base.queue)->moments_rows;
        size_t n_part = (n_place(d) + rows - 1) / rows;
        op->base.workspace_bytes += n_part * 2 * (size_t)d->dst.c * sizeof(float);
    }
    return ADN_OK;
}
