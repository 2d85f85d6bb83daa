/* A run that ends by time counts its seconds over stops: those it trained, and no others. What is
 * compared are clocks read before and after one another, so no speed decides. */
#include <math.h>

#include "adonis/train.h"
#include "set_files.h"
#include "store/store.h"
#include "suite.h"
#include "tiny.h"

static const char *const config = "name: timed\n"
                                  "until: 3s\n"
                                  "data: {name: idx, batch: 4}\n"
                                  "model: {units: [{conv: 4}, {conv: 4}], cuts: [1]}\n"
                                  "aux: {kind: linear}\n"
                                  "eval: {every: inf}\n"
                                  "checkpoint: {every: inf}\n";

typedef struct leg {      /* from a start to a stop or the end */
    double stop_after_s;  /* since it first asked; INFINITY: to the end */
    double asked_first_s; /* when the source asked whether to stop */
    double asked_last_s;
    double before_s; /* as a tick said; -1: no tick */
    bool was_finished;
    double all_s;   /* the call, its preparations included */
    double saved_s; /* seconds of the newest checkpoint behind it */
    adn_status st;
} leg;

static bool must_stop(void *user)
{
    leg *l = user;
    l->asked_last_s = adn_now();
    if (l->asked_first_s == 0) l->asked_first_s = l->asked_last_s;
    return l->asked_last_s - l->asked_first_s >= l->stop_after_s;
}

static void on_start(void *user, const adn_train_start *start)
{
    ((leg *)user)->was_finished = start->was_finished;
}

static void on_tick(void *user, const adn_tick *tick)
{
    ((leg *)user)->before_s = tick->before_s;
}

static leg train(const char *const *overrides, const char *dir, double stop_after_s)
{
    leg l = {.stop_after_s = stop_after_s, .before_s = -1};
    adn_config *conf = tiny_config(config, overrides);
    adn_watch watch = {
        .user = &l, .must_stop = must_stop, .on_start = on_start, .on_tick = on_tick};
    adn_ckpt_info info;
    double start = adn_now();

    l.st = adn_train(conf, &(adn_train_options){.command = ""}, &watch);
    l.all_s = adn_now() - start;
    adn_config_free(conf);
    ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
    l.saved_s = info.seconds;
    return l;
}

/* From its first question to its last it trained; before and behind them it did a bit more. */
static void check(const leg *l, double before_s)
{
    ck_assert_double_ge(l->saved_s, before_s + l->asked_last_s - l->asked_first_s);
    ck_assert_double_le(l->saved_s, before_s + l->all_s);
}

START_TEST(a_run_by_time_goes_on_with_the_seconds_it_had)
{
    char *root = adn_format("data.root=%s", adn_test_idx_dir(false)),
         *runs = adn_format("runs=%s", adn_test_dir()), *dir = adn_format("%s/timed", runs + 5);
    const char *const overrides[] = {root, runs, NULL};

    leg first = train(overrides, dir, 0.5);
    ck_assert_int_eq(first.st, ADN_STOPPED);
    check(&first, 0);
    leg second = train(overrides, dir, 0.01); /* a step at least */
    ck_assert_int_eq(second.st, ADN_STOPPED);
    check(&second, first.saved_s);
    leg last = train(overrides, dir, INFINITY);
    ck_assert_int_eq(last.st, ADN_OK);
    check(&last, second.saved_s);
    ck_assert_double_eq(last.before_s, second.saved_s);
    ck_assert_double_ge(last.saved_s, 3);
    leg again = train(overrides, dir, INFINITY);
    ck_assert(again.st == ADN_OK && again.was_finished && again.asked_first_s == 0);
    adn_free(root);
    adn_free(runs);
    adn_free(dir);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seconds");
    TCase *tc = tcase_create("seconds");
    tcase_add_test(tc, a_run_by_time_goes_on_with_the_seconds_it_had);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
