/* What one stage runs: the model's layers between two cuts, with a head behind them. */
#include <stdio.h>

#include "nn/nn.h"

/* Copies layers [from, to) of the model; value `from` becomes the input. */
static adn_status copy_layers(const adn_layers *src, int from, int to, adn_layers *dst)
{
    for (int i = from; i < to; i++) {
        adn_layer l = src->layer[i];
        l.src -= from;
        if (l.kind == ADN_LAYER_ADD) l.src2 -= from;
        ADN_ASSERT(l.src >= 0 && l.src2 >= 0);
        if (adn_layers_add(dst, &l) == 0)
            return ADN_FAIL(ADN_NOMEM, "model: no memory for a block");
    }
    return ADN_OK;
}

/* The pool that opens the block behind layer `end` is run by this block when it emits. */
static bool opens_with_pool(const adn_layers *list, int end)
{
    return end > 0 && end < list->n && list->layer[end].kind == ADN_LAYER_POOL;
}

static adn_status input_shape(const adn_model *m, int from, adn_shape image, adn_shape *out)
{
    adn_status st = ADN_OK;
    adn_shape *shapes = adn_alloc((size_t)(m->layers.n + 1) * sizeof(*shapes));

    if (shapes == NULL) return ADN_FAIL(ADN_NOMEM, "model: no memory for shapes");
    st = adn_layers_shapes(&m->layers, image, shapes);
    if (st == ADN_OK) *out = shapes[from];
    adn_free(shapes);
    return st;
}

adn_status adn_net_spec_create(const adn_model *m, const int *cuts, int n_block, int block,
                               adn_shape image, int classes, const adn_head_conf *aux,
                               int classifier_hidden, adn_net_spec *out)
{
    adn_status st = ADN_OK;
    adn_net_spec s = {.input_is_u8 = block == 0};
    bool is_last = block == n_block - 1;
    int from = block == 0 ? 0 : m->unit_end[cuts[block - 1] - 1];
    int to = is_last ? m->layers.n : m->unit_end[cuts[block] - 1];
    char prefix[24];

    if (opens_with_pool(&m->layers, from)) from++;
    image.n = 1;
    ADN_TRY(st, input_shape(m, from, image, &s.input), fail);
    ADN_TRY(st, copy_layers(&m->layers, from, to, &s.layers), fail);
    s.n_block = s.layers.n;
    if (!is_last && opens_with_pool(&m->layers, to)) {
        s.has_emit_pool = true;
        s.emit_pool = m->layers.layer[to];
    }
    adn_shape dst;
    ADN_TRY(st, input_shape(m, to, image, &dst), fail);
    if (is_last) {
        st = adn_classifier_append(&s.layers, s.n_block, dst, classifier_hidden,
                                   m->global_classifier, classes);
    } else {
        snprintf(prefix, sizeof(prefix), "aux.%d", block);
        s.label_smoothing = aux->label_smoothing;
        st = adn_head_append(&s.layers, s.n_block, dst, prefix, aux, classes);
    }
    if (st != ADN_OK) goto fail;
    *out = s;
    return ADN_OK;
fail:
    adn_net_spec_clear(&s);
    return st;
}

void adn_net_spec_clear(adn_net_spec *s)
{
    adn_layers_clear(&s->layers);
    *s = (adn_net_spec){0};
}

adn_status adn_net_spec_emits(const adn_net_spec *s, adn_shape *out)
{
    adn_shape *shapes = adn_alloc((size_t)(s->layers.n + 1) * sizeof(*shapes));
    if (shapes == NULL) return ADN_FAIL(ADN_NOMEM, "model: no memory for shapes");
    adn_status st = adn_layers_shapes(&s->layers, s->input, shapes);
    if (st == ADN_OK)
        *out = s->has_emit_pool ? adn_layer_dst(&s->emit_pool, shapes[s->n_block])
                                : shapes[s->n_block];
    adn_free(shapes);
    return st;
}

adn_status adn_net_spec_macs(const adn_net_spec *s, double *out)
{
    adn_shape *shapes = adn_alloc((size_t)(s->layers.n + 1) * sizeof(*shapes));
    if (shapes == NULL) return ADN_FAIL(ADN_NOMEM, "model: no memory for shapes");
    adn_status st = adn_layers_shapes(&s->layers, s->input, shapes);
    double sum = 0;

    for (int i = 0; st == ADN_OK && i < s->layers.n; i++) {
        const adn_layer *l = &s->layers.layer[i];
        double dst = (double)shapes[i + 1].h * shapes[i + 1].w * shapes[i + 1].c;
        adn_shape src = shapes[l->src];
        if (l->kind == ADN_LAYER_CONV) sum += dst * l->kernel * l->kernel * src.c;
        if (l->kind == ADN_LAYER_LINEAR) sum += dst * src.h * src.w * src.c;
    }
    if (st == ADN_OK) *out = sum;
    adn_free(shapes);
    return st;
}
