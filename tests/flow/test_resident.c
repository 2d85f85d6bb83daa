/* A data set in the device's memory, augmented there: the same bits as when the loader augments. On
 * machines without a GPU the cpu device pretends to have memory of its own. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "device/device.h"
#include "devices.h"
#include "pipeline/inside.h"
#include "pipeline/text.h"
#include "suite.h"
#include "tiny.h"

static const char *const three_blocks =
    "seed: 6\n"
    "until: 2ep\n"
    "data: {name: cifar10, root: nowhere, batch: 8, augment: %s}\n"
    "model: {units: [{conv: 6}, {pool: 2, conv: 8}, {conv: 8}], cuts: every}\n"
    "aux: {kind: linear}\n"
    "classifier: {hidden: 0}\n"
    "edge: {slots: 2}\n"
    "optim: {lr: 0.05}\n";
static const char *const usual = "[crop 2, flip, cutout 3]";

static adn_config *config_of(const char *augment, const char *overrides)
{
    char *text = adn_format(three_blocks, augment);

    ck_assert_ptr_nonnull(text);
    adn_config *conf = tiny_config_of(text, overrides);
    adn_free(text);
    return conf;
}

enum { N_TRAIN = 45, N_TEST = 20 }; /* the last batches are short */

/* The table of the devices that a run is made on. */
static adn_device_ops table;
static size_t free_bytes;

static size_t memory_free(adn_device *dev)
{
    (void)dev;
    return free_bytes;
}

static adn_device *pretend(adn_device *dev, bool has_own_memory, size_t bytes)
{
    table = *dev->ops;
    table.has_own_memory = has_own_memory;
    table.memory_free = memory_free;
    free_bytes = bytes;
    dev->ops = &table;
    return dev;
}

/* Options whose devices have memory of their own: one where a schedule wants that. */
static tiny_options with_memory(const adn_config *conf)
{
    tiny_options o = {.n_dev = conf->schedule == ADN_SCHEDULE_VIRTUAL
                                   ? 1
                                   : ADN_MIN(devices_count(), (int)TINY_DEVICES)};
    for (int k = 0; k < o.n_dev; k++) o.devs[k] = pretend(devices_get(k), true, 1 << 30);
    return o;
}

typedef struct outcome {
    uint64_t hash;
    double test_loss[2]; /* of the last block, by epoch */
} outcome;

static outcome train(const adn_dataset_pair *data, const char *augment, const char *resident,
                     const char *overrides, uint64_t jitter)
{
    char text[256];
    tiny_run t;

    snprintf(text, sizeof(text), "data.resident=%s %s", resident, overrides);
    adn_config *conf = config_of(augment, text);
    tiny_options o = with_memory(conf);
    o.jitter = jitter;
    tiny_open(&t, conf, data, &o);
    ck_assert_int_eq(t.run->is_resident, strcmp(resident, "true") == 0);
    ck_assert_int_eq(adn_run_train(t.run), ADN_OK);
    outcome out = {.hash = tiny_run_hash(&t)};
    for (int e = 0; e < 2; e++)
        out.test_loss[e] = tiny_row(&t.rows, t.plan.n_block - 1, e + 1)->test_loss;
    tiny_close(&t);
    adn_config_free(conf);
    return out;
}

static void check_same(const adn_dataset_pair *data, const char *augment, const char *overrides)
{
    outcome host = train(data, augment, "false", overrides, 0);

    for (uint64_t jitter = 0; jitter <= 5; jitter += 5) {
        outcome there = train(data, augment, "true", overrides, jitter);
        ck_assert_msg(there.hash == host.hash, "%s %s: other weights", augment, overrides);
        for (int e = 0; e < 2; e++)
            ck_assert_msg(there.test_loss[e] == host.test_loss[e],
                          "%s %s: epoch %d: test loss %g, %g", augment, overrides, e + 1,
                          there.test_loss[e], host.test_loss[e]);
    }
}

static const char *const modes[] = {
    "mode=sync",
    "mode=greedy",
    "mode=bp",
    "mode=sync precision=bf16",
    "mode=sync edge.place=pinned",
    "mode=async schedule=virtual edge.policy=priority-lifo",
    "mode=sync replicas=2 data.batch=4",
    "mode=sync replicas=2 data.batch=7"}; /* tests end in a short batch and in none */

START_TEST(every_mode_gives_the_same_bits)
{
    adn_dataset_pair data;

    if (strstr(modes[_i], "replicas") != NULL && devices_are_gpus() && devices_count() < 2) {
        adn_test_skip("one GPU: replicas need two");
        return;
    }
    tiny_data(&data, N_TRAIN, N_TEST, 8, 8, 3, 4);
    check_same(&data, usual, modes[_i]);
    tiny_data_clear(&data);
}
END_TEST

