/* The auxiliary heads (methods of Belilovsky et al. 2020: CNN-aux, MLP-aux, MLP-SR-aux) and the
 * classifier behind the last block. */
#include <stdio.h>

#include "nn/nn.h"

typedef struct builder {
    adn_layers *list;
    const char *prefix;
    int value; /* the last one; -1 once memory ran out */
} builder;

static void add(builder *b, const char *part, int number, adn_layer l)
{
    if (b->value < 0) return;
    l.src = b->value;
    if (part != NULL) snprintf(l.name, sizeof(l.name), "%s.%s%d", b->prefix, part, number);
    int v = adn_layers_add(b->list, &l);
    b->value = v > 0 ? v : -1;
}

static void average(builder *b, int number, int size)
{
    add(b, "pool", number,
        (adn_layer){.kind = ADN_LAYER_POOL, .pool = ADN_POOL_ADAPTIVE_AVG, .size = size});
}

static void norm(builder *b, const char *part, int number)
{
    add(b, part, number, (adn_layer){.kind = ADN_LAYER_NORM});
}

static void relu(builder *b)
{
    add(b, NULL, 0, (adn_layer){.kind = ADN_LAYER_RELU});
}

static void convs(builder *b, int n, int kernel, int channels)
{
    for (int i = 1; i <= n; i++) {
        add(b, "conv", i,
            (adn_layer){.kind = ADN_LAYER_CONV,
                        .channels = channels,
                        .kernel = kernel,
                        .stride = 1,
                        .pad = kernel / 2});
        norm(b, "conv_norm", i);
        relu(b);
    }
}

/* Flatten, so many hidden layers of the input's width, and the scores. */
static void linears(builder *b, int n_hidden, int width, int classes)
{
    add(b, NULL, 0, (adn_layer){.kind = ADN_LAYER_FLATTEN});
    for (int i = 1; i <= n_hidden; i++) {
        add(b, "fc", i, (adn_layer){.kind = ADN_LAYER_LINEAR, .channels = width, .has_bias = true});
        norm(b, "norm", i);
        relu(b);
    }
    add(b, "fc", n_hidden + 1,
        (adn_layer){.kind = ADN_LAYER_LINEAR, .channels = classes, .has_bias = true});
}

static adn_status finish(const builder *b)
{
    return b->value > 0 ? ADN_OK : ADN_FAIL(ADN_NOMEM, "%s: no memory for the head", b->prefix);
}

adn_status adn_head_append(adn_layers *list, int src, adn_shape shape, const char *prefix,
                           const adn_head_conf *conf, int classes)
{
    builder b = {list, prefix, src};
    int side = ADN_MAX(shape.h, shape.w), quarter = (side + 3) / 4, c = shape.c;

    switch (conf->kind) {
    case ADN_HEAD_LINEAR:
        average(&b, 1, 2);
        linears(&b, 0, 4 * c, classes);
        break;
    case ADN_HEAD_CNN:
        convs(&b, conf->conv, 3, c);
        average(&b, 1, 2);
        norm(&b, "pool_norm", 1);
        linears(&b, 0, 4 * c, classes);
        break;
    case ADN_HEAD_MLP:
        /* As the reference does: the same as 2x2 alone where sizes divide. */
        average(&b, 1, quarter);
        average(&b, 2, 2);
        linears(&b, conf->hidden, 4 * c, classes);
        break;
    case ADN_HEAD_MLP_SR:
        average(&b, 1, quarter);
        convs(&b, conf->conv, 1, c);
        average(&b, 2, 2);
        linears(&b, conf->hidden, 4 * c, classes);
        break;
    }
    return finish(&b);
}

adn_status adn_classifier_append(adn_layers *list, int src, adn_shape shape, int hidden,
                                 bool is_global, int classes)
{
    builder b = {list, "classifier", src};

    average(&b, 1, is_global ? 1 : 2);
    linears(&b, is_global ? 0 : hidden, 4 * shape.c, classes);
    return finish(&b);
}
