/* Initial values: the laws they follow, and what they are functions of. */
#include <math.h>
#include <string.h>

#include "suite.h"
#include "tiny.h"

static const char *const config = "data: {name: cifar10, root: nowhere, batch: 4}\n"
                                  "model: {units: [{conv: 24}, {conv: 40}], cuts: [1]}\n"
                                  "aux: {kind: linear}\nclassifier: {hidden: 2}\n";

static adn_dataset_pair data;
static adn_config *conf;
static tiny_run run;

static void setup(void)
{
    conf = tiny_config(config, NULL);
    tiny_data(&data, 8, 4, 8, 8, 3, 10);
    tiny_open(&run, conf, &data, &(tiny_options){0});
}

static void teardown(void)
{
    tiny_close(&run);
    adn_config_free(conf);
    tiny_data_clear(&data);
}

static void init(adn_init kind, uint64_t seed)
{
    for (int j = 0; j < run.plan.n_block; j++)
        ck_assert_int_eq(adn_net_init(adn_stage_net(adn_run_stage(run.run, j), 0), kind, seed),
                         ADN_OK);
}

/* Values of a tensor of any block. Gives (adn_free). */
static double *values_in(const tiny_run *r, const char *name, size_t *n)
{
    for (int j = 0; j < r->plan.n_block; j++) {
        adn_net *net = adn_stage_net(adn_run_stage(r->run, j), 0);
        for (int i = 0; i < adn_net_n_tensor(net); i++) {
            const adn_tensor *t = adn_net_tensor(net, i);
            if (strcmp(t->name, name) != 0) continue;
            double *v = adn_alloc(t->count * sizeof(*v));
            ck_assert_int_eq(adn_net_export(net, i, adn_net_params(net), v), ADN_OK);
            *n = t->count;
            return v;
        }
    }
    ck_abort_msg("no tensor '%s'", name);
}

static double *values_of(const char *name, size_t *n)
{
    return values_in(&run, name, n);
}

/* Uniform within the bound: so are the values' ends, mean and mean square (n in the hundreds). */
static void check_uniform(const char *name, double bound)
{
    size_t n;
    double *v = values_of(name, &n), sum = 0, squares = 0, largest = 0;

    for (size_t i = 0; i < n; i++) {
        sum += v[i];
        squares += v[i] * v[i];
        largest = fmax(largest, fabs(v[i]));
    }
    double mean_sd = bound / sqrt(3.0 * (double)n);
    double square = bound * bound / 3, square_sd = square * sqrt(0.8 / (double)n);
    ck_assert_msg(largest <= bound * (1 + 1e-6) && largest > bound * (1 - 8.0 / (double)n),
                  "%s: up to %g, not %g", name, largest, bound);
    ck_assert_msg(fabs(sum / (double)n) < 3 * mean_sd, "%s: mean %g", name, sum / (double)n);
    ck_assert_msg(fabs(squares / (double)n - square) < 3 * square_sd, "%s: mean square %g, not %g",
                  name, squares / (double)n, square);
    adn_free(v);
}

/* Normal: the mean square, how many lie within one sigma, and no relation between neighbours. */
static void check_normal(const char *name, double sigma)
{
    size_t n;
    double *v = values_of(name, &n), sum = 0, squares = 0, neighbours = 0, within = 0;
    double sd = 1 / sqrt((double)n);

    for (size_t i = 0; i < n; i++) {
        double z = v[i] / sigma;
        sum += z;
        squares += z * z;
        within += fabs(z) < 1;
        if (i > 0) neighbours += z * v[i - 1] / sigma;
    }
    ck_assert_msg(fabs(sum / (double)n) < 3 * sd, "%s: mean %g", name, sum / (double)n);
    ck_assert_msg(fabs(squares / (double)n - 1) < 3 * sqrt(2) * sd, "%s: variance %g", name,
                  squares / (double)n);
    ck_assert_msg(fabs(within / (double)n - 0.6827) < 3 * 0.47 * sd, "%s: within sigma %g", name,
                  within / (double)n);
    ck_assert_msg(fabs(neighbours / (double)n) < 3 * sd, "%s: neighbours %g", name,
                  neighbours / (double)n);
    adn_free(v);
}

