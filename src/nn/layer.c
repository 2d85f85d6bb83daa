/* Lists of layers, and the shape that each kind gives. */
#include <string.h>

#include "nn/nn.h"

int adn_layers_add(adn_layers *list, const adn_layer *layer)
{
    if (list->n == list->room) {
        int room = ADN_MAX(16, 2 * list->room);
        adn_layer *more = adn_alloc((size_t)room * sizeof(*more));
        if (more == NULL) return 0;
        if (list->n > 0) memcpy(more, list->layer, (size_t)list->n * sizeof(*more));
        adn_free(list->layer);
        list->layer = more;
        list->room = room;
    }
    list->layer[list->n++] = *layer;
    return list->n;
}

void adn_layers_clear(adn_layers *list)
{
    adn_free(list->layer);
    *list = (adn_layers){0};
}

adn_shape adn_layer_dst(const adn_layer *l, adn_shape src)
{
    adn_shape dst = src;

    switch (l->kind) {
    case ADN_LAYER_CONV:
        dst.h = (src.h + 2 * l->pad - l->kernel) / l->stride + 1;
        dst.w = (src.w + 2 * l->pad - l->kernel) / l->stride + 1;
        dst.c = l->channels;
        break;
    case ADN_LAYER_POOL:
        if (l->pool == ADN_POOL_ADAPTIVE_AVG) {
            dst.h = l->size;
            dst.w = l->size;
        } else {
            dst.h = (src.h - l->kernel) / l->stride + 1;
            dst.w = (src.w - l->kernel) / l->stride + 1;
        }
        break;
    case ADN_LAYER_LINEAR:
        dst = (adn_shape){src.n, 1, 1, l->channels};
        break;
    case ADN_LAYER_FLATTEN:
        dst = (adn_shape){src.n, 1, 1, src.h * src.w * src.c};
        break;
    case ADN_LAYER_NORM:
    case ADN_LAYER_RELU:
    case ADN_LAYER_ADD:
    case ADN_N_LAYER_KIND:
        break;
    }
    return dst;
}

static bool fits(const adn_layer *l, adn_shape src)
{
    int room = ADN_MIN(src.h, src.w) + 2 * l->pad;
    return (l->kind != ADN_LAYER_CONV &&
            (l->kind != ADN_LAYER_POOL || l->pool == ADN_POOL_ADAPTIVE_AVG)) ||
           room >= l->kernel;
}

adn_status adn_layers_shapes(const adn_layers *list, adn_shape input, adn_shape *out)
{
    out[0] = input;
    for (int i = 0; i < list->n; i++) {
        const adn_layer *l = &list->layer[i];
        adn_shape src = out[l->src];
        if (!fits(l, src))
            return ADN_FAIL(ADN_BADCONF,
                            "layer %d (%s): a map of %dx%d is smaller than its window of %d", i + 1,
                            l->name[0] != '\0' ? l->name : "pool", src.h, src.w, l->kernel);
        out[i + 1] = adn_layer_dst(l, src);
        if (l->kind == ADN_LAYER_ADD) {
            adn_shape b = out[l->src2];
            ADN_ASSERT(src.h == b.h && src.w == b.w && src.c == b.c);
        }
    }
    return ADN_OK;
}
