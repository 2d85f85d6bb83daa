/* The zoo and the heads against figures from elsewhere: parameters and multiply-adds. And names,
 * cuts, initial values. */
#include <math.h>
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

static void open_sizes(sizes *s, const char *yaml)
{
    *s = (sizes){.conf = tiny_config(yaml, NULL)};
    tiny_data(&s->data, 2, 2, 32, 32, 3, 10);
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

/* Weights are functions of seed, name and index: other cuts, the same numbers. */
START_TEST(initial_weights_do_not_depend_on_cuts)
{
    static const char *const cuts[] = {"[1]", "[3]"};
    double first[2] = {0};

    for (int c = 0; c < 2; c++) {
        sizes s;
        char *yaml = adn_format(
            "data: {name: cifar10, root: nowhere, batch: 2}\nmodel: {name: dgl4, cuts: %s}\n",
            cuts[c]);
        open_sizes(&s, yaml);
        for (int j = 0; j < 2; j++) {
            ck_assert_int_eq(adn_net_init(s.nets[j], ADN_INIT_TORCH, 7), ADN_OK);
            for (int i = 0; i < adn_net_n_tensor(s.nets[j]); i++) {
                const adn_tensor *t = adn_net_tensor(s.nets[j], i);
                if (strcmp(t->name, "unit3.conv.weight") != 0) continue;
                double *v = adn_alloc(t->count * sizeof(*v)), bound = 1 / sqrt(128.0 * 9), sum = 0;
                ck_assert_int_eq(adn_net_export(s.nets[j], i, adn_net_params(s.nets[j]), v),
                                 ADN_OK);
                first[c] = v[4711];
                for (size_t k = 0; k < t->count; k++) {
                    ck_assert_double_le(fabs(v[k]), bound * (1 + 1e-6));
                    sum += v[k] * v[k];
                }
                ck_assert_double_eq_tol(sum / (double)t->count, bound * bound / 3,
                                        0.01 * bound * bound);
                adn_free(v);
            }
        }
        close_sizes(&s);
        adn_free(yaml);
    }
    ck_assert_double_ne(first[0], 0);
    ck_assert_double_eq(first[0], first[1]);
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

int main(void)
{
    Suite *suite = suite_create("nn");
    TCase *tc = tcase_create("nn");
    tcase_add_test(tc, the_zoo_has_the_parameters_and_multiply_adds_that_others_count);
    tcase_add_test(tc, the_heads_cost_what_the_authors_heads_cost);
    tcase_add_test(tc, a_pool_that_opens_a_block_is_run_by_the_block_before);
    tcase_add_test(tc, initial_weights_do_not_depend_on_cuts);
    tcase_add_test(tc, operations_are_told_in_the_order_of_a_step_with_their_layers);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
