/* Direct convolutions by oneDNN: NHWC activations, weights in the blocked format that the forward
 * pass of the full training batch chooses. A pass that wants another format gets a reorder in the
 * workspace. */
#include "device/cpu/dnnl_conv.h"

#include <string.h>

#include "device/cpu/dnnl.h"

/* What d asks for, in oneDNN's words; the chain keeps the formats. */
static adn_status conv_init(adn_chain *c, adn_chain_conv *v, const adn_op_desc *d)
{
    dnnl_dims_t src = {d->src.n, d->src.c, d->src.h, d->src.w};
    dnnl_dims_t dst = {d->dst.n, d->dst.c, d->dst.h, d->dst.w}, bias = {d->dst.c};
    dnnl_dims_t weight = {d->dst.c, d->src.c, d->u.conv.kernel, d->u.conv.kernel};
    adn_status st = ADN_OK;

    *v = (adn_chain_conv){.stride = {d->u.conv.stride, d->u.conv.stride},
                          .pad = {d->u.conv.pad, d->u.conv.pad}};
    ADN_TRY(st, adn_chain_format_add(c, 4, src, dnnl_nhwc, &v->src), done);
    ADN_TRY(st, adn_chain_format_add(c, 4, dst, dnnl_nhwc, &v->dst), done);
    if (d->u.conv.has_bias) ADN_TRY(st, adn_chain_format_add(c, 1, bias, dnnl_x, &v->bias), done);
    ADN_TRY(st, adn_chain_format_add(c, 4, weight, dnnl_format_tag_any, &v->any), done);
done:
    return st;
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
static adn_status pass_choose(const adn_chain *c, adn_op_kind kind, const adn_chain_conv *v,
                              const adn_chain_format *weight, bool loops_do,
                              dnnl_primitive_desc_t *out)
{
    const adn_chain_format *wish[] = {weight, v->any, weight};
    dnnl_primitive_desc_t fwd = NULL, pd = NULL;
    bool is_found = false;

    if (kind != ADN_OP_CONV_FWD &&
        adn_chain_conv_desc(c, ADN_OP_CONV_FWD, v, v->any, NULL, &fwd) != ADN_OK)
        return ADN_END;
    for (size_t i = 0; i < ADN_COUNT(wish) && !is_found; i++) {
        if (adn_chain_conv_desc(c, kind, v, wish[i], fwd, &pd) != ADN_OK) continue;
        is_found = !is_plain_loop(pd) || (loops_do && i == 2);
        if (!is_found) dnnl_primitive_desc_destroy(pd);
    }
    if (fwd != NULL) dnnl_primitive_desc_destroy(fwd);
    if (!is_found) return ADN_END;
    *out = pd;
    return ADN_OK;
}

/* The weights' format of a pass, whichever way they go. */
static adn_status pass_format(adn_chain *c, adn_op_kind kind, const_dnnl_primitive_desc_t pd,
                              const adn_chain_format **out)
{
    dnnl_query_t what =
        kind == ADN_OP_CONV_GRAD_PARAM ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
    return adn_chain_format_query(c, pd, what, out);
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
static adn_status chain_fill(adn_chain *c, adn_op_kind kind, const adn_chain_conv *v,
                             const adn_chain_format *layout, dnnl_primitive_desc_t pd)
{
    const pass_args *pass = &passes[kind];
    const adn_chain_format *inner;
    bool is_same, is_grad = kind == ADN_OP_CONV_GRAD_PARAM;
    dnnl_memory_t weight, own, src, dst, bias;
    adn_chain_step *step;
    adn_status st = ADN_OK;

    ADN_TRY(st, pass_format(c, kind, pd, &inner), fail);
    is_same = adn_chain_format_equal(inner, layout);
    ADN_TRY(st, adn_chain_slot_add(c, layout, pass->weight.role, &weight), fail);
    own = weight;
    if (!is_same) ADN_TRY(st, adn_chain_slot_add(c, inner, ADN_WORKSPACE, &own), fail);
    if (!is_same && !is_grad)
        ADN_TRY(st, adn_chain_reorder_add(c, layout, weight, inner, own), fail);
    st = adn_chain_step_add(c, pd, &step);
    if (st != ADN_OK) return st;
    ADN_TRY(st, adn_chain_slot_add(c, v->src, pass->src.role, &src), done);
    ADN_TRY(st, adn_chain_slot_add(c, v->dst, pass->dst.role, &dst), done);
    adn_chain_step_arg(step, pass->src.arg, src);
    adn_chain_step_arg(step, pass->dst.arg, dst);
    adn_chain_step_arg(step, pass->weight.arg, own);
    if (v->bias != NULL && pass->bias.arg != 0) {
        ADN_TRY(st, adn_chain_slot_add(c, v->bias, pass->bias.role, &bias), done);
        adn_chain_step_arg(step, pass->bias.arg, bias);
    }
    if (!is_same && is_grad)
        ADN_TRY(st, adn_chain_reorder_add(c, inner, own, layout, weight), done);
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
    const adn_chain_format *blocked = l->impl, *oihw;
    dnnl_memory_t inside, outside;
    adn_chain *c;
    adn_status st = adn_chain_create(&c);

    if (st != ADN_OK) return st;
    ADN_TRY(st, adn_chain_format_add(c, 4, dims, dnnl_oihw, &oihw), done);
    ADN_TRY(st, adn_chain_slot_add(c, blocked, ADN_WEIGHT, &inside), done);
    ADN_TRY(st, adn_chain_slot_add(c, oihw, ADN_SRC, &outside), done);
    if (is_import)
        st = adn_chain_reorder_add(c, oihw, outside, blocked, inside);
    else
        st = adn_chain_reorder_add(c, blocked, inside, oihw, outside);
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

/* Where a 1x1 kernel skips places, oneDNN gathers those it needs in its scratchpad, and in the
 * gradient of the weights writes whole vectors over the end of each thread's part if there are
 * fewer channels than a vector has lanes: seen in 2.6 with eight lanes. 16 are the most there are.
 */
static bool overruns(const adn_op_desc *fwd)
{
    return fwd->u.conv.kernel == 1 && fwd->u.conv.stride > 1 && fwd->src.c < 16;
}

adn_status adn_dnnl_layout(adn_cpu_layout *l, const adn_op_desc *fwd)
{
    static const adn_op_kind kinds[] = {ADN_OP_CONV_FWD, ADN_OP_CONV_GRAD_SRC,
                                        ADN_OP_CONV_GRAD_PARAM};
    const adn_chain_format *format;
    adn_chain_format *kept;
    adn_chain *c;
    adn_chain_conv v;

    if (fwd->kind != ADN_OP_CONV_FWD || fwd->type != ADN_F32 || adn_shape_count(fwd->src) == 0 ||
        overruns(fwd))
        return ADN_END;
    adn_status st = adn_chain_create(&c);
    if (st != ADN_OK) return st;
    ADN_TRY(st, conv_init(c, &v, fwd), done);
    format = v.any;
    for (size_t i = 0; i < ADN_COUNT(kinds); i++) { /* all three passes, or the loops' layout */
        dnnl_primitive_desc_t pd;
        ADN_TRY(st, pass_choose(c, kinds[i], &v, format, false, &pd), done);
        if (i == 0) st = pass_format(c, kinds[i], pd, &format);
        dnnl_primitive_desc_destroy(pd);
        if (st != ADN_OK) goto done;
    }
    ADN_TRY(st, adn_chain_format_copy(format, &kept), done);
    l->base.bytes = adn_chain_format_bytes(kept);
    l->base.algo = "onednn";
    l->impl = kept;
    l->impl_free = adn_chain_format_free;
    l->import_ = layout_import;
    l->export_ = layout_export;
done:
    adn_chain_destroy(c);
    return st;
}

adn_status adn_dnnl_conv_plan(adn_cpu_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    const adn_cpu_layout *layout = (const adn_cpu_layout *)d->layout;
    dnnl_primitive_desc_t pd;
    adn_chain *c;
    adn_chain_conv v;

    if (layout->import_ != layout_import) return ADN_END; /* not ours */
    if (adn_shape_count(d->src) == 0) {
        op->run = run_empty;
        return ADN_OK;
    }
    adn_status st = adn_chain_create(&c);
    if (st != ADN_OK) return st;
    ADN_TRY(st, conv_init(c, &v, d), fail);
    st = pass_choose(c, d->kind, &v, layout->impl, true, &pd);
    if (st == ADN_END)
        st = ADN_FAIL(ADN_DEVICE, "oneDNN: no convolution of this shape in the layout chosen");
    if (st != ADN_OK) goto fail;
    ADN_TRY(st, chain_fill(c, d->kind, &v, layout->impl, pd), fail);
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
fail:
    adn_chain_destroy(c);
    return st;
}
