/* The zoo and the heads against figures from elsewhere: parameters and multiply-adds. Their layers,
 * one by one, where a block's pool is run, and the operations they become. */
#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "tiny.h"

typedef struct sizes {
    adn_plan plan;
    adn_device *dev;
    adn_net *nets[16];
    adn_queue *queue;
    adn_dataset_pair data;
    adn_config *conf;
} sizes;

static void open_images(sizes *s, const char *yaml, int h, int w)
{
    *s = (sizes){.conf = tiny_config(yaml, NULL)};
    tiny_data(&s->data, 2, 2, h, w, 3, 10);
    ck_assert_int_eq(adn_plan_create(s->conf, &s->data, &s->plan), ADN_OK);
    ck_assert_int_eq(adn_cpu_open(&s->dev), ADN_OK);
    ck_assert_int_eq(s->dev->ops->queue_create(s->dev, &(adn_queue_conf){.n_thread = 1}, &s->queue),
                     ADN_OK);
    for (int j = 0; j < s->plan.n_block; j++) {
        adn_net_conf nc = {.spec = &s->plan.blocks[j].spec,
                           .queue = s->queue,
                           .type = ADN_F32,
                           .batches = {{2, true}},
                           .n_batches = 1};
        ck_assert_int_eq(adn_net_create(&nc, &s->nets[j]), ADN_OK);
    }
}

static void open_sizes(sizes *s, const char *yaml)
{
    open_images(s, yaml, 32, 32);
}

static void close_sizes(sizes *s)
{
    for (int j = 0; j < s->plan.n_block; j++) adn_net_destroy(s->nets[j]);
    s->dev->ops->queue_destroy(s->queue);
    s->dev->ops->close(s->dev);
    adn_plan_clear_all(&s->plan);
    adn_config_free(s->conf);
    tiny_data_clear(&s->data);
}

static void check_params(const char *name, int64_t n_param, double mmacs)
{
    sizes s;
    char *yaml = adn_format(
        "mode: bp\ndata: {name: cifar10, root: nowhere, batch: 2}\nmodel: {name: %s}\n", name);

    open_sizes(&s, yaml);
    adn_net_sizes n = adn_net_size(s.nets[0]);
    ck_assert_int_eq(n.n_param, n_param);
    ck_assert_double_eq_tol(n.macs * 1e-6, mmacs, 0.01 * mmacs);
    close_sizes(&s);
    adn_free(yaml);
}

START_TEST(the_zoo_has_the_parameters_and_multiply_adds_that_others_count)
{
    check_params("resnet18", 11173962, 555.4); /* the CIFAR ResNet-18 that everybody counts so */
    check_params("dgl4", 519552 + 2113546, 79.4);
    /* 269,722 with padded shortcuts (He et al. 2016), and two 1x1 convolutions with norms. */
    check_params("resnet20", 269722 + 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64, 41.2);
    /* torchvision's vgg11_bn but for its classifier; ours is two hidden layers of 4 x 512. */
    int64_t classifier = 2 * (2048 * 2048 + 3 * 2048) + 2048 * 10 + 10;
    check_params("vgg11", 132868840 - 123642856 + classifier, 161.2);
    /* 3 x 3 weights between 3-128-256-256-512-512-512 channels, a scale and a shift of each. */
    check_params("dgl6", 9 * (384 + 32768 + 65536 + 131072 + 2 * 262144) + 2 * 2176 + classifier,
                 615.9);
}
END_TEST

/* Multiply-adds of the heads behind dgl6's first block, 128 channels at 32 x 32 (Belilovsky et al.
 * 2020's code). */
START_TEST(the_heads_cost_what_the_authors_heads_cost)
{
    static const struct {
        const char *aux;
        double mmacs;
    } heads[] = {{"{kind: cnn}", 302}, {"{kind: mlp}", 0.79}, {"{kind: mlp-sr}", 3.94}};

    for (size_t h = 0; h < ADN_COUNT(heads); h++) {
        sizes s;
        char *yaml = adn_format(
            "data: {name: cifar10, root: nowhere, batch: 2}\nmodel: {name: dgl6, cuts: [1]}\n"
            "aux: %s\n",
            heads[h].aux);
        open_sizes(&s, yaml);
        ck_assert_double_eq_tol(adn_net_size(s.nets[0]).head_macs * 1e-6, heads[h].mmacs,
                                0.01 * heads[h].mmacs);
        close_sizes(&s);
        adn_free(yaml);
    }
}
END_TEST

