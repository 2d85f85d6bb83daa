/* Training on GPUs, one to four of them: the cpu device's results within rounding, and one GPU's to
 * the bit. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "devices.h"
#include "suite.h"
#include "tiny.h"

static const char *const four_blocks =
    "seed: 5\n"
    "until: 2ep\n"
    "data: {name: cifar10, root: nowhere, batch: 8, augment: [crop 1, flip]}\n"
    "model: {units: [{conv: 6}, {pool: 2, conv: 8}, {residual: 8}, {residual: 12, stride: 2}]}\n"
    "aux: {kind: mlp-sr, conv: 1, hidden: 1}\n"
    "classifier: {hidden: 1}\n"
    "edge: {slots: 2}\n"
    "optim: {lr: 0.02, momentum: 0.9, weight_decay: 1e-3}\n";

enum { N_TRAIN = 43, N_TEST = 20 }; /* 5 steps an epoch and one of 3 samples */

static adn_dataset_pair data;

static void setup(void)
{
    tiny_data(&data, N_TRAIN, N_TEST, 8, 8, 3, 4);
}

static void teardown(void)
{
    tiny_data_clear(&data);
}

/* On the cpu, or block j on GPU j modulo n_gpu. Returns the hash of all weights. */
static uint64_t train(const char *overrides, int n_gpu, tiny_rows *rows)
{
    adn_config *conf = tiny_config_of(four_blocks, overrides);
    tiny_options o = {.n_dev = ADN_MAX(1, n_gpu)};
    tiny_run t;

    if (n_gpu == 0) ck_assert_int_eq(adn_cpu_open(&o.devs[0]), ADN_OK);
    for (int k = 0; k < n_gpu; k++) o.devs[k] = devices_get(k);
    tiny_open(&t, conf, &data, &o);
    ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
    uint64_t hash = tiny_run_hash(&t);
    *rows = t.rows;
    tiny_close(&t);
    adn_config_free(conf);
    return hash;
}

static bool near(double a, double b, double most)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= most * (1 + fabs(b));
}

/* A test goes by running statistics of a few steps, which magnifies. */
static void compare(const tiny_rows *got, const tiny_rows *wanted, double most)
{
    ck_assert_int_eq(got->n, wanted->n);
    for (int i = 0; i < wanted->n; i++) {
        const adn_epoch_row *b = &wanted->rows[i], *a = tiny_row(got, b->block, b->epoch);
        ck_assert_ptr_nonnull(a);
        ck_assert_int_eq(a->steps, b->steps);
        ck_assert_int_eq(a->samples, b->samples);
        ck_assert_msg(near(a->train_loss, b->train_loss, most) &&
                          near(a->test_loss, b->test_loss, 4 * most),
                      "block %d, epoch %d: losses %.9g and %.9g, on the cpu %.9g and %.9g",
                      a->block, a->epoch, a->train_loss, a->test_loss, b->train_loss, b->test_loss);
    }
}

static const struct {
    const char *overrides;
    double most; /* that losses may differ from the cpu's, beside 1 + themselves */
} cases[] = {{"mode=sync model.cuts=every", 1e-4},
             {"mode=greedy model.cuts=every", 1e-4},
             {"mode=bp", 1e-4},
             {"mode=sync model.cuts=[2] precision=bf16", 1e-2},
             {"mode=async model.cuts=every schedule=virtual edge.policy=priority-lifo", 1e-4},
             {"mode=sync model.cuts=[2] replicas=2", 1e-4},
             {"mode=greedy model.cuts=[2] replicas=2", 1e-4}};

START_TEST(training_on_gpus_is_that_on_the_cpu)
{
    static tiny_rows cpu, gpu, others;
    bool is_virtual = strstr(cases[_i].overrides, "virtual") != NULL;    /* on one device */
    int first = strstr(cases[_i].overrides, "replicas") != NULL ? 2 : 1; /* a GPU for each copy */
    int n = is_virtual ? 1 : ADN_MIN(devices_count(), (int)TINY_DEVICES);

    if (n < first) {
        adn_test_skip("%d GPU: replicas need %d", n, first);
        return;
    }
    train(cases[_i].overrides, 0, &cpu);
    uint64_t hash = train(cases[_i].overrides, first, &gpu);
    compare(&gpu, &cpu, cases[_i].most);
    for (int k = first + 1; k <= n; k++)
        ck_assert_msg(train(cases[_i].overrides, k, &others) == hash,
                      "%s: %d GPUs give other weights than %d", cases[_i].overrides, k, first);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flows on GPUs");
    TCase *tc = tcase_create("flows");

    if (!devices_are_gpus()) {
        printf("skipped: ADN_TEST_DEVICE is not cuda\n");
        return 77;
    }
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 0);
    tcase_add_loop_test(tc, training_on_gpus_is_that_on_the_cpu, 0, (int)ADN_COUNT(cases));
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
