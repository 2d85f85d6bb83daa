/* Which of cuDNN's plans is taken: the first, the fastest of those that were tried, or the one that
 * was taken before. */
#include <check.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "device/cuda.h"
#include "op_run.h"
#include "suite.h"

enum { CHOICE = 256, MAX_CHOICES = 32 };

static void (*fast_plan)(long n); /* of the emulated cuDNN; NULL: it is the real one */

static op_case convolution(void)
{
    op_case c = {.desc = {.kind = ADN_OP_CONV_FWD,
                          .type = ADN_F32,
                          .src = {4, 8, 8, 16},
                          .dst = {4, 8, 8, 16}},
                 .layout_n = 4};

    c.desc.u.conv.kernel = 3;
    c.desc.u.conv.stride = c.desc.u.conv.pad = 1;
    return c;
}

/* ---- planned on a device that is opened for it */

typedef struct planned {
    adn_device *dev;
    adn_queue *q;
    adn_op *op;
    char detail[CHOICE];
} planned;

static adn_status plan(const op_case *c, const adn_cuda_conf *conf, planned *out)
{
    const adn_queue_conf queue_conf = {.name = "test", .n_thread = 1};
    planned p = {0};

    adn_test_log_clear();
    ck_assert_int_eq(adn_cuda_open(conf, &p.dev), ADN_OK);
    ck_assert_int_eq(p.dev->ops->queue_create(p.dev, &queue_conf, &p.q), ADN_OK);
    adn_status st = p.dev->ops->plan(p.q, &c->desc, &p.op);
    if (st == ADN_OK) snprintf(p.detail, sizeof(p.detail), "%s", p.op->detail);
    p.dev->ops->op_destroy(p.op);
    p.dev->ops->queue_destroy(p.q);
    p.dev->ops->close(p.dev);
    if (out != NULL) *out = p;
    return st;
}

static bool was_said(const char *what)
{
    return strstr(adn_test_log(), what) != NULL;
}

/* ---- choices: the one that was taken, and all that were timed */

static void copy_choice(void *user, const char *key, const char *choice)
{
    ck_assert(key[0] != '\0');
    snprintf(user, CHOICE, "%s", choice);
}

typedef struct trials {
    char choice[MAX_CHOICES][CHOICE];
    int n;
} trials;

/* Lines "cuda:0: engine 2, 4=1 takes 3.2 us". */
static void read_trials(trials *t)
{
    const char *at = adn_test_log(), *end;

    t->n = 0;
    while ((at = strstr(at, ": engine ")) != NULL) {
        at += 2;
        end = strchr(at, '\n');
        const char *takes = strstr(at, " takes ");
        if (takes == NULL || (end != NULL && takes > end)) continue;
        ck_assert_int_lt(t->n, MAX_CHOICES);
        snprintf(t->choice[t->n++], CHOICE, "%.*s", (int)(takes - at), at);
    }
}

/* Those that a convolution has here; at least two, or nothing can be chosen. */
static void find_trials(const op_case *c, trials *t)
{
    setenv("ADONIS_CACHE", "", 1);
    ck_assert_int_eq(plan(c, &(adn_cuda_conf){.times_plans = true}, NULL), ADN_OK);
    read_trials(t);
    ck_assert_int_ge(t->n, 2);
}

/* The key under which a device looks for the convolution. */
static void copy_key(void *user, const char *key, const char *choice)
{
    ck_assert(choice[0] != '\0');
    snprintf(user, CHOICE, "%s", key);
}

static void key_of(const op_case *c, char *key)
{
    adn_choices *choices;

    ck_assert_int_eq(adn_choices_create(&choices), ADN_OK);
    ck_assert_int_eq(plan(c, &(adn_cuda_conf){.choices = choices}, NULL), ADN_OK);
    adn_choices_each(choices, copy_key, key);
    adn_choices_destroy(choices);
}

/* ---- tests ---- */

