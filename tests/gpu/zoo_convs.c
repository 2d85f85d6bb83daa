/* The zoo's convolutions, by the specifications that stages are made of. */
#include "zoo_convs.h"

#include <string.h>

#include "nn/nn.h"

const int zoo_batches[2] = {128, 512};
const adn_type zoo_types[2] = {ADN_F32, ADN_BF16};

static const adn_shape image = {1, 32, 32, 3};
enum { CLASSES = 10, CLASSIFIER_HIDDEN = 2 };
/* The kinds of heads that convolve, by their defaults. */
static const adn_head_conf heads[] = {{.kind = ADN_HEAD_MLP_SR, .conv = 3, .hidden = 3},
                                      {.kind = ADN_HEAD_CNN, .conv = 2}};

static bool is_same(const adn_op_desc *a, const adn_op_desc *b)
{
    return a->kind == b->kind && a->type == b->type &&
           memcmp(&a->src, &b->src, sizeof(a->src)) == 0 &&
           memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0 && a->u.conv.kernel == b->u.conv.kernel &&
           a->u.conv.stride == b->u.conv.stride && a->u.conv.pad == b->u.conv.pad &&
           a->u.conv.has_bias == b->u.conv.has_bias;
}

static adn_status add(zoo_convs *z, int net, const adn_op_desc *d)
{
    int k = 0;

    while (k < z->n && !is_same(&z->conv[k].desc, d)) k++;
    if (k == z->room) {
        int room = ADN_MAX(256, 2 * z->room);
        zoo_conv *more = adn_alloc((size_t)room * sizeof(*more));
        if (more == NULL) return ADN_FAIL(ADN_NOMEM, "no memory for %d convolutions", room);
        if (z->n > 0) memcpy(more, z->conv, (size_t)z->n * sizeof(*more));
        adn_free(z->conv);
        z->conv = more;
        z->room = room;
    }
    if (k == z->n) z->conv[z->n++].desc = *d;
    z->conv[k].nets |= 1u << net;
    return ADN_OK;
}

/* Its passes: the gradient of pixels is not asked for. */
static adn_status add_passes(zoo_convs *z, int net, adn_op_desc d, bool reads_pixels)
{
    adn_status st = ADN_OK;

    for (size_t t = 0; t < ADN_COUNT(zoo_types); t++)
        for (size_t b = 0; b < ADN_COUNT(zoo_batches); b++)
            for (adn_op_kind k = ADN_OP_CONV_FWD; k <= ADN_OP_CONV_GRAD_PARAM; k++) {
                if (k == ADN_OP_CONV_GRAD_SRC && reads_pixels) continue;
                adn_op_desc pass = d;
                pass.kind = k;
                pass.type = zoo_types[t];
                pass.src.n = pass.dst.n = zoo_batches[b];
                pass.u.conv.has_bias = k == ADN_OP_CONV_FWD && d.u.conv.has_bias;
                ADN_TRY(st, add(z, net, &pass), done);
            }
done:
    return st;
}

static adn_status add_spec(zoo_convs *z, int net, const adn_net_spec *s)
{
    adn_status st = ADN_NOMEM;
    adn_shape *shapes = adn_alloc((size_t)(s->layers.n + 1) * sizeof(*shapes));

    if (shapes == NULL) return ADN_FAIL(ADN_NOMEM, "no memory for shapes");
    ADN_TRY(st, adn_layers_shapes(&s->layers, s->input, shapes), done);
    for (int i = 0; i < s->layers.n; i++) {
        const adn_layer *l = &s->layers.layer[i];
        adn_op_desc d = {.src = shapes[l->src], .dst = shapes[i + 1]};
        if (l->kind != ADN_LAYER_CONV) continue;
        d.u.conv.kernel = l->kernel;
        d.u.conv.stride = l->stride;
        d.u.conv.pad = l->pad;
        d.u.conv.has_bias = l->has_bias;
        ADN_TRY(st, add_passes(z, net, d, s->input_is_u8 && l->src == 0), done);
    }
done:
    adn_free(shapes);
    return st;
}

/* A cut behind every unit: each convolution is in some block, each head behind some unit. */
static adn_status add_net(zoo_convs *z, int net)
{
    adn_model m;
    int cuts[64];
    adn_status st = adn_model_create(&(adn_model_conf){.name = z->net[net]}, &m);

    if (st != ADN_OK) return st;
    ADN_ASSERT(m.n_unit <= (int)ADN_COUNT(cuts));
    for (int k = 0; k < m.n_unit; k++) cuts[k] = k + 1;
    for (int block = 0; block < m.n_unit; block++)
        for (size_t h = 0; h < ADN_COUNT(heads); h++) {
            adn_net_spec s;
            ADN_TRY(st,
                    adn_net_spec_create(&m, cuts, m.n_unit, block, image, CLASSES, &heads[h],
                                        CLASSIFIER_HIDDEN, &s),
                    done);
            st = add_spec(z, net, &s);
            adn_net_spec_clear(&s);
            if (st != ADN_OK) goto done;
        }
done:
    adn_model_clear(&m);
    return st;
}

adn_status zoo_convs_create(zoo_convs *out)
{
    adn_status st = ADN_OK;

    *out = (zoo_convs){0};
    for (const char *name; (name = adn_model_name(out->n_net)) != NULL;) {
        ADN_ASSERT(out->n_net < ZOO_MAX_NETS);
        out->net[out->n_net++] = name;
        ADN_TRY(st, add_net(out, out->n_net - 1), fail);
    }
    return ADN_OK;
fail:
    zoo_convs_clear(out);
    return st;
}

void zoo_convs_clear(zoo_convs *z)
{
    adn_free(z->conv);
    *z = (zoo_convs){0};
}
