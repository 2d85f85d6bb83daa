/* Operations over bf16 by a way that knows floats alone: what it reads is widened into the
 * workspace, what it writes is rounded from there. For those whose maps are small, or whose work is
 * large beside a pass over them; and with the loops, what bf16 means. */
#include "device/cpu/cpu.h"

typedef struct wide {
    adn_cpu_op inner; /* the same over floats */
    const adn_cpu_isa *isa;
    size_t offset[ADN_N_ROLE]; /* in the workspace, of roles that hold activations */
    size_t count[ADN_N_ROLE];  /* elements; 0: another role */
} wide;

static float *room_of(const wide *w, const adn_op_args *args, adn_role role)
{
    return (float *)((char *)args->p[ADN_WORKSPACE] + w->offset[role]);
}

static adn_status run_wide(const adn_cpu_op *op, const adn_op_args *args)
{
    const wide *w = op->impl;
    const adn_op_info *info = &adn_op_infos[op->base.desc.kind];
    adn_op_args inner = *args;

    inner.p[ADN_WORKSPACE] = room_of(w, args, ADN_WORKSPACE);
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (w->count[r] == 0 || args->p[r] == NULL) continue;
        inner.p[r] = room_of(w, args, r);
        if (info->role[r] & ADN_READ) w->isa->widen(inner.p[r], args->p[r], w->count[r]);
    }
    adn_status st = w->inner.run(&w->inner, &inner);
    for (adn_role r = 0; r < ADN_N_ROLE && st == ADN_OK; r++)
        if (w->count[r] != 0 && args->p[r] != NULL && (info->role[r] & ADN_WRITE) != 0)
            w->isa->narrow(args->p[r], inner.p[r], w->count[r]);
    return st;
}

static void free_wide(void *impl)
{
    wide *w = impl;

    if (w->inner.impl_free != NULL) w->inner.impl_free(w->inner.impl);
    adn_free(w);
}

adn_status adn_widen_plan(adn_cpu_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    wide *w = adn_alloc(sizeof(*w));
    size_t at = 0;

    if (w == NULL) return ADN_FAIL(ADN_NOMEM, "cpu: no memory for an operation");
    w->isa = adn_cpu_queue_isa(op->base.queue);
    w->inner.base = (adn_op){.queue = op->base.queue, .desc = *d, .macs = op->base.macs};
    w->inner.base.desc.type = ADN_F32;
    adn_status st = adn_cpu_choose(w->isa->ways, &w->inner);
    if (st != ADN_OK) {
        free_wide(w);
        return st;
    }
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (!adn_op_is_activation(d->kind, r)) continue;
        w->count[r] = adn_op_role_bytes(d, r) / adn_type_bytes(d->type);
        w->offset[r] = at;
        at += (w->count[r] * sizeof(float) + 63) / 64 * 64;
    }
    w->offset[ADN_WORKSPACE] = at;
    op->run = run_wide;
    op->impl = w;
    op->impl_free = free_wide;
    op->base.workspace_bytes = at + w->inner.base.workspace_bytes;
    op->base.algo = w->inner.base.algo;
    op->base.macs = w->inner.base.macs;
    return ADN_OK;
}