START_TEST(several_plans_are_timed_once_and_one_of_them_is_kept)
{
    const op_case c = convolution();
    static trials t;
    adn_choices *choices;
    char taken[CHOICE] = "", again[CHOICE] = "";

    setenv("ADONIS_CACHE", adn_test_dir(), 1);
    ck_assert_int_eq(adn_choices_create(&choices), ADN_OK);
    ck_assert_int_eq(plan(&c, &(adn_cuda_conf){.times_plans = true, .choices = choices}, NULL),
                     ADN_OK);
    read_trials(&t);
    ck_assert_int_ge(t.n, 2);
    ck_assert_int_le(t.n, 8);
    adn_choices_each(choices, copy_choice, taken);
    int of = 0;
    while (of < t.n && strcmp(t.choice[of], taken) != 0) of++;
    ck_assert_msg(of < t.n, "%s was not timed", taken);
    adn_choices_destroy(choices);

    ck_assert_int_eq(adn_choices_create(&choices), ADN_OK);
    ck_assert_int_eq(plan(&c, &(adn_cuda_conf){.times_plans = true, .choices = choices}, NULL),
                     ADN_OK);
    ck_assert(was_said("a plan is loaded") && !was_said(" takes "));
    adn_choices_each(choices, copy_choice, again);
    ck_assert_str_eq(taken, again);
    adn_choices_destroy(choices);
    ck_assert_int_eq(plan(&c, &(adn_cuda_conf){0}, NULL), ADN_OK); /* another question */
    ck_assert(was_said("a plan is made") && !was_said(" takes "));
}
END_TEST

/* An emulated cuDNN makes one plan after another the fastest. */
START_TEST(the_fastest_is_taken_wherever_it_stands)
{
    const op_case c = convolution();
    static trials t;

    find_trials(&c, &t);
    for (int k = 0; k < t.n; k++) {
        adn_choices *choices;
        char taken[CHOICE] = "";
        ck_assert_int_eq(adn_choices_create(&choices), ADN_OK);
        fast_plan(k + 1);
        ck_assert_int_eq(plan(&c, &(adn_cuda_conf){.times_plans = true, .choices = choices}, NULL),
                         ADN_OK);
        fast_plan(0);
        adn_choices_each(choices, copy_choice, taken);
        ck_assert_str_eq(taken, t.choice[k]);
        adn_choices_destroy(choices);
    }
}
END_TEST

START_TEST(what_was_taken_before_is_taken_again)
{
    const op_case c = convolution();
    static trials t;
    char key[CHOICE] = "", kept[CHOICE];

    find_trials(&c, &t);
    key_of(&c, key);
    setenv("ADONIS_CACHE", adn_test_dir(), 1); /* which will say something else to most */
    ck_assert_int_eq(plan(&c, &(adn_cuda_conf){0}, NULL), ADN_OK);
    for (int k = 0; k < t.n; k++) {
        adn_choices *choices;
        planned p;
        ck_assert_int_eq(adn_choices_create(&choices), ADN_OK);
        ck_assert_int_eq(adn_choices_put(choices, key, t.choice[k]), ADN_OK);
        ck_assert_int_eq(plan(&c, &(adn_cuda_conf){.times_plans = true, .choices = choices}, &p),
                         ADN_OK);
        ck_assert(!was_said(" takes ") && !was_said("does not offer"));
        ck_assert_msg(was_said(t.choice[k]), "%s: %s", t.choice[k], adn_test_log());
        adn_choices_each(choices, copy_choice, kept);
        ck_assert_str_eq(kept, t.choice[k]);
        ck_assert_int_eq(strtol(p.detail + strlen("engine "), NULL, 10),
                         strtol(kept + strlen("engine "), NULL, 10));
        adn_choices_destroy(choices);
    }
}
END_TEST