static const char *const lists[] = {"[crop 2, flip, cutout 3]", "[cutout 4, flip, crop 3]",
                                    "[flip, crop 1, cutout 40, crop 12]", "[]"};

START_TEST(every_list_of_transforms_gives_the_same_bits_at_any_size)
{
    static const int images[][3] = {{8, 8, 3}, {9, 7, 1}, {7, 5, 3}, {6, 10, 4}};

    for (size_t k = 0; k < ADN_COUNT(images); k++) {
        adn_dataset_pair data;
        tiny_data(&data, N_TRAIN, N_TEST, images[k][0], images[k][1], images[k][2], 4);
        check_same(&data, lists[_i], "");
        tiny_data_clear(&data);
    }
}
END_TEST

/* In the middle of an epoch, one way and the other. */
START_TEST(a_run_goes_on_either_way)
{
    static const char *const ways[] = {"false", "true"};
    adn_dataset_pair data;

    tiny_data(&data, N_TRAIN, N_TEST, 8, 8, 3, 4);
    uint64_t hash = train(&data, usual, "false", "mode=sync", 0).hash;
    for (int i = 0; i < 2; i++) {
        const char *dir = adn_test_dir();
        char text[64], *path = NULL;
        adn_ckpt_info info;
        tiny_run t;
        for (int part = 0; part < 2; part++) {
            snprintf(text, sizeof(text), "data.resident=%s", ways[(i + part) % 2]);
            adn_config *conf = config_of(usual, text);
            tiny_options o = with_memory(conf);
            if (part == 0) {
                o.dir = dir;
                o.stop_at = 8;
            } else {
                o.load = path;
                o.load_step = 8;
            }
            tiny_open(&t, conf, &data, &o);
            ck_assert_int_eq(adn_run_train(t.run), part == 0 ? ADN_STOPPED : ADN_OK);
            if (part == 1) ck_assert_uint_eq(tiny_run_hash(&t), hash);
            tiny_close(&t);
            adn_config_free(conf);
            if (part == 1) continue;
            ck_assert_int_eq(adn_ckpt_newest(dir, &info), ADN_OK);
            ck_assert_int_eq(info.step, 8); /* of six a epoch */
            ck_assert_int_eq(adn_ckpt_path(dir, info.name, &path), ADN_OK);
        }
        adn_free(path);
    }
    tiny_data_clear(&data);
}
END_TEST

/* --- whether */

/* What adn_resident_decide says of one device for all columns. */
static adn_status decide(int n_train, const char *overrides, bool has_own_memory, size_t bytes,
                         bool *out)
{
    adn_config *conf = config_of(usual, overrides);
    adn_dataset_pair data;
    adn_device *cpu = NULL, *devs[6];
    adn_plan plan;

    tiny_data(&data, n_train, N_TEST, 8, 8, 3, 4);
    ck_assert_int_eq(adn_plan_create(conf, &data, &plan), ADN_OK);
    ck_assert_int_eq(adn_cpu_open(&cpu), ADN_OK);
    pretend(cpu, has_own_memory, bytes);
    for (size_t i = 0; i < ADN_COUNT(devs); i++) devs[i] = cpu;
    adn_test_log_clear();
    adn_status st = adn_resident_decide(&plan, devs, out);
    cpu->ops->close(cpu);
    adn_plan_clear_all(&plan);
    tiny_data_clear(&data);
    adn_config_free(conf);
    return st;
}

START_TEST(auto_keeps_a_set_there_that_takes_less_than_a_quarter)
{
    enum { SET = (N_TRAIN + N_TEST) * 192 };
    static const struct {
        const char *overrides;
        bool has_own_memory;
        size_t free_bytes;
        bool is_resident;
    } rows[] = {
        {"", true, 4 * SET + 1, true},
        {"", true, 4 * SET, false},
        {"", true, SIZE_MAX, true}, /* not known */
        {"", false, 100 * SET, false},
        {"data.resident=false", true, 100 * SET, false},
        {"data.resident=true", true, SET, true},
        {"replicas=2 data.batch=4", true, 8 * SET + 1, true},
        {"replicas=2 data.batch=4", true, 8 * SET, false},
    };

    for (size_t k = 0; k < ADN_COUNT(rows); k++) {
        bool is_resident = false;
        ck_assert_int_eq(decide(N_TRAIN, rows[k].overrides, rows[k].has_own_memory,
                                rows[k].free_bytes, &is_resident),
                         ADN_OK);
        ck_assert_msg(is_resident == rows[k].is_resident, "row %zu", k);
    }
}
END_TEST

