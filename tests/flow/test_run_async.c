/* `async` as a whole, on threads, in modelled time and from a recorded order: no allocation in a
 * step; every failing call gives its status and leaks nothing. */
#include <stdio.h>
#include <unistd.h>

#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const two_blocks =
    "seed: 3\n"
    "mode: async\n"
    "until: 2ep\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [flip]}\n"
    "model: {units: [{conv: 4}, {residual: 4}], cuts: [1]}\n"
    "aux: {kind: mlp, hidden: 1}\n"
    "edge: {slots: 2}\n"
    "blocks: [{threads: 1}, {threads: 1}]\n";

static const char *const schedules[] = {"schedule=threads", "schedule=virtual",
                                        "schedule=virtual draw=random edge.policy=uniform"};
enum { PATIENCE_S = 300 };

/* --- allocations */

static uint64_t calls_at[64];
static int n_asked;

static bool count_calls(void *user)
{
    (void)user;
    if (n_asked < (int)ADN_COUNT(calls_at)) calls_at[n_asked] = adn_alloc_calls();
    n_asked++;
    return false;
}

START_TEST(a_step_allocates_nothing)
{
    for (size_t k = 0; k < ADN_COUNT(schedules); k++) {
        adn_dataset_pair data;
        adn_config *conf = tiny_config_of(two_blocks, schedules[k]);
        adn_plan plan;
        adn_device *dev;
        adn_run *run;

        tiny_data(&data, 320, 20, 8, 8, 3, 4); /* 20 steps an epoch */
        ck_assert_int_eq(adn_plan_create(conf, &data, &plan), ADN_OK);
        ck_assert_int_eq(adn_cpu_open(&dev), ADN_OK);
        adn_run_conf rc = {.plan = &plan, .data = &data, .dev = dev, .must_stop = count_calls};
        ck_assert_int_eq(adn_run_create(&rc, &run), ADN_OK);
        n_asked = 0;
        ck_assert_int_eq(adn_run_train(run), ADN_OK);
        ck_assert_int_ge(n_asked, 40);
        for (int i = 1; i < 40; i++) /* test passes, rows and re-reads too */
            ck_assert_msg(calls_at[i] == calls_at[0], "%s, step %d", schedules[k], i);
        adn_run_destroy(run);
        dev->ops->close(dev);
        adn_plan_clear_all(&plan);
        adn_config_free(conf);
        tiny_data_clear(&data);
    }
}
END_TEST

/* --- failing calls */

typedef struct sweep {
    adn_dataset_pair data;
    adn_config *conf;
    adn_device *dev;
    const char *order; /* a recorded order to take; NULL: the schedule decides */
} sweep;

static adn_status whole(const sweep *s)
{
    adn_status st;
    adn_plan plan = {0};
    adn_run *run = NULL;
    adn_order_reader *order = NULL;

    ADN_TRY(st, adn_plan_create(s->conf, &s->data, &plan), done);
    adn_run_conf rc = {.plan = &plan, .data = &s->data, .dev = s->dev};
    ADN_TRY(st, adn_run_create(&rc, &run), done);
    if (s->order != NULL) ADN_TRY(st, adn_order_open(s->order, &order), done);
    st = order != NULL ? adn_run_replay(run, order) : adn_run_train(run);
done:
    adn_order_reader_close(order);
    adn_run_destroy(run);
    adn_plan_clear_all(&plan);
    return st;
}

/* The n-th call of the device, then of our allocator, from n = 1 on, until all succeed. */
static void fail_each(const sweep *s)
{
    adn_status st = ADN_DEVICE;
    int64_t n, live = adn_alloc_live();

    for (n = 1; st != ADN_OK; n += n < 40 ? 1 : 7) {
        adn_faulty_arm(s->dev, n);
        st = whole(s);
        ck_assert_msg(st == ADN_OK || st == ADN_DEVICE, "call %lld: %s", (long long)n,
                      adn_status_name(st));
        ck_assert_int_eq(adn_alloc_live(), live);
    }
    ck_assert_int_gt(n, 100);
    adn_faulty_arm(s->dev, 0);
    st = ADN_NOMEM;
    for (n = 1; st != ADN_OK; n += n < 200 ? 1 : 3) {
        adn_alloc_fail_at(n);
        st = whole(s);
        adn_alloc_fail_at(0);
        ck_assert_msg(st == ADN_OK || st == ADN_NOMEM, "allocation %lld: %s", (long long)n,
                      adn_status_name(st));
        ck_assert_int_eq(adn_alloc_live(), live);
    }
}

static void sweep_over(const char *overrides, bool replays)
{
    adn_device *cpu;
    sweep s = {.conf = tiny_config_of(two_blocks, overrides)};
    const char *dir = adn_test_dir();
    char *path = NULL;
    int64_t first;

    alarm(PATIENCE_S); /* a hang ends the program */
    tiny_data(&s.data, 32, 5, 4, 4, 3, 2);
    if (replays) {
        tiny_run t;
        tiny_open(&t, s.conf, &s.data, &(tiny_options){.order_dir = dir});
        ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
        tiny_close(&t);
        ck_assert_int_eq(adn_order_newest(dir, &path, &first), ADN_OK);
        s.order = path;
        s.conf->schedule = ADN_SCHEDULE_THREADS;
    }
    ck_assert_int_eq(adn_cpu_open(&cpu), ADN_OK);
    ck_assert_int_eq(adn_faulty_open(cpu, &s.dev), ADN_OK);
    fail_each(&s);
    s.dev->ops->close(s.dev);
    adn_free(path);
    adn_config_free(s.conf);
    tiny_data_clear(&s.data);
    alarm(0);
}

START_TEST(every_failing_call_on_threads_gives_its_status_and_leaks_nothing)
{
    sweep_over("until=2st after_end=stop", false);
}
END_TEST

START_TEST(every_failing_call_in_modelled_time_gives_its_status_and_leaks_nothing)
{
    sweep_over("until=2st schedule=virtual", false);
    sweep_over("until=2st schedule=virtual draw=random after_end=stop", false);
}
END_TEST

START_TEST(every_failing_call_of_a_replay_gives_its_status_and_leaks_nothing)
{
    sweep_over("until=2st schedule=virtual", true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_async");
    TCase *tc = tcase_create("run_async");
    tcase_add_test(tc, a_step_allocates_nothing);
    tcase_add_test(tc, every_failing_call_on_threads_gives_its_status_and_leaks_nothing);
    tcase_add_test(tc, every_failing_call_in_modelled_time_gives_its_status_and_leaks_nothing);
    tcase_add_test(tc, every_failing_call_of_a_replay_gives_its_status_and_leaks_nothing);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
