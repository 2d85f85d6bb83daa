/* oneDNN's objects behind chains, its status codes turned into ours. */
#include "device/cpu/dnnl.h"

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
    if (c->attr != NULL) dnnl_primitive_attr_destroy(c->attr);
    if (c->stream != NULL) dnnl_stream_destroy(c->stream);
    if (c->engine != NULL) dnnl_engine_destroy(c->engine);
    adn_free(c);
}

adn_status adn_chain_slot_add(adn_chain *c, const adn_chain_format *f, adn_role role,
                              dnnl_memory_t *out)
{
    ADN_ASSERT(c->n_slot < (int)ADN_COUNT(c->slots));
    adn_chain_slot *s = &c->slots[c->n_slot];
    adn_status st =
        checked(dnnl_memory_create(&s->memory, f, c->engine, DNNL_MEMORY_NONE), "memory");

    if (st != ADN_OK) return st;
    c->n_slot++;
    s->role = role;
    if (role == ADN_WORKSPACE) {
        s->offset = c->workspace_bytes;
        c->workspace_bytes += fast_round_up(dnnl_memory_desc_get_size(f), 64);
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
    const adn_chain_format *scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    adn_status st = ADN_OK;

    ADN_TRY(st, checked(dnnl_primitive_create(&s->primitive, pd), "primitive"), done);
    c->n_step++;
    if (scratch != NULL && dnnl_memory_desc_get_size(scratch) > 0) {
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
    dnnl_status_t made =
        dnnl_reorder_primitive_desc_create(&pd, from, c->engine, to, c->engine, c->attr);
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