START_TEST(what_cannot_be_is_refused_and_said)
{
    bool is_resident;

    ck_assert_int_eq(decide(N_TRAIN, "data.resident=true", false, SIZE_MAX, &is_resident),
                     ADN_BADCONF);
    ck_assert_msg(strstr(adn_test_log(),
                         "argument 'data.resident=true': is for GPUs, and block 0 is on the cpu") !=
                      NULL,
                  "%s", adn_test_log());
    ck_assert_int_eq(decide(5441, "data.resident=true", true, 600000, &is_resident), ADN_NOMEM);
    ck_assert_msg(strstr(adn_test_log(), "'data.resident=true': the data set needs 1.0 MiB and 0.6 "
                                         "MiB are free on cpu") != NULL,
                  "%s", adn_test_log());
}
END_TEST

/* The edges' slots must fit beside the set. */
START_TEST(slots_that_fit_alone_do_not_fit_beside_the_set)
{
    adn_config *conf = config_of(usual, "data.resident=true");
    adn_dataset_pair data;
    adn_plan plan;
    adn_device *cpu = NULL;

    tiny_data(&data, 2000, N_TEST, 8, 8, 3, 4); /* 380 KB; the slots are less than 100 */
    ck_assert_int_eq(adn_plan_create(conf, &data, &plan), ADN_OK);
    ck_assert_int_eq(adn_cpu_open(&cpu), ADN_OK);
    adn_device *devs[] = {cpu, cpu, cpu};
    pretend(cpu, true, adn_resident_bytes(&plan));
    ck_assert_int_eq(adn_plan_fits(&plan, devs, false), ADN_OK);
    ck_assert_int_eq(adn_plan_fits(&plan, devs, true), ADN_NOMEM);
    cpu->ops->close(cpu);
    adn_plan_clear_all(&plan);
    tiny_data_clear(&data);
    adn_config_free(conf);
}
END_TEST

/* --- what plan says */

static double planned_mib(const char *table_text)
{
    const char *at = strstr(table_text, "memory planned: ");
    double mib = -1;
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(sscanf(at, "memory planned: %lf", &mib), 1);
    return mib;
}

START_TEST(plan_tells_of_the_set_and_counts_it)
{
    adn_dataset_pair data;
    double mib[2];

    tiny_data(&data, 5000, 500, 8, 8, 3, 4); /* 1.0 MiB */
    for (int is = 0; is < 2; is++) {
        adn_config *conf = config_of(usual, is ? "data.resident=true" : "data.resident=false");
        tiny_options o = with_memory(conf);
        char *text = NULL, *json = NULL;
        tiny_run t;
        tiny_open(&t, conf, &data, &o);
        ck_assert_int_eq(adn_plan_table(&t.plan, t.run, &text), ADN_OK);
        ck_assert_int_eq(adn_plan_json(&t.plan, t.run, &json), ADN_OK);
        ck_assert_int_eq(strstr(text, "\nresident: the data set is in the memory of block 0's GPU, "
                                      "1.0 MiB\n") != NULL,
                         is);
        ck_assert_ptr_nonnull(
            strstr(json, is ? "\"resident_bytes\": 1056000" : "\"resident_bytes\": 0"));
        mib[is] = planned_mib(text);
        adn_free(text);
        adn_free(json);
        tiny_close(&t);
        adn_config_free(conf);
    }
    ck_assert_double_gt(mib[1] - mib[0], 0.85);
    ck_assert_double_lt(mib[1] - mib[0], 1.15);
    tiny_data_clear(&data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resident");
    TCase *modes_case = tcase_create("modes"), *bits = tcase_create("bits"),
          *rest = tcase_create("rest");

    tcase_set_timeout(modes_case, 0);
    tcase_set_timeout(bits, 0);
    tcase_set_timeout(rest, 0);
    tcase_add_loop_test(modes_case, every_mode_gives_the_same_bits, 0, (int)ADN_COUNT(modes));
    tcase_add_loop_test(bits, every_list_of_transforms_gives_the_same_bits_at_any_size, 0,
                        (int)ADN_COUNT(lists));
    tcase_add_test(bits, a_run_goes_on_either_way);
    tcase_add_test(rest, auto_keeps_a_set_there_that_takes_less_than_a_quarter);
    tcase_add_test(rest, what_cannot_be_is_refused_and_said);
    tcase_add_test(rest, slots_that_fit_alone_do_not_fit_beside_the_set);
    tcase_add_test(rest, plan_tells_of_the_set_and_counts_it);
    suite_add_tcase(suite, modes_case);
    suite_add_tcase(suite, bits);
    suite_add_tcase(suite, rest);
    return adn_suite_run(suite);
}