START_TEST(what_is_not_offered_any_more_is_said_and_planned_anew)
{
    const op_case c = convolution();
    adn_choices *choices;
    char key[CHOICE] = "";

    setenv("ADONIS_CACHE", "", 1);
    key_of(&c, key);
    ck_assert_int_eq(adn_choices_create(&choices), ADN_OK);
    ck_assert_int_eq(adn_choices_put(choices, key, "engine 9999, 1=1"), ADN_OK);
    ck_assert_int_eq(plan(&c, &(adn_cuda_conf){.choices = choices}, NULL), ADN_OK);
    ck_assert(was_said("cuDNN does not offer engine 9999, 1=1 any more"));
    ck_assert(was_said("a plan is made"));
    adn_choices_destroy(choices);
}
END_TEST

START_TEST(the_fastest_computes_the_same_within_its_tolerance)
{
    const adn_queue_conf queue_conf = {.name = "test", .n_thread = 1};
    const op_case c = convolution();
    adn_device *dev;
    adn_queue *q;
    op_data first, fastest;

    setenv("ADONIS_CACHE", "", 1);
    for (int times = 0; times < 2; times++) {
        op_data *data = times ? &fastest : &first;
        ck_assert_int_eq(adn_cuda_open(&(adn_cuda_conf){.times_plans = times == 1}, &dev), ADN_OK);
        ck_assert_int_eq(dev->ops->queue_create(dev, &queue_conf, &q), ADN_OK);
        op_data_init(data, &c, OP_SEED);
        op_run(q, &c, data);
        dev->ops->queue_destroy(q);
        dev->ops->close(dev);
    }
    const double *a = first.p[ADN_DST], *b = fastest.p[ADN_DST];
    for (size_t i = 0; i < first.count[ADN_DST]; i++) ck_assert_double_le(fabs(a[i] - b[i]), 1e-4);
    op_data_clear(&first);
    op_data_clear(&fastest);
}
END_TEST

/* Some plan of some pass wants more, and one of each does not. */
START_TEST(a_limit_of_workspace_is_kept)
{
    static const adn_op_kind kinds[] = {ADN_OP_CONV_FWD, ADN_OP_CONV_GRAD_SRC,
                                        ADN_OP_CONV_GRAD_PARAM};
    op_case c = convolution();
    int n_passed_over = 0;

    setenv("ADONIS_CACHE", "", 1);
    for (int i = 0; i < 2 * (int)ADN_COUNT(kinds); i++) {
        const adn_cuda_conf conf = {.workspace_limit = 1, .times_plans = i % 2 == 1};
        c.desc.kind = kinds[i / 2];
        ck_assert_int_eq(plan(&c, &conf, NULL), ADN_OK);
        ck_assert_msg(was_said(", 0 bytes of workspace"), "%s", adn_test_log());
        n_passed_over += was_said(" bytes of workspace: passed over");
    }
    ck_assert_int_gt(n_passed_over, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dnn_choice");
    TCase *tests = tcase_create("choices");
    union {
        void *object;
        void (*fast_plan)(long n);
    } found = {dlsym(RTLD_DEFAULT, "cudalab_fast_plan")};

    fast_plan = found.fast_plan;
    if (adn_cuda_count(NULL) == 0) {
        if (getenv("ADN_REQUIRE_GPU") != NULL) return 1;
        adn_test_skip("no GPU: nothing is planned");
        return adn_suite_run(suite);
    }
    adn_log_level_set(ADN_LEVEL_DEBUG);
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, several_plans_are_timed_once_and_one_of_them_is_kept);
    if (fast_plan != NULL)
        tcase_add_test(tests, the_fastest_is_taken_wherever_it_stands);
    else
        adn_test_skip("which plan is the fastest only an emulated GPU can be told");
    tcase_add_test(tests, what_was_taken_before_is_taken_again);
    tcase_add_test(tests, what_is_not_offered_any_more_is_said_and_planned_anew);
    tcase_add_test(tests, the_fastest_computes_the_same_within_its_tolerance);
    tcase_add_test(tests, a_limit_of_workspace_is_kept);
    suite_add_tcase(suite, tests);
    return adn_suite_run(suite);
}