START_TEST(a_pool_that_opens_a_block_is_run_by_the_block_before)
{
    sizes s;
    open_sizes(
        &s, "data: {name: cifar10, root: nowhere, batch: 2}\nmodel: {name: dgl4, cuts: every}\n");
    ck_assert_int_eq(s.plan.n_block, 4);
    ck_assert(s.plan.blocks[0].spec.has_emit_pool && !s.plan.blocks[1].spec.has_emit_pool &&
              s.plan.blocks[2].spec.has_emit_pool);
    ck_assert_int_eq(s.plan.blocks[0].emits.h, 16);
    ck_assert_int_eq(s.plan.blocks[1].emits.h, 16);
    ck_assert_int_eq(s.plan.blocks[2].emits.h, 8);
    ck_assert_int_eq(s.plan.blocks[2].emits.c, 128);
    close_sizes(&s);
}
END_TEST

START_TEST(a_name_that_no_net_has_is_refused)
{
    adn_model m = {.n_unit = -1};
    int64_t live = adn_alloc_live();

    adn_test_log_clear();
    ck_assert_int_eq(adn_model_create(&(adn_model_conf){.name = "dgl5"}, &m), ADN_BADCONF);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "no net is called 'dgl5'"));
    ck_assert(m.n_unit == -1 && adn_alloc_live() == live);
}
END_TEST

/* --- layer by layer */

static const char *kind_text(const adn_layer *l)
{
    static char text[80];
    static const char *const pools[] = {
        [ADN_POOL_MAX] = "max", [ADN_POOL_AVG] = "avg", [ADN_POOL_ADAPTIVE_AVG] = "average to"};
    switch (l->kind) {
    case ADN_LAYER_CONV:
        snprintf(text, sizeof(text), "conv %d, %dx%d /%d +%d%s", l->channels, l->kernel, l->kernel,
                 l->stride, l->pad, l->has_bias ? " bias" : "");
        break;
    case ADN_LAYER_LINEAR:
        snprintf(text, sizeof(text), "linear %d%s", l->channels, l->has_bias ? " bias" : "");
        break;
    case ADN_LAYER_POOL:
        if (l->pool == ADN_POOL_ADAPTIVE_AVG)
            snprintf(text, sizeof(text), "%s %d", pools[l->pool], l->size);
        else
            snprintf(text, sizeof(text), "%s %dx%d /%d", pools[l->pool], l->kernel, l->kernel,
                     l->stride);
        break;
    case ADN_LAYER_ADD:
        snprintf(text, sizeof(text), "add %d", l->src2);
        break;
    default:
        return l->kind == ADN_LAYER_NORM ? "norm" : l->kind == ADN_LAYER_RELU ? "relu" : "flatten";
    }
    return text;
}

/* Each layer must be what its line says: "name: kind", and "<- value" where it does not read the
 * one before it. */
static void check_layers(const adn_layers *list, int from, const char *const *lines)
{
    char text[160];
    int n = 0;

    for (int i = from; i < list->n; i++, n++) {
        const adn_layer *l = &list->layer[i];
        int at = snprintf(text, sizeof(text), "%s%s%s", l->name, l->name[0] != '\0' ? ": " : "",
                          kind_text(l));
        if (l->src != i) snprintf(text + at, sizeof(text) - (size_t)at, " <- %d", l->src);
        ck_assert_msg(lines[n] != NULL && strcmp(text, lines[n]) == 0, "layer %d is '%s', not '%s'",
                      i, text, lines[n] != NULL ? lines[n] : "none");
    }
    ck_assert_msg(lines[n] == NULL, "'%s' is not there", lines[n]);
}

