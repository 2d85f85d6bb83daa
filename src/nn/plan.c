/* From a list of operations to memory and device plans: lives of buffers, offsets, planned
 * operations. */
#include "nn/net.h"

static void touch(adn_net_plan *p, adn_at at, int op)
{
    if (at.place != ADN_AT_BUFFER) return;
    adn_buffer *f = &p->buffers[at.index];
    if (f->first < 0) f->first = op;
    f->last = ADN_MAX(f->last, op);
}

static bool meet(const adn_buffer *a, const adn_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Moves `at` behind every placed buffer that lives at the same time and covers it; false when none
 * did. */
static bool bumped(const adn_net_plan *p, const adn_buffer *f, const bool *is_placed, size_t *at)
{
    for (int k = 0; k < p->n_buffer; k++) {
        const adn_buffer *o = &p->buffers[k];
        if (!is_placed[k] || !meet(f, o)) continue;
        if (*at < o->offset + o->bytes && o->offset < *at + f->bytes) {
            *at = o->offset + o->bytes;
            return true;
        }
    }
    return false;
}

/* Largest first, each at the lowest offset where nothing that lives with it lies. */
static adn_status place_buffers(adn_net_plan *p)
{
    bool *is_placed = adn_alloc((size_t)p->n_buffer * sizeof(*is_placed));
    if (is_placed == NULL) return ADN_FAIL(ADN_NOMEM, "net: no memory for its plan");
    for (int k = 0; k < p->n_buffer; k++)
        p->buffers[k].bytes = (p->buffers[k].bytes + 63) / 64 * 64;
    for (int done = 0; done < p->n_buffer; done++) {
        int pick = -1;
        for (int k = 0; k < p->n_buffer; k++)
            if (!is_placed[k] && (pick < 0 || p->buffers[k].bytes > p->buffers[pick].bytes))
                pick = k;
        adn_buffer *f = &p->buffers[pick];
        size_t at = 0;
        while (bumped(p, f, is_placed, &at)) continue;
        f->offset = at;
        is_placed[pick] = true;
        p->arena_bytes = ADN_MAX(p->arena_bytes, at + f->bytes);
    }
    adn_free(is_placed);
    return ADN_OK;
}

adn_status adn_plan_finish(adn_net *net, adn_net_plan *p)
{
    adn_status st = ADN_OK;

    for (int k = 0; k < p->n_op; k++)
        for (int r = 0; r < ADN_N_ROLE; r++) touch(p, p->ops[k].at[r], k);
    /* The emitted copy is made where that phase ends. */
    touch(p, p->block_output, ADN_MIN(p->phase_end[ADN_PHASE_EMIT], p->n_op - 1));
    ADN_TRY(st, place_buffers(p), done);
    for (int k = 0; k < p->n_op; k++) {
        adn_planned *o = &p->ops[k];
        ADN_TRY(st, net->dev->ops->plan(net->queue, &o->desc, &o->op), done);
        net->workspace_bytes = ADN_MAX(net->workspace_bytes, o->op->workspace_bytes);
    }
    net->activation_bytes = ADN_MAX(net->activation_bytes, p->arena_bytes);
done:
    return st;
}

static void *address(adn_net *net, const adn_net_plan *p, adn_at at)
{
    size_t item = adn_type_bytes(adn_param_type(net->type));

    switch (at.place) {
    case ADN_AT_BUFFER:
        return (char *)net->activations + p->buffers[at.index].offset;
    case ADN_AT_PARAM:
        return (char *)net->params + net->tensors[at.index].offset * item;
    case ADN_AT_GRAD:
        return (char *)net->grads + net->tensors[at.index].offset * item;
    case ADN_AT_STAT:
        return (char *)net->stats + net->tensors[at.index].offset * item;
    default:
        return NULL; /* bound at run */
    }
}

void adn_plan_bind(adn_net *net, adn_net_plan *p)
{
    for (int k = 0; k < p->n_op; k++) {
        for (int r = 0; r < ADN_N_ROLE; r++) p->ops[k].args.p[r] = address(net, p, p->ops[k].at[r]);
        p->ops[k].args.p[ADN_WORKSPACE] = net->workspace;
    }
    p->block_output_ptr = address(net, p, p->block_output);
}

void adn_plan_clear(adn_net_plan *p)
{
    for (int k = 0; k < p->n_op; k++) adn_op_destroy(p->ops[k].op);
    adn_free(p->ops);
    adn_free(p->buffers);
    adn_free(p->bucket_end);
    *p = (adn_net_plan){0};
}
