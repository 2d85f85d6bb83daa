/* Lists the operations of a training or a forward pass: layers in order, the loss, layers
 * backwards. */
#include <string.h>

#include "nn/net.h"

static void *grown(adn_build *b, void *array, int n, int *room, size_t item)
{
    if (n < *room) return array;
    int more = ADN_MAX(64, 2 * *room);
    void *copy = adn_alloc((size_t)more * item);
    if (copy == NULL) {
        b->st = ADN_FAIL(ADN_NOMEM, "net: no memory for its plan");
        return array;
    }
    if (n > 0) memcpy(copy, array, (size_t)n * item);
    adn_free(array);
    *room = more;
    return copy;
}

adn_at adn_build_buffer(adn_build *b, size_t bytes)
{
    adn_net_plan *p = b->plan;
    p->buffers = grown(b, p->buffers, p->n_buffer, &p->room_buffer, sizeof(*p->buffers));
    if (b->st != ADN_OK) return (adn_at){ADN_AT_NONE, 0};
    p->buffers[p->n_buffer] = (adn_buffer){.bytes = bytes, .first = -1, .last = -1};
    return (adn_at){ADN_AT_BUFFER, p->n_buffer++};
}

adn_shape adn_build_shape(const adn_build *b, int value)
{
    adn_shape s = b->net->shapes[value];
    s.n = b->plan->batch.n;
    return s;
}

adn_planned *adn_build_op(adn_build *b, adn_op_kind kind, int i)
{
    adn_net_plan *p = b->plan;
    p->ops = grown(b, p->ops, p->n_op, &p->room_op, sizeof(*p->ops));
    adn_planned *op = b->st == ADN_OK ? &p->ops[p->n_op++] : &b->scratch;
    *op = (adn_planned){.layer = i, .desc = {.kind = kind, .type = b->net->type}};
    op->desc.src = adn_build_shape(b, b->net->spec.layers.layer[i].src);
    op->desc.dst = adn_build_shape(b, i + 1);
    return op;
}

static size_t value_bytes(const adn_build *b, int v)
{
    return adn_shape_count(adn_build_shape(b, v)) * adn_type_bytes(b->net->type);
}

adn_at adn_build_grad_dst(adn_build *b, int v)
{
    return adn_build_buffer(b, value_bytes(b, v));
}

static bool is_shared(const adn_build *b, adn_at at)
{
    return at.place == ADN_AT_BUFFER && b->plan->buffers[at.index].is_shared;
}

void adn_build_grad_done(adn_build *b, int v, adn_at written)
{
    if (b->grad[v].place == ADN_AT_NONE) {
        b->grad[v] = written;
        return;
    }
    adn_planned *op = adn_build_op(b, ADN_OP_ADD, ADN_MAX(0, v - 1));
    op->desc.src = op->desc.dst = adn_build_shape(b, v);
    op->at[ADN_SRC] = written;
    op->at[ADN_SRC2] = b->grad[v];
    adn_at sum = is_shared(b, written) ? adn_build_buffer(b, value_bytes(b, v)) : written;
    op->at[ADN_DST] = sum;
    b->grad[v] = sum;
}

static void find_needs(adn_build *b)
{
    const adn_layers *list = &b->net->spec.layers;
    for (int i = 0; i < list->n; i++) {
        const adn_layer *l = &list->layer[i];
        b->needs_grad[i + 1] = b->net->layer_tensors[i].weight >= 0 || b->needs_grad[l->src] ||
                               (l->kind == ADN_LAYER_ADD && b->needs_grad[l->src2]);
    }
}

static void list_input(adn_build *b)
{
    const adn_net_spec *s = &b->net->spec;
    b->value[0] = (adn_at){ADN_AT_INPUT, 0};
    if (!s->input_is_u8) return;
    adn_planned *op = adn_build_op(b, ADN_OP_NORMALISE, 0);
    op->desc.dst = op->desc.src;
    memcpy(op->desc.u.pixel.mean, s->mean, sizeof(s->mean));
    memcpy(op->desc.u.pixel.std, s->std, sizeof(s->std));
    op->at[ADN_SRC] = b->value[0];
    b->value[0] = op->at[ADN_DST] = adn_build_buffer(b, value_bytes(b, 0));
}

