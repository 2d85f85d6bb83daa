/* CUDA's own calls fail, each once, or for good from one on, in whole runs on emulated GPUs: the
 * run ends with a status and a message that names the GPU, nothing hangs, nothing is left behind.
 * Real GPUs cannot be told to. */
#include <check.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices.h"
#include "suite.h"
#include "tiny.h"

enum { PATIENCE_S = 600, N_ASKED = 4 };

static long (*fail_at)(long n, int sticky);
static adn_dataset_pair data;

static const char *const config =
    "until: 3st\n"
    "data: {name: cifar10, root: nowhere, batch: 4}\n"
    "model: {units: [{conv: 4}, {pool: 2, conv: 6}], cuts: every}\n"
    "aux: {kind: linear}\nclassifier: {hidden: 0}\nedge: {slots: 2}\n";

static const char *const runs[] = {"mode=sync", "mode=async edge.policy=latest edge.place=pinned",
                                   "mode=sync replicas=2"};

static void setup(void)
{
    tiny_data(&data, 16, 5, 8, 8, 3, 4);
}

static void teardown(void)
{
    tiny_data_clear(&data);
}

/* Opened without a fault, so that all calls are a run's. */
static adn_status train(const adn_config *conf, adn_device *const *gpus)
{
    adn_plan plan = {0};
    adn_run *run = NULL;
    adn_device *devs[4];
    adn_status st;

    ADN_TRY(st, adn_plan_create(conf, &data, &plan), done);
    for (int i = 0; i < plan.n_column * plan.n_block; i++)
        devs[i] = gpus[(i % plan.n_block + i / plan.n_block) % 2];
    adn_run_conf rc = {.plan = &plan, .data = &data, .devs = devs};
    ADN_TRY(st, adn_run_create(&rc, &run), done);
    st = adn_run_train(run);
done:
    adn_run_destroy(run);
    adn_plan_clear_all(&plan);
    return st;
}

/* Returns the number of calls that a run makes. */
static long count_calls(const adn_config *conf, adn_device *const *gpus)
{
    fail_at(1L << 40, 0);
    ck_assert_int_eq(train(conf, gpus), ADN_OK);
    return fail_at(0, 0);
}

static void try_call(const adn_config *conf, adn_device *const *gpus, long n, bool is_sticky)
{
    int64_t live = adn_alloc_live();

    adn_test_log_clear();
    fail_at(n, is_sticky);
    adn_status st = train(conf, gpus);
    fail_at(0, 0);
    bool may_pass = n <= N_ASKED; /* free memory that is not told limits nothing */
    ck_assert_msg(st == ADN_DEVICE || st == ADN_NOMEM || (st == ADN_OK && may_pass && !is_sticky),
                  "call %ld: %s", n, adn_status_name(st));
    if (st != ADN_OK)
        ck_assert_msg(strstr(adn_test_log(), "cuda:") != NULL, "call %ld says: %s", n,
                      adn_test_log());
    ck_assert_msg(adn_alloc_live() == live, "call %ld leaves %lld allocations", n,
                  (long long)(adn_alloc_live() - live));
}

START_TEST(a_call_that_fails_ends_the_run)
{
    bool is_sticky = _i % 2;
    adn_config *conf = tiny_config_of(config, runs[_i / 2]);
    adn_device *gpus[2] = {devices_get(0), devices_get(1)};

    alarm(PATIENCE_S); /* a hang ends the program */
    long n_call = count_calls(conf, gpus);
    ck_assert_int_gt(n_call, 200);
    for (long n = 1; n < n_call; n += 1 + n / 6) try_call(conf, gpus, n, is_sticky);
    alarm(0);
    for (int k = 0; k < 2; k++) gpus[k]->ops->close(gpus[k]);
    adn_config_free(conf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    TCase *tc = tcase_create("calls");
    union {
        void *object;
        long (*function)(long n, int sticky);
    } found = {dlsym(RTLD_DEFAULT, "cudalab_fail_at")};

    fail_at = found.function;
    if (fail_at == NULL || devices_count() < 2) {
        printf("skipped: no two emulated GPUs\n");
        return 77;
    }
    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 0);
    tcase_add_loop_test(tc, a_call_that_fails_ends_the_run, 0, 2 * (int)ADN_COUNT(runs));
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
