/* Buckets of gradients: a backward pass goes from the arrays' end to their beginning, but for what
 * is not decayed, which lies behind all else and is finished last. */
#include <stdlib.h>

#include "nn/net.h"

enum { DEFAULT_BYTES = 4 << 20 };

static int by_offset_down(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Where the parameters begin in the array, the last first. */
static int offsets_of(const adn_net *net, size_t *offsets)
{
    int n = 0;
    for (int i = 0; i < net->n_tensor; i++)
        if (!net->tensors[i].is_stat) offsets[n++] = net->tensors[i].offset;
    qsort(offsets, (size_t)n, sizeof(*offsets), by_offset_down);
    return n;
}

adn_status adn_net_buckets_create(adn_net *net, size_t bytes)
{
    size_t n_tensor = (size_t)net->n_tensor, item = adn_type_bytes(adn_param_type(net->type));
    size_t *offsets = adn_alloc(n_tensor * sizeof(*offsets)), end = net->n_param;

    net->buckets = adn_alloc(n_tensor * sizeof(*net->buckets));
    if (offsets == NULL || net->buckets == NULL) {
        adn_free(offsets);
        return ADN_FAIL(ADN_NOMEM, "net: no memory for its buckets");
    }
    if (bytes == 0) bytes = DEFAULT_BYTES;
    int n = offsets_of(net, offsets);
    for (int i = 0; i < n; i++) {
        if ((end - offsets[i]) * item < bytes && i < n - 1) continue;
        net->buckets[net->n_bucket++] = (adn_bucket){offsets[i], end - offsets[i]};
        end = offsets[i];
    }
    ADN_ASSERT(end == 0);
    adn_free(offsets);
    return ADN_OK;
}

static bool holds(const adn_bucket *b, size_t offset)
{
    return offset >= b->first && offset - b->first < b->count;
}

adn_status adn_plan_buckets(const adn_net *net, adn_net_plan *p)
{
    p->bucket_end = adn_alloc((size_t)net->n_bucket * sizeof(*p->bucket_end));
    if (p->bucket_end == NULL) return ADN_FAIL(ADN_NOMEM, "net: no memory for its buckets");
    for (int k = 0; k < p->n_op; k++)
        for (int r = 0; r < ADN_N_ROLE; r++) {
            adn_at at = p->ops[k].at[r];
            if (at.place != ADN_AT_GRAD) continue;
            for (int b = 0; b < net->n_bucket; b++)
                if (holds(&net->buckets[b], net->tensors[at.index].offset)) p->bucket_end[b] = k;
        }
    return ADN_OK;
}

int adn_net_n_bucket(const adn_net *net)
{
    return net->n_bucket;
}

adn_bucket adn_net_bucket(const adn_net *net, int i)
{
    return net->buckets[i];
}

void *adn_net_stats(adn_net *net, size_t *out_count)
{
    *out_count = net->n_stat;
    return net->stats;
}