/* Where no norm wrote it already: the pool that opens the next block, or the output to be copied.
 */
static void list_emit(adn_build *b)
{
    const adn_net_spec *s = &b->net->spec;

    for (int i = 0; i < s->n_block; i++)
        if (b->note[i].emits || b->note[i].max == ADN_EMIT_POOL) return;
    if (!s->has_emit_pool) {
        b->plan->block_output = b->value[s->n_block];
        return;
    }
    adn_planned *op = adn_build_op(b, ADN_OP_POOL_FWD, s->n_block - 1);
    op->desc.src = adn_build_shape(b, s->n_block);
    op->desc.dst = adn_layer_dst(&s->emit_pool, op->desc.src);
    op->desc.u.pool.kind = s->emit_pool.pool;
    op->desc.u.pool.kernel = s->emit_pool.kernel;
    op->desc.u.pool.stride = s->emit_pool.stride;
    op->at[ADN_SRC] = b->value[s->n_block];
    op->at[ADN_DST] = (adn_at){ADN_AT_EMIT, 0};
}

static void list_loss(adn_build *b)
{
    int n = b->net->spec.layers.n;
    adn_planned *op = adn_build_op(b, ADN_OP_LOSS, n - 1);
    op->desc.src = op->desc.dst;
    op->desc.u.loss.smoothing = b->net->spec.label_smoothing;
    op->at[ADN_SRC] = b->value[n];
    op->at[ADN_LABELS] = (adn_at){ADN_AT_LABELS, 0};
    op->at[ADN_RESULT] = (adn_at){ADN_AT_RESULT, 0};
    op->at[ADN_HALT] = (adn_at){ADN_AT_HALT, 0};
    if (b->plan->batch.is_training) op->at[ADN_GRAD_SRC] = b->grad[n] = adn_build_grad_dst(b, n);
}

static void list_all(adn_build *b)
{
    const adn_net_spec *s = &b->net->spec;
    adn_net_plan *p = b->plan;

    adn_fuse_find(b);
    find_needs(b);
    list_input(b);
    for (int i = 0; i < s->n_block; i++) adn_layer_table[s->layers.layer[i].kind].fwd(b, i);
    p->phase_end[ADN_PHASE_FWD] = p->n_op;
    list_emit(b);
    p->phase_end[ADN_PHASE_EMIT] = p->n_op;
    for (int i = s->n_block; i < s->layers.n; i++)
        adn_layer_table[s->layers.layer[i].kind].fwd(b, i);
    list_loss(b);
    p->head_end = p->n_op;
    if (p->batch.is_training)
        for (int i = s->layers.n - 1; i >= 0; i--)
            if (b->needs_grad[i + 1]) adn_layer_table[s->layers.layer[i].kind].grad(b, i);
    p->phase_end[ADN_PHASE_LEARN] = p->n_op;
}

adn_status adn_build_plan(adn_net *net, adn_net_plan *plan)
{
    size_t n = (size_t)net->spec.layers.n + 1;
    adn_build b = {.net = net, .plan = plan};

    b.value = adn_alloc(n * sizeof(*b.value));
    b.grad = adn_alloc(n * sizeof(*b.grad));
    b.needs_grad = adn_alloc(n * sizeof(*b.needs_grad));
    b.note = adn_alloc(n * sizeof(*b.note));
    if (b.value != NULL && b.grad != NULL && b.needs_grad != NULL && b.note != NULL)
        list_all(&b);
    else
        b.st = ADN_FAIL(ADN_NOMEM, "net: no memory for its plan");
    adn_free(b.value);
    adn_free(b.grad);
    adn_free(b.needs_grad);
    adn_free(b.note);
    return b.st;
}
