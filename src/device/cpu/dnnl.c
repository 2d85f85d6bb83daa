/* oneDNN's objects behind chains, its status codes turned into ours, its two generations made
 * one. */
#include "device/cpu/dnnl.h"

#include <stdio.h>

/* --- Where 2.6 and 3 differ: the same five functions for each. */
#if DNNL_VERSION_MAJOR < 3 /* descriptors are values, those of operations too */

typedef const dnnl_memory_desc_t *desc;

static desc desc_of(const adn_chain_format *f)
{
    return f;
}

static dnnl_status_t desc_make(adn_chain_format *f, int n_dim, const dnnl_dims_t dims,
                               dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(f, n_dim, dims, dnnl_f32, tag);
}

static dnnl_status_t desc_copy(adn_chain_format *f, desc from)
{
    *f = *from;
    return dnnl_success;
}

static void desc_clear(adn_chain_format *f)
{
    (void)f; /* owns nothing */
}

static dnnl_status_t conv_desc(const adn_chain *c, adn_op_kind pass, const adn_chain_conv *v,
                               desc weight, const_dnnl_primitive_desc_t fwd,
                               dnnl_primitive_desc_t *out)
{
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    dnnl_convolution_desc_t conv;
    dnnl_status_t st;

    if (pass == ADN_OP_CONV_FWD)
        st = dnnl_convolution_forward_desc_init(&conv, dnnl_forward_training, direct, v->src,
                                                weight, v->bias, v->dst, v->stride, v->pad, v->pad);
    else if (pass == ADN_OP_CONV_GRAD_SRC)
        st = dnnl_convolution_backward_data_desc_init(&conv, direct, v->src, weight, v->dst,
                                                      v->stride, v->pad, v->pad);
    else
        st = dnnl_convolution_backward_weights_desc_init(&conv, direct, v->src, weight, v->bias,
                                                         v->dst, v->stride, v->pad, v->pad);
    return st != dnnl_success ? st
                              : dnnl_primitive_desc_create(out, &conv, c->attr, c->engine, fwd);
}

#else /* descriptors are objects behind pointers, and operations have none */

typedef const_dnnl_memory_desc_t desc;

static desc desc_of(const adn_chain_format *f)
{
    return *f;
}

static dnnl_status_t desc_make(adn_chain_format *f, int n_dim, const dnnl_dims_t dims,
                               dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(f, n_dim, dims, dnnl_f32, tag);
}

static dnnl_status_t desc_copy(adn_chain_format *f, desc from)
{
    return dnnl_memory_desc_clone(f, from);
}

static void desc_clear(adn_chain_format *f)
{
    dnnl_memory_desc_destroy(*f);
}

static dnnl_status_t conv_desc(const adn_chain *c, adn_op_kind pass, const adn_chain_conv *v,
                               desc weight, const_dnnl_primitive_desc_t fwd,
                               dnnl_primitive_desc_t *out)
{
    static const dnnl_dims_t dense = {0}; /* dilations */
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    desc bias = v->bias != NULL ? *v->bias : NULL;

    if (pass == ADN_OP_CONV_FWD)
        return dnnl_convolution_forward_primitive_desc_create(
            out, c->engine, dnnl_forward_training, direct, *v->src, weight, bias, *v->dst,
            v->stride, dense, v->pad, v->pad, c->attr);
    if (pass == ADN_OP_CONV_GRAD_SRC)
        return dnnl_convolution_backward_data_primitive_desc_create(
            out, c->engine, direct, *v->src, weight, *v->dst, v->stride, dense, v->pad, v->pad, fwd,
            c->attr);
    return dnnl_convolution_backward_weights_primitive_desc_create(
        out, c->engine, direct, *v->src, weight, bias, *v->dst, v->stride, dense, v->pad, v->pad,
        fwd, c->attr);
}

#endif
/* --- One for both from here on. */