static void check_constant(const char *name, double value)
{
    size_t n;
    double *v = values_of(name, &n);
    for (size_t i = 0; i < n; i++) ck_assert_msg(v[i] == value, "%s[%zu]: %g", name, i, v[i]);
    adn_free(v);
}

static void check_norms(void)
{
    check_constant("unit2.norm.weight", 1);
    check_constant("unit2.norm.bias", 0);
    check_constant("unit2.norm.running_mean", 0);
    check_constant("unit2.norm.running_var", 1);
    check_constant("classifier.norm1.weight", 1);
}

/* unit2: 24 to 40 channels, 3 x 3. classifier: 160 to 160, 160 to 160, 160 to 10. */
START_TEST(torch_is_uniform_within_the_root_of_the_inputs)
{
    init(ADN_INIT_TORCH, 7);
    check_uniform("unit1.conv.weight", 1 / sqrt(3 * 9));
    check_uniform("unit2.conv.weight", 1 / sqrt(24 * 9));
    check_uniform("unit2.conv.bias", 1 / sqrt(24 * 9));
    check_uniform("classifier.fc1.bias", 1 / sqrt(160));
    check_uniform("classifier.fc3.weight", 1 / sqrt(160));
    check_norms();
}
END_TEST

START_TEST(kaiming_is_normal_by_the_outputs_of_a_convolution)
{
    init(ADN_INIT_KAIMING, 7);
    check_normal("unit1.conv.weight", sqrt(2.0 / (24 * 9)));
    check_normal("unit2.conv.weight", sqrt(2.0 / (40 * 9)));
    check_normal("classifier.fc1.weight", 0.01);
    check_constant("unit2.conv.bias", 0);
    check_constant("classifier.fc3.bias", 0);
    check_norms();
}
END_TEST

START_TEST(xavier_is_uniform_by_inputs_and_outputs)
{
    init(ADN_INIT_XAVIER, 7);
    check_uniform("unit2.conv.weight", sqrt(6.0 / ((24 + 40) * 9)));
    check_uniform("classifier.fc3.weight", sqrt(6.0 / (160 + 10)));
    check_constant("unit2.conv.bias", 0);
    check_constant("classifier.fc1.bias", 0);
    check_norms();
}
END_TEST

START_TEST(seed_name_and_index_make_the_values)
{
    static const adn_init kinds[] = {ADN_INIT_TORCH, ADN_INIT_KAIMING, ADN_INIT_XAVIER};

    for (size_t k = 0; k < ADN_COUNT(kinds); k++) {
        size_t n;
        init(kinds[k], 7);
        double *a = values_of("classifier.fc1.weight", &n),
               *b = values_of("classifier.fc2.weight", &n);
        init(kinds[k], 8);
        double *c = values_of("classifier.fc1.weight", &n);
        init(kinds[k], 7);
        double *again = values_of("classifier.fc1.weight", &n);
        ck_assert_mem_eq(a, again, n * sizeof(*a));
        for (size_t i = 0; i + 8 < 1000; i++) {
            ck_assert(a[i] != b[i] && a[i] != c[i]);
            for (size_t j = 1; j <= 8; j++) ck_assert(a[i] != a[i + j]);
        }
        adn_free(a);
        adn_free(b);
        adn_free(c);
        adn_free(again);
    }
}
END_TEST

START_TEST(cuts_do_not_matter)
{
    static const char *const none[] = {"mode=bp", NULL};
    size_t n;
    tiny_run whole;
    adn_config *bp = tiny_config(config, none);

    tiny_open(&whole, bp, &data, &(tiny_options){0});
    init(ADN_INIT_TORCH, conf->seed);
    double *cut = values_of("unit2.conv.weight", &n);
    double *uncut = values_in(&whole, "unit2.conv.weight", &n);
    ck_assert_mem_eq(cut, uncut, n * sizeof(*cut));
    adn_free(cut);
    adn_free(uncut);
    tiny_close(&whole);
    adn_config_free(bp);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("init");
    TCase *tc = tcase_create("init");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, torch_is_uniform_within_the_root_of_the_inputs);
    tcase_add_test(tc, kaiming_is_normal_by_the_outputs_of_a_convolution);
    tcase_add_test(tc, xavier_is_uniform_by_inputs_and_outputs);
    tcase_add_test(tc, seed_name_and_index_make_the_values);
    tcase_add_test(tc, cuts_do_not_matter);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
