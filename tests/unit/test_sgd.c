/* SGD over a flat array against its formulas, and which parameters decay. */
#include <string.h>

#include "optim/optim.h"
#include "suite.h"
#include "tiny.h"

enum { N_DECAY = 32, N = 80, N_STEP = 4 };

/* PyTorch's torch.optim.SGD, an element. */
typedef struct element {
    double weight, momentum;
} element;

static void step_by_hand(element *e, double grad, const adn_optim_conf *c, bool decays, bool resets)
{
    double g = grad + (decays ? c->weight_decay * e->weight : 0);
    e->momentum = resets ? g : c->momentum * e->momentum + g;
    e->weight -= c->lr * (c->nesterov ? g + c->momentum * e->momentum : e->momentum);
}

static double start(int k)
{
    return 1 + 0.01 * k;
}

static double grad_of(int k, int step)
{
    return 0.3 * ((k * 7 + step * 3) % 11 - 5);
}

/* reset_at, halt_at: steps, -1 for none. */
static void check(const adn_optim_conf *c, int n_decay, int reset_at, int halt_at)
{
    adn_device *dev;
    adn_queue *q;
    adn_optim *o;
    element by_hand[N];
    double *params = adn_alloc(N * sizeof(*params)), *grads = adn_alloc(N * sizeof(*grads));
    int32_t *halt = adn_alloc(sizeof(*halt));

    ck_assert_int_eq(adn_cpu_open(&dev), ADN_OK);
    ck_assert_int_eq(dev->ops->queue_create(dev, &(adn_queue_conf){.n_thread = 1}, &q), ADN_OK);
    ck_assert_int_eq(adn_optim_create(q, ADN_F64, N, (size_t)n_decay, c, &o), ADN_OK);
    for (int k = 0; k < N; k++) {
        params[k] = start(k);
        by_hand[k] = (element){start(k), 0};
    }
    for (int step = 0; step < N_STEP; step++) {
        bool resets = step == reset_at;
        *halt = step == halt_at;
        for (int k = 0; k < N; k++) {
            grads[k] = grad_of(k, step);
            if (step != halt_at) step_by_hand(&by_hand[k], grads[k], c, k < n_decay, resets);
        }
        ck_assert_int_eq(adn_optim_step(o, params, grads, c->lr, resets, halt), ADN_OK);
        ck_assert_int_eq(dev->ops->queue_sync(q), ADN_OK);
        const double *momenta = adn_optim_momenta(o);
        for (int k = 0; k < N; k++) {
            ck_assert_double_eq_tol(params[k], by_hand[k].weight, 1e-12);
            ck_assert_double_eq_tol(momenta[k], by_hand[k].momentum, 1e-12);
        }
    }
    adn_optim_destroy(o);
    dev->ops->queue_destroy(q);
    dev->ops->close(dev);
    adn_free(params);
    adn_free(grads);
    adn_free(halt);
}

START_TEST(steps_are_pytorchs_and_only_the_first_part_decays)
{
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        adn_optim_conf c = {
            .lr = 0.1, .momentum = 0.9, .weight_decay = 0.05, .nesterov = nesterov == 1};
        check(&c, N_DECAY, -1, -1);
        check(&c, N, -1, -1);
        check(&c, 0, -1, -1);
        check(&c, N_DECAY, 2, -1); /* momentum begins anew */
        check(&c, N_DECAY, -1, 1); /* a loss that was not finite */
    }
}
END_TEST

/* What the names say: biases, and a norm's scale and shift. */
static void check_decay(const char *no_decay, bool bias_decays, bool scale_decays,
                        bool shift_decays)
{
    const char *const overrides[] = {no_decay, NULL};
    adn_config *conf = tiny_config("data: {name: cifar10, root: nowhere, batch: 4}\n"
                                   "model: {units: [{conv: 4}, {residual: 8}], cuts: every}\n"
                                   "aux: {kind: mlp, hidden: 1}\n",
                                   overrides);
    adn_dataset_pair data;
    tiny_run t;

    tiny_data(&data, 8, 4, 8, 8, 3, 4);
    tiny_open(&t, conf, &data, &(tiny_options){0});
    for (int j = 0; j < t.plan.n_block; j++) {
        adn_net *net = adn_stage_net(adn_run_stage(t.run, j), 0);
        size_t n_decay;
        adn_net_n_param(net, &n_decay);
        for (int i = 0; i < adn_net_n_tensor(net); i++) {
            const adn_tensor *p = adn_net_tensor(net, i);
            if (p->is_stat) continue;
            bool is_norm = strstr(p->name, "norm") != NULL, is_bias = strstr(p->name, ".bias");
            bool expected = is_norm   ? is_bias ? shift_decays : scale_decays
                            : is_bias ? bias_decays
                                      : true;
            ck_assert_msg((p->offset < n_decay) == expected, "%s: %s", no_decay, p->name);
        }
    }
    tiny_close(&t);
    adn_config_free(conf);
    tiny_data_clear(&data);
}

START_TEST(no_decay_leaves_out_what_it_names)
{
    check_decay("optim.no_decay=[]", true, true, true);
    check_decay("optim.no_decay=[bias]", false, true, false);
    check_decay("optim.no_decay=[norm]", true, false, false);
    check_decay("optim.no_decay=[bias, norm]", false, false, false);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sgd");
    TCase *tc = tcase_create("sgd");
    tcase_add_test(tc, steps_are_pytorchs_and_only_the_first_part_decays);
    tcase_add_test(tc, no_decay_leaves_out_what_it_names);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
