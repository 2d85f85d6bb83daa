/* Cases of AUGMENT: its lists of transforms, and what is drawn for them. */
#include "core/rng.h"
#include "data/data.h"
#include "op_case.h"

static const struct {
    int n;
    adn_aug_conf list[4];
} lists[OP_AUGMENT_LISTS] = {
    {3, {{ADN_AUG_CROP, 2}, {ADN_AUG_FLIP, 0}, {ADN_AUG_CUTOUT, 3}}},
    {0, {{0}}},
    {2, {{ADN_AUG_CROP, 4}, {ADN_AUG_FLIP, 0}}},
    {1, {{ADN_AUG_FLIP, 0}}},
    {1, {{ADN_AUG_CROP, 12}}}, /* wider than many images: may be all black */
    {1, {{ADN_AUG_CUTOUT, 4}}},
    {1, {{ADN_AUG_CUTOUT, 40}}},
    {4, {{ADN_AUG_CUTOUT, 3}, {ADN_AUG_FLIP, 0}, {ADN_AUG_CROP, 3}, {ADN_AUG_CROP, 1}}},
};

void op_augment_set(op_case *c, int list, int n_batch)
{
    static const uint8_t fill[ADN_PIXEL_CHANNELS] = {200, 100, 50, 25};

    c->desc.dst.n = n_batch;
    c->desc.u.augment.list = lists[list].list;
    c->desc.u.augment.n_transform = lists[list].n;
    for (int i = 0; i < ADN_PIXEL_CHANNELS; i++) c->desc.u.augment.fill[i] = fill[i];
}

void op_augment_draw(const op_case *c, uint32_t *picks, adn_move *moves)
{
    const adn_op_desc *d = &c->desc;

    for (int i = 0; i < d->dst.n; i++) {
        uint32_t u = adn_rng_draw(OP_SEED, ADN_RNG_TEST, ADN_PICKS, (uint64_t)i).u[0];
        picks[i] = adn_rng_below(u, (uint32_t)d->src.n);
        adn_augment_draw(d->u.augment.list, d->u.augment.n_transform, OP_AUGMENT_SEED,
                         OP_AUGMENT_EPOCH, picks[i], d->src.h, d->src.w,
                         moves + i * d->u.augment.n_transform);
    }
}

void op_augment_each(adn_type type, void (*fn)(const op_case *c, void *user), void *user)
{
    static const struct {
        adn_shape set;
        int n_batch;
    } rows[] = {{{1, 1, 1, 1}, 1}, {{5, 17, 13, 3}, 8}, {{67, 4, 4, 1}, 30}, {{0, 8, 8, 3}, 0},
                {{9, 8, 8, 3}, 0}, {{1, 5, 5, 2}, 3},   {{5, 8, 8, 4}, 5},   {{4, 5, 12, 1}, 5},
                {{3, 1, 9, 3}, 2}, {{6, 32, 32, 3}, 4}, {{2, 40, 29, 1}, 3}, {{3, 9, 1, 4}, 4}};

    for (size_t k = 0; k < ADN_COUNT(rows); k++)
        for (int list = 0; list < OP_AUGMENT_LISTS; list++) {
            adn_shape set = rows[k].set;
            op_case c = {.desc = {.kind = ADN_OP_AUGMENT, .type = type, .src = set, .dst = set}};
            op_augment_set(&c, list, rows[k].n_batch);
            fn(&c, user);
        }
}
