/* Augmentation by our kernel. */
#include "device/cuda/kernels.h"

/* The kernel's struct and words are the table's and the config's. */
_Static_assert(sizeof(adn_k_move) == sizeof(adn_move) &&
                   offsetof(adn_k_move, x) == offsetof(adn_move, x),
               "adn_k_move is adn_move");
_Static_assert((int)ADN_K_CROP == (int)ADN_AUG_CROP && (int)ADN_K_FLIP == (int)ADN_AUG_FLIP &&
                   (int)ADN_K_CUTOUT == (int)ADN_AUG_CUTOUT,
               "adn_k_transform is adn_aug_kind");
_Static_assert((int)ADN_K_MAX_TRANSFORM == (int)ADN_MAX_AUGMENT, "as many transforms");

static adn_status run_augment(const cuda_op *op, const adn_op_args *args)
{
    adn_status st;
    CUDA_TRY(st, op->q->gpu,
             adn_k_augment_images(op->impl, args->p[ADN_SRC], args->p[ADN_PICKS],
                                  args->p[ADN_MOVES], args->p[ADN_DST], (size_t)op->base.desc.dst.n,
                                  op->q->stream),
             done);
done:
    return st;
}

adn_status adn_cuda_plan_augment(cuda_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    adn_k_augment *how = adn_alloc(sizeof(*how));

    if (how == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for an operation", op->q->gpu->name);
    op->impl = how;
    op->impl_free = adn_free;
    op->run = run_augment;
    ADN_ASSERT(d->u.augment.n_transform <= ADN_K_MAX_TRANSFORM);
    *how = (adn_k_augment){
        .h = d->src.h, .w = d->src.w, .c = d->src.c, .n_transform = d->u.augment.n_transform};
    for (int t = 0; t < how->n_transform; t++) {
        how->kind[t] = (unsigned char)d->u.augment.list[t].kind;
        how->size[t] = d->u.augment.list[t].size;
    }
    for (int i = 0; i < ADN_PIXEL_CHANNELS; i++)
        how->fill |= (uint32_t)d->u.augment.fill[i] << 8 * i;
    return cuda_kernel_plan(op);
}
