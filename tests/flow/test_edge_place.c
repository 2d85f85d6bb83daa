/* Slots in the host's memory or in a file, and sent from device to device: the same numbers,
 * wherever they lie and however they come there. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "devices.h"
#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const three_blocks =
    "seed: 6\n"
    "until: 2ep\n"
    "data: {name: cifar10, root: nowhere, batch: 8, augment: [flip]}\n"
    "model: {units: [{conv: 6}, {pool: 2, conv: 8}, {conv: 8}], cuts: every}\n"
    "aux: {kind: linear}\n"
    "classifier: {hidden: 0}\n"
    "edge: {slots: 2}\n"
    "optim: {lr: 0.05}\n";

static adn_dataset_pair data;

static void setup(void)
{
    tiny_data(&data, 45, 20, 8, 8, 3, 4); /* the last batch is short: in a slot it fills in part */
}

static void teardown(void)
{
    tiny_data_clear(&data);
}

static uint64_t train_with(const char *mode, const char *place, const tiny_options *o)
{
    char text[256];
    tiny_run t;

    snprintf(text, sizeof(text), "%s runs=%s %s", mode, adn_test_dir(), place);
    adn_config *conf = tiny_config_of(three_blocks, text);
    tiny_open(&t, conf, &data, o);
    ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
    uint64_t hash = tiny_run_hash(&t);
    tiny_close(&t);
    adn_config_free(conf);
    return hash;
}

static uint64_t train(const char *mode, const char *place, uint64_t jitter)
{
    return train_with(mode, place, &(tiny_options){.jitter = jitter});
}

static const char *const modes[] = {"mode=sync", "mode=greedy", "mode=sync precision=bf16",
                                    "mode=async schedule=virtual edge.policy=priority-lifo",
                                    "mode=sync replicas=2 data.batch=4"};

START_TEST(where_slots_lie_changes_no_bit)
{
    static const char *const places[] = {
        "edge.place=pinned", "edge.place=file",
        "blocks=[{},{},{}] blocks[1].edge.place=file blocks[2].edge.place=pinned"};
    const char *mode = modes[_i];

    if (strstr(mode, "replicas") != NULL && devices_are_gpus() && devices_count() < 2) {
        adn_test_skip("one GPU: replicas need two");
        return;
    }
    uint64_t hash = train(mode, "edge.place=device", 0);
    for (size_t k = 0; k < ADN_COUNT(places); k++)
        ck_assert_msg(train(mode, places[k], 1 + k) == hash, "%s %s: other weights", mode,
                      places[k]);
}
END_TEST

/* On devices of their own, GPUs or not. */
static uint64_t train_apart(const char *mode, bool sends, uint64_t jitter)
{
    tiny_options o = {.jitter = jitter, .sends = sends, .n_dev = 3};
    int n = devices_are_gpus() ? devices_count() : 3;

    o.n_dev = ADN_MIN(n, 3);
    for (int k = 0; k < o.n_dev; k++) o.devs[k] = devices_get(k);
    return train_with(mode, "", &o);
}

START_TEST(sends_are_copies_to_the_bit)
{
    static const char *const some[] = {"mode=sync", "mode=greedy", "mode=sync replicas=2",
                                       "mode=sync precision=bf16"};

    if (devices_are_gpus() && devices_count() < 2) {
        adn_test_skip("one GPU: nothing is sent");
        return;
    }
    for (size_t i = 0; i < ADN_COUNT(some); i++) {
        uint64_t hash = train_apart(some[i], false, 0);
        ck_assert_msg(train_apart(some[i], true, 2 + i) == hash, "%s: other weights", some[i]);
    }
    train_apart("mode=async edge.policy=latest", true, 1);
    train_apart("mode=async edge.policy=priority-lifo edge.slots=1", true, 2);
}
END_TEST

START_TEST(async_runs_re_read_them)
{
    static const char *const policies[] = {"fifo", "latest", "priority-lifo", "uniform"};
    char text[128];

    for (size_t k = 0; k < ADN_COUNT(policies); k++) {
        snprintf(text, sizeof(text), "mode=async edge.policy=%s", policies[k]);
        train(text, "edge.place=pinned", 3 + k);
        train(text, "edge.place=file", 3 + k);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge place");
    TCase *tc = tcase_create("flows");

    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 0);
    tcase_add_loop_test(tc, where_slots_lie_changes_no_bit, 0, (int)ADN_COUNT(modes));
    tcase_add_test(tc, async_runs_re_read_them);
    tcase_add_test(tc, sends_are_copies_to_the_bit);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
