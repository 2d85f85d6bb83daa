/* Which layers run inside others: ReLU behind a norm or a sum; the pools that read a norm's result,
 * the one that opens the next block among them. */
#include "nn/net.h"

static const adn_layer *layer_of(const adn_build *b, int i)
{
    return &b->net->spec.layers.layer[i];
}

static bool reads(const adn_layer *l, int value)
{
    return l->src == value || (l->kind == ADN_LAYER_ADD && l->src2 == value);
}

int adn_fuse_readers(const adn_build *b, int value)
{
    int n = 0;
    for (int k = 0; k < b->net->spec.layers.n; k++) n += reads(layer_of(b, k), value);
    return n;
}

bool adn_fuse_has_relu(const adn_build *b, int i)
{
    return i + 1 < b->net->spec.layers.n && layer_of(b, i + 1)->kind == ADN_LAYER_RELU &&
           b->note[i + 1].is_fused;
}

static void find_relus(adn_build *b)
{
    for (int i = 1; i < b->net->spec.layers.n; i++) {
        adn_layer_kind before = layer_of(b, i - 1)->kind;
        if (layer_of(b, i)->kind != ADN_LAYER_RELU || layer_of(b, i)->src != i) continue;
        if (before != ADN_LAYER_NORM && before != ADN_LAYER_ADD) continue;
        b->note[i].is_fused = adn_fuse_readers(b, i) == 1;
    }
}

/* Windows that tile a map: what a norm's operation can pool. */
static bool is_max_of_four(const adn_layer *pool, adn_shape map)
{
    return pool->pool == ADN_POOL_MAX && pool->kernel == 2 && pool->stride == 2 && map.h % 2 == 0 &&
           map.w % 2 == 0;
}

static bool is_tiled_average(const adn_layer *pool, adn_shape map)
{
    adn_shape dst = adn_layer_dst(pool, map);
    if (pool->pool == ADN_POOL_MAX || map.h % dst.h != 0 || map.w % dst.w != 0) return false;
    if (pool->pool == ADN_POOL_ADAPTIVE_AVG) return dst.h != map.h || dst.w != map.w;
    return pool->kernel == pool->stride && dst.h * pool->kernel == map.h &&
           dst.w * pool->kernel == map.w;
}

/* Takes the pool into the norm, if it can. */
static bool takes(adn_build *b, int norm, int pool, const adn_layer *l, adn_shape map)
{
    adn_note *note = &b->note[norm];

    if (l->kind != ADN_LAYER_POOL) return false;
    if (note->max == ADN_NO_LAYER && is_max_of_four(l, map))
        note->max = pool;
    else if (note->avg == ADN_NO_LAYER && pool != ADN_EMIT_POOL && is_tiled_average(l, map))
        note->avg = pool;
    else
        return false;
    if (pool == ADN_EMIT_POOL) return true;
    b->note[pool].is_fused = true;
    b->note[pool].norm = norm;
    return true;
}

static void find_pools(adn_build *b, int norm)
{
    const adn_net_spec *s = &b->net->spec;
    adn_note *note = &b->note[norm];
    int value = adn_fuse_has_relu(b, norm) ? norm + 2 : norm + 1, n_left = 0;
    adn_shape map = b->net->shapes[value];
    bool is_output = value == s->n_block;

    for (int k = 0; k < s->layers.n; k++)
        if (reads(layer_of(b, k), value) && !takes(b, norm, k, layer_of(b, k), map)) n_left++;
    if (is_output && s->has_emit_pool && !takes(b, norm, ADN_EMIT_POOL, &s->emit_pool, map))
        n_left++;
    note->emits = is_output && !s->has_emit_pool && n_left == 0;
    note->is_pooled_only = n_left == 0 && !note->emits;
}

void adn_fuse_find(adn_build *b)
{
    for (int i = 0; i < b->net->spec.layers.n; i++)
        b->note[i].max = b->note[i].avg = b->note[i].norm = ADN_NO_LAYER;
    find_relus(b);
    for (int i = 0; i < b->net->spec.layers.n; i++)
        if (layer_of(b, i)->kind == ADN_LAYER_NORM) find_pools(b, i);
}
