/* The loops as a way to run operations, and their layout of weights. */
#include "device/cpu/cpu.h"

static adn_status run_loops(const adn_cpu_op *op, const adn_op_args *args)
{
    const adn_op_desc *d = &op->base.desc;
    (d->type == ADN_F64 ? adn_ref_double : adn_ref_float)(d->kind)(d, args);
    return ADN_OK;
}

adn_status adn_ref_plan(adn_cpu_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    const adn_cpu_layout *l = (const adn_cpu_layout *)d->layout;

    ADN_ASSERT(d->type == ADN_F32 || d->type == ADN_F64);
    if (l != NULL && l->impl != NULL)
        return ADN_FAIL(ADN_DEVICE, "cpu: %s has no way for weights that lie as %s likes",
                        adn_op_infos[d->kind].name, l->base.algo);
    op->run = run_loops;
    return ADN_OK;
}

/* The element of the loops' [o][y][x][i] (a linear layer's kernel is its whole input) that is
 * PyTorch's k-th. */
static size_t place_of(const adn_layout *l, size_t k)
{
    size_t h = l->kernel != 0 ? (size_t)l->kernel : (size_t)l->h;
    size_t w = l->kernel != 0 ? (size_t)l->kernel : (size_t)l->w;
    size_t x = k % w, y = k / w % h, i = k / w / h % (size_t)l->i, o = k / w / h / (size_t)l->i;
    return ((o * h + y) * w + x) * (size_t)l->i + i;
}

static adn_status import_loops(const adn_cpu_layout *l, void *dst, const double *src)
{
    size_t n = l->base.bytes / adn_type_bytes(l->base.type);
    for (size_t k = 0; k < n; k++)
        if (l->base.type == ADN_F64)
            ((double *)dst)[place_of(&l->base, k)] = src[k];
        else
            ((float *)dst)[place_of(&l->base, k)] = (float)src[k];
    return ADN_OK;
}

static adn_status export_loops(const adn_cpu_layout *l, double *dst, const void *src)
{
    size_t n = l->base.bytes / adn_type_bytes(l->base.type);
    for (size_t k = 0; k < n; k++)
        if (l->base.type == ADN_F64)
            dst[k] = ((const double *)src)[place_of(&l->base, k)];
        else
            dst[k] = ((const float *)src)[place_of(&l->base, k)];
    return ADN_OK;
}

adn_status adn_ref_layout(adn_cpu_layout *l, const adn_op_desc *fwd)
{
    size_t taps = fwd->kind == ADN_OP_CONV_FWD
                      ? (size_t)fwd->u.conv.kernel * (size_t)fwd->u.conv.kernel
                      : (size_t)fwd->src.h * (size_t)fwd->src.w;
    l->base.bytes = (size_t)fwd->dst.c * taps * (size_t)fwd->src.c * adn_type_bytes(fwd->type);
    l->base.algo = "loops";
    l->import_ = import_loops;
    l->export_ = export_loops;
    return ADN_OK;
}