START_TEST(units_become_layers)
{
    static const char *const lines[] = {
        "unit1.conv: conv 4, 3x3 /1 +1",
        "unit1.norm: norm",
        "relu",
        "unit2.pool: max 2x2 /2", /* opens a unit, and the first of a repeated one alone */
        "unit2.conv: conv 6, 3x3 /2 +1 bias",
        "unit2.norm: norm",
        "relu",
        "unit3.conv: conv 6, 3x3 /1 +1 bias",
        "unit3.norm: norm",
        "relu",
        "unit4.conv1: conv 6, 3x3 /1 +1",
        "unit4.norm1: norm",
        "relu",
        "unit4.conv2: conv 6, 3x3 /1 +1",
        "unit4.norm2: norm",
        "unit4.add: add 10", /* what the unit reads */
        "relu",
        "unit5.conv1: conv 6, 3x3 /2 +1",
        "unit5.norm1: norm",
        "relu",
        "unit5.conv2: conv 6, 3x3 /1 +1",
        "unit5.norm2: norm",
        "unit5.shortcut.conv: conv 6, 1x1 /2 +0 <- 17",
        "unit5.shortcut.norm: norm",
        "unit5.add: add 24 <- 22",
        "relu",
        "unit6.conv1: conv 8, 3x3 /1 +1", /* other channels: a shortcut, too */
        "unit6.norm1: norm",
        "relu",
        "unit6.conv2: conv 8, 3x3 /1 +1",
        "unit6.norm2: norm",
        "unit6.shortcut.conv: conv 8, 1x1 /1 +0 <- 26",
        "unit6.shortcut.norm: norm",
        "unit6.add: add 33 <- 31",
        "relu",
        "classifier.pool1: average to 1", /* the last unit is residual */
        "flatten",
        "classifier.fc1: linear 10 bias",
        NULL};
    sizes s;
    open_sizes(&s, "mode: bp\ndata: {name: cifar10, root: nowhere, batch: 2}\nmodel:\n  units:\n"
                   "    - {conv: 4, bias: false}\n"
                   "    - {pool: 2, conv: 6, stride: 2, repeat: 2}\n"
                   "    - {residual: 6}\n    - {residual: 6, stride: 2}\n    - {residual: 8}\n");
    check_layers(&s.plan.blocks[0].spec.layers, 0, lines);
    ck_assert_int_eq(s.plan.model.n_unit, 6);
    close_sizes(&s);
}
END_TEST

/* Behind six channels at 13 x 18: a quarter of the longer side is 5, rounded up. */
START_TEST(heads_are_built_as_the_authors_are)
{
    static const struct {
        const char *aux;
        const char *lines[20];
    } heads[] = {
        {"{kind: linear}", {"aux.0.pool1: average to 2", "flatten", "aux.0.fc1: linear 10 bias"}},
        {"{kind: cnn, conv: 2}",
         {"aux.0.conv1: conv 6, 3x3 /1 +1", "aux.0.conv_norm1: norm", "relu",
          "aux.0.conv2: conv 6, 3x3 /1 +1", "aux.0.conv_norm2: norm", "relu",
          "aux.0.pool1: average to 2", "aux.0.pool_norm1: norm", "flatten",
          "aux.0.fc1: linear 10 bias"}},
        {"{kind: mlp, hidden: 1}",
         {"aux.0.pool1: average to 5", "aux.0.pool2: average to 2", "flatten",
          "aux.0.fc1: linear 24 bias", "aux.0.norm1: norm", "relu", "aux.0.fc2: linear 10 bias"}},
        {"{kind: mlp-sr, conv: 1, hidden: 2}",
         {"aux.0.pool1: average to 5", "aux.0.conv1: conv 6, 1x1 /1 +0", "aux.0.conv_norm1: norm",
          "relu", "aux.0.pool2: average to 2", "flatten", "aux.0.fc1: linear 24 bias",
          "aux.0.norm1: norm", "relu", "aux.0.fc2: linear 24 bias", "aux.0.norm2: norm", "relu",
          "aux.0.fc3: linear 10 bias"}}};
    static const char *const classifier[] = {"classifier.pool1: average to 2",
                                             "flatten",
                                             "classifier.fc1: linear 24 bias",
                                             "classifier.norm1: norm",
                                             "relu",
                                             "classifier.fc2: linear 10 bias",
                                             NULL};

    for (size_t h = 0; h < ADN_COUNT(heads); h++) {
        sizes s;
        char *yaml = adn_format(
            "data: {name: cifar10, root: nowhere, batch: 2}\n"
            "model: {units: [{conv: 6}, {conv: 6}], cuts: [1]}\naux: %s\nclassifier: {hidden: 1}\n",
            heads[h].aux);
        open_images(&s, yaml, 13, 18);
        for (int j = 0; j < 2; j++) {
            const adn_net_spec *spec = &s.plan.blocks[j].spec;
            ck_assert_int_eq(spec->n_block, 3);
            check_layers(&spec->layers, spec->n_block, j == 0 ? heads[h].lines : classifier);
        }
        close_sizes(&s);
        adn_free(yaml);
    }
}
END_TEST

struct told {
    char text[4096];
    size_t n;
};

static void tell(void *user, const char *layer, const adn_op *op)
{
    struct told *t = user;
    double macs = adn_op_macs(&op->desc);

    t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n, "%s %s\n", layer,
                             adn_op_infos[op->desc.kind].name);
    ADN_ASSERT(t->n < sizeof(t->text));
    ck_assert_ptr_nonnull(op->algo);
    if (op->desc.kind <= ADN_OP_CONV_GRAD_PARAM) /* an algorithm may need fewer */
        ck_assert(op->macs > 0);
    else
        ck_assert_double_eq(op->macs, macs);
}