static adn_status checked(dnnl_status_t st, const char *what)
{
    if (st == dnnl_success) return ADN_OK;
    return ADN_FAIL(st == dnnl_out_of_memory ? ADN_NOMEM : ADN_DEVICE, "oneDNN: %s: status %d",
                    what, (int)st);
}

adn_status adn_chain_create(adn_chain **out)
{
    adn_status st = ADN_OK;
    adn_chain *c = adn_alloc(sizeof(*c));

    if (c == NULL) return ADN_FAIL(ADN_NOMEM, "oneDNN: no memory for a plan");
    ADN_TRY(st, checked(dnnl_engine_create(&c->engine, dnnl_cpu, 0), "engine"), fail);
    ADN_TRY(st,
            checked(dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags), "stream"),
            fail);
    ADN_TRY(st, checked(dnnl_primitive_attr_create(&c->attr), "attributes"), fail);
    ADN_TRY(st,
            checked(dnnl_primitive_attr_set_scratchpad_mode(c->attr, dnnl_scratchpad_mode_user),
                    "scratchpad"),
            fail);
    *out = c;
    return ADN_OK;
fail:
    adn_chain_destroy(c);
    return st;
}

void adn_chain_destroy(void *chain)
{
    adn_chain *c = chain;

    if (c == NULL) return;
    for (int i = 0; i < c->n_step; i++) dnnl_primitive_destroy(c->steps[i].primitive);
    for (int i = 0; i < c->n_slot; i++) dnnl_memory_destroy(c->slots[i].memory);
    for (int i = 0; i < c->n_format; i++) desc_clear(&c->formats[i]);
    if (c->attr != NULL) dnnl_primitive_attr_destroy(c->attr);
    if (c->stream != NULL) dnnl_stream_destroy(c->stream);
    if (c->engine != NULL) dnnl_engine_destroy(c->engine);
    adn_free(c);
}

adn_status adn_chain_format_add(adn_chain *c, int n_dim, const dnnl_dims_t dims,
                                dnnl_format_tag_t tag, const adn_chain_format **out)
{
    ADN_ASSERT(c->n_format < (int)ADN_COUNT(c->formats));
    adn_chain_format *f = &c->formats[c->n_format];
    adn_status st = checked(desc_make(f, n_dim, dims, tag), "format");

    if (st != ADN_OK) return st;
    c->n_format++;
    *out = f;
    return ADN_OK;
}

adn_status adn_chain_format_query(adn_chain *c, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                                  const adn_chain_format **out)
{
    ADN_ASSERT(c->n_format < (int)ADN_COUNT(c->formats));
    adn_chain_format *f = &c->formats[c->n_format];
    desc found = dnnl_primitive_desc_query_md(pd, what, 0); /* pd's own */
    adn_status st = checked(found != NULL ? desc_copy(f, found) : dnnl_invalid_arguments, "format");

    if (st != ADN_OK) return st;
    c->n_format++;
    *out = f;
    return ADN_OK;
}

size_t adn_chain_format_bytes(const adn_chain_format *f)
{
    return dnnl_memory_desc_get_size(desc_of(f));
}

bool adn_chain_format_equal(const adn_chain_format *a, const adn_chain_format *b)
{
    return dnnl_memory_desc_equal(desc_of(a), desc_of(b)) != 0;
}

adn_status adn_chain_format_copy(const adn_chain_format *f, adn_chain_format **out)
{
    adn_chain_format *copy = adn_alloc(sizeof(*copy));

    if (copy == NULL) return ADN_FAIL(ADN_NOMEM, "oneDNN: no memory for a format");
    adn_status st = checked(desc_copy(copy, desc_of(f)), "format");
    if (st == ADN_OK)
        *out = copy;
    else
        adn_free(copy);
    return st;
}

void adn_chain_format_free(void *format)
{
    if (format == NULL) return;
    desc_clear(format);
    adn_free(format);
}

adn_status adn_chain_conv_desc(const adn_chain *c, adn_op_kind pass, const adn_chain_conv *conv,
                               const adn_chain_format *weight, const_dnnl_primitive_desc_t fwd,
                               dnnl_primitive_desc_t *out)
{
    return conv_desc(c, pass, conv, desc_of(weight), fwd, out) == dnnl_success ? ADN_OK : ADN_END;
}

