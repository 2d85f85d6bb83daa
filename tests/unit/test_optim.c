/* Update rules over a flat array against their formulas, and which parameters decay. */
#include <math.h>
#include <string.h>

#include "optim/optim.h"
#include "suite.h"
#include "tiny.h"

enum { N_DECAY = 32, N = 80, N_PAD = 3, N_STEP = 20 };

typedef struct element {
    double weight, m, v;
    int n_step; /* that it has made */
} element;

/* PyTorch's torch.optim.SGD, an element. */
static void step_sgd(element *e, double grad, const adn_optim_conf *c, double decay, bool resets)
{
    double g = grad + decay * e->weight;
    e->m = resets ? g : c->momentum * e->m + g;
    e->weight -= c->lr * (c->nesterov ? g + c->momentum * e->m : e->m);
}

/* Its torch.optim.AdamW, in the order of its _single_tensor_adam. */
static void step_adamw(element *e, double grad, const adn_optim_conf *c, double decay)
{
    double bias1 = 1, bias2 = 1;
    for (int i = 0; i < e->n_step; i++) {
        bias1 *= c->betas[0];
        bias2 *= c->betas[1];
    }
    e->weight *= 1 - c->lr * decay;
    e->m += (1 - c->betas[0]) * (grad - e->m);
    e->v = e->v * c->betas[1] + grad * grad * (1 - c->betas[1]);
    double denom = sqrt(e->v) / sqrt(1 - bias2) + c->eps;
    e->weight -= c->lr / (1 - bias1) * (e->m / denom);
}

static void step_by_hand(element *e, double grad, const adn_optim_conf *c, bool decays, bool resets)
{
    double decay = decays ? c->weight_decay : 0;

    e->n_step++;
    if (c->kind == ADN_OPTIM_ADAMW)
        step_adamw(e, grad, c, decay);
    else
        step_sgd(e, grad, c, decay, resets);
}

/* The last of both parts are padding: nothing that is learned. */
static bool is_padding(int k, int n_decay)
{
    return k >= N - N_PAD || (k < n_decay && k >= n_decay - N_PAD);
}

static double start(int k, int n_decay)
{
    return is_padding(k, n_decay) ? 0 : 1 + 0.01 * k;
}

static double grad_of(int k, int step, int n_decay)
{
    return is_padding(k, n_decay) ? 0 : 0.3 * ((k * 7 + step * 3) % 11 - 5);
}

/* first: updates before. reset_at, halt_at: steps, -1 for none. */
static void check(const adn_optim_conf *c, int n_decay, int first, int reset_at, int halt_at)
{
    adn_device *dev;
    adn_queue *q;
    adn_optim *o;
    element by_hand[N];
    double *params = adn_alloc(N * sizeof(*params)), *grads = adn_alloc(N * sizeof(*grads));
    int32_t *halt = adn_alloc(sizeof(*halt));
    int64_t count = first;

    ck_assert_int_eq(adn_cpu_open(&dev), ADN_OK);
    ck_assert_int_eq(dev->ops->queue_create(dev, &(adn_queue_conf){.n_thread = 1}, &q), ADN_OK);
    ck_assert_int_eq(adn_optim_create(q, ADN_F64, N, (size_t)n_decay, c, &o), ADN_OK);
    for (int k = 0; k < N; k++) {
        params[k] = start(k, n_decay);
        by_hand[k] = (element){.weight = params[k], .n_step = first};
    }
    for (int step = 0; step < N_STEP; step++) {
        bool halts = step == halt_at;
        adn_update u = {.lr = c->lr, .count = count + 1, .resets = step == reset_at};
        *halt = halts;
        count += !halts;
        for (int k = 0; k < N; k++) {
            grads[k] = grad_of(k, step, n_decay);
            if (!halts) step_by_hand(&by_hand[k], grads[k], c, k < n_decay, u.resets);
        }
        ck_assert_int_eq(adn_optim_step(o, params, grads, &u, halt), ADN_OK);
        ck_assert_int_eq(dev->ops->queue_sync(q), ADN_OK);
        const double *m = adn_optim_state(o, 0), *v = adn_optim_state(o, 1);
        ck_assert((v != NULL) == (c->kind == ADN_OPTIM_ADAMW));
        for (int k = 0; k < N; k++) {
            ck_assert_double_eq_tol(params[k], by_hand[k].weight, 1e-12);
            ck_assert_double_eq_tol(m[k], by_hand[k].m, 1e-12);
            if (v != NULL) ck_assert_double_eq_tol(v[k], by_hand[k].v, 1e-12);
            if (is_padding(k, n_decay)) ck_assert_double_eq(params[k], 0);
        }
    }
    adn_optim_destroy(o);
    dev->ops->queue_destroy(q);
    dev->ops->close(dev);
    adn_free(params);
    adn_free(grads);
    adn_free(halt);
}

START_TEST(sgds_steps_are_pytorchs_and_only_the_first_part_decays)
{
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        adn_optim_conf c = {
            .lr = 0.1, .momentum = 0.9, .weight_decay = 0.05, .nesterov = nesterov == 1};
        check(&c, N_DECAY, 0, -1, -1);
        check(&c, N, 0, -1, -1);
        check(&c, 0, 0, -1, -1);
        check(&c, N_DECAY, 0, 2, -1); /* momentum begins anew */
        check(&c, N_DECAY, 0, -1, 1); /* a loss that was not finite */
    }
}
END_TEST

START_TEST(adamws_steps_are_pytorchs_and_only_the_first_part_decays)
{
    static const double betas[][2] = {{0.9, 0.999}, {0.8, 0.95}, {0, 0.5}};

    for (size_t i = 0; i < ADN_COUNT(betas); i++) {
        adn_optim_conf c = {.kind = ADN_OPTIM_ADAMW,
                            .lr = 0.01,
                            .weight_decay = 0.05,
                            .betas = {betas[i][0], betas[i][1]},
                            .eps = i == 1 ? 0.1 : 1e-8};
        check(&c, N_DECAY, 0, -1, -1);
        check(&c, N, 0, -1, -1);
        check(&c, 0, 0, -1, -1);
        check(&c, N_DECAY, 1000, -1, -1); /* as where a run goes on: biases are nearly corrected */
        check(&c, N_DECAY, 0, -1, 3);
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
    Suite *suite = suite_create("optim");
    TCase *tc = tcase_create("optim");
    tcase_add_test(tc, sgds_steps_are_pytorchs_and_only_the_first_part_decays);
    tcase_add_test(tc, adamws_steps_are_pytorchs_and_only_the_first_part_decays);
    tcase_add_test(tc, no_decay_leaves_out_what_it_names);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