START_TEST(operations_are_told_in_the_order_of_a_step_with_their_layers)
{
    static const char expected[] = "unit1.conv normalise\n"
                                   "unit1.conv conv_fwd\n"
                                   "unit1.norm norm_fwd\n"
                                   "unit2.conv1 conv_fwd\n"
                                   "unit2.norm1 norm_fwd\n"
                                   "unit2.conv2 conv_fwd\n"
                                   "unit2.norm2 norm_fwd\n"
                                   "unit2.add add\n"
                                   "unit3.pool pool_fwd\n" /* emitted */
                                   "aux.0.pool1 pool_fwd\n"
                                   "aux.0.fc1 linear_fwd\n"
                                   "aux.0.fc1 loss\n"
                                   "aux.0.fc1 linear_grad_param\n"
                                   "aux.0.fc1 linear_grad_src\n"
                                   "aux.0.pool1 pool_grad\n"
                                   "unit2.add relu_grad\n"
                                   "unit2.norm2 norm_grad\n"
                                   "unit2.conv2 conv_grad_param\n"
                                   "unit2.conv2 conv_grad_src\n"
                                   "unit2.norm1 norm_grad\n"
                                   "unit2.conv1 conv_grad_param\n"
                                   "unit2.conv1 conv_grad_src\n"
                                   "unit1.norm add\n" /* the gradients of two readers */
                                   "unit1.norm norm_grad\n"
                                   "unit1.conv conv_grad_param\n";
    sizes s;
    struct told told = {.n = 0};

    open_sizes(&s, "data: {name: cifar10, root: nowhere, batch: 2}\n"
                   "model: {units: [{conv: 8}, {residual: 8}, {pool: 2, conv: 8}], cuts: [2]}\n"
                   "aux: {kind: linear}\n");
    adn_net_ops(s.nets[0], tell, &told);
    ck_assert_str_eq(told.text, expected);
    close_sizes(&s);
}
END_TEST

START_TEST(pools_run_inside_the_norm_that_they_read)
{
    static const char expected[] = "unit1.conv normalise\n"
                                   "unit1.conv conv_fwd\n"
                                   "unit1.norm norm_fwd\n" /* with unit 2's pool */
                                   "unit2.conv conv_fwd\n"
                                   "unit2.norm norm_fwd\n" /* the head's, and what is emitted */
                                   "aux.0.fc1 linear_fwd\n"
                                   "aux.0.fc1 loss\n"
                                   "aux.0.fc1 linear_grad_param\n"
                                   "aux.0.fc1 linear_grad_src\n"
                                   "unit2.norm norm_grad\n"
                                   "unit2.conv conv_grad_param\n"
                                   "unit2.conv conv_grad_src\n"
                                   "unit1.norm norm_grad\n"
                                   "unit1.conv conv_grad_param\n";
    sizes s;

    for (int pools = 0; pools < 2; pools++) { /* a pool opens the next block, or none does */
        struct told told = {.n = 0};
        open_sizes(&s, pools ? "data: {name: cifar10, root: nowhere, batch: 2}\n"
                               "model: {units: [{conv: 8}, {pool: 2, conv: 8}, {pool: 2, conv: 8}]"
                               ", cuts: [2]}\naux: {kind: linear}\n"
                             : "data: {name: cifar10, root: nowhere, batch: 2}\n"
                               "model: {units: [{conv: 8}, {pool: 2, conv: 8}, {conv: 8}], cuts: "
                               "[2]}\naux: {kind: linear}\n");
        adn_net_ops(s.nets[0], tell, &told);
        ck_assert_str_eq(told.text, expected);
        close_sizes(&s);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nn");
    TCase *tc = tcase_create("nn");
    tcase_add_test(tc, the_zoo_has_the_parameters_and_multiply_adds_that_others_count);
    tcase_add_test(tc, the_heads_cost_what_the_authors_heads_cost);
    tcase_add_test(tc, a_pool_that_opens_a_block_is_run_by_the_block_before);
    tcase_add_test(tc, a_name_that_no_net_has_is_refused);
    tcase_add_test(tc, units_become_layers);
    tcase_add_test(tc, heads_are_built_as_the_authors_are);
    tcase_add_test(tc, pools_run_inside_the_norm_that_they_read);
    tcase_add_test(tc, operations_are_told_in_the_order_of_a_step_with_their_layers);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