adn_status adn_chain_slot_add(adn_chain *c, const adn_chain_format *f, adn_role role,
                              dnnl_memory_t *out)
{
    ADN_ASSERT(c->n_slot < (int)ADN_COUNT(c->slots));
    adn_chain_slot *s = &c->slots[c->n_slot];
    adn_status st =
        checked(dnnl_memory_create(&s->memory, desc_of(f), c->engine, DNNL_MEMORY_NONE), "memory");

    if (st != ADN_OK) return st;
    c->n_slot++;
    s->role = role;
    if (role == ADN_WORKSPACE) {
        s->offset = c->workspace_bytes;
        c->workspace_bytes += fast_round_up(adn_chain_format_bytes(f), 64);
    }
    *out = s->memory;
    return ADN_OK;
}

void adn_chain_step_arg(adn_chain_step *s, int arg, dnnl_memory_t memory)
{
    ADN_ASSERT(s->n_arg < (int)ADN_COUNT(s->args));
    s->args[s->n_arg++] = (dnnl_exec_arg_t){arg, memory};
}

adn_status adn_chain_step_add(adn_chain *c, dnnl_primitive_desc_t pd, adn_chain_step **out)
{
    ADN_ASSERT(c->n_step < (int)ADN_COUNT(c->steps));
    adn_chain_step *s = &c->steps[c->n_step];
    const adn_chain_format *scratch;
    adn_status st = ADN_OK;

    ADN_TRY(st, checked(dnnl_primitive_create(&s->primitive, pd), "primitive"), done);
    c->n_step++;
    ADN_TRY(st, adn_chain_format_query(c, pd, dnnl_query_scratchpad_md, &scratch), done);
    if (adn_chain_format_bytes(scratch) > 0) {
        dnnl_memory_t memory;
        ADN_TRY(st, adn_chain_slot_add(c, scratch, ADN_WORKSPACE, &memory), done);
        adn_chain_step_arg(s, DNNL_ARG_SCRATCHPAD, memory);
    }
    *out = s;
done:
    dnnl_primitive_desc_destroy(pd);
    return st;
}

adn_status adn_chain_reorder_add(adn_chain *c, const adn_chain_format *from, dnnl_memory_t src,
                                 const adn_chain_format *to, dnnl_memory_t dst)
{
    dnnl_primitive_desc_t pd;
    adn_chain_step *s;
    dnnl_status_t made = dnnl_reorder_primitive_desc_create(&pd, desc_of(from), c->engine,
                                                            desc_of(to), c->engine, c->attr);
    adn_status st = checked(made, "reorder");

    if (st == ADN_OK) st = adn_chain_step_add(c, pd, &s);
    if (st != ADN_OK) return st;
    adn_chain_step_arg(s, DNNL_ARG_FROM, src);
    adn_chain_step_arg(s, DNNL_ARG_TO, dst);
    return ADN_OK;
}

adn_status adn_chain_run(const adn_chain *c, void *const p[ADN_N_ROLE])
{
    dnnl_status_t st = dnnl_success;

    for (int i = 0; i < c->n_slot && st == dnnl_success; i++) {
        const adn_chain_slot *s = &c->slots[i];
        ADN_ASSERT(p[s->role] != NULL);
        st = dnnl_memory_set_data_handle(s->memory, (char *)p[s->role] + s->offset);
    }
    for (int i = 0; i < c->n_step && st == dnnl_success; i++) {
        const adn_chain_step *s = &c->steps[i];
        st = dnnl_primitive_execute(s->primitive, c->stream, s->n_arg, s->args);
    }
    if (st == dnnl_success) st = dnnl_stream_wait(c->stream);
    return checked(st, "execution");
}

void adn_dnnl_version(char *out, size_t room)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(out, room, "%d.%d.%d", v->major, v->minor, v->patch);
}
