/* What all data sets must do: report every failing allocation; treat the hostile samples as their
 * manifest says; find the published facts in the published data. */
#define _GNU_SOURCE
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "set_files.h"

/* ---- every allocation fails once ---- */

static void assert_survives_failing_allocations(const adn_data_conf *conf)
{
    adn_status st = ADN_NOMEM;
    int64_t live = adn_alloc_live();

    for (int n = 1; st != ADN_OK; n++) {
        adn_dataset_pair pair, untouched;
        memset(&untouched, 0x5a, sizeof(untouched));
        pair = untouched;
        adn_test_log_clear();
        adn_alloc_fail_at(n);
        st = adn_dataset_open(conf, &pair);
        adn_alloc_fail_at(0);
        if (st == ADN_OK) {
            ck_assert_int_gt(n, 8);
            adn_dataset_close(&pair);
        } else {
            ck_assert_int_eq(st, ADN_NOMEM);
            ck_assert_mem_eq(&pair, &untouched, sizeof(pair));
            ck_assert_ptr_nonnull(strstr(adn_test_log(), "no memory"));
        }
        ck_assert_int_eq(adn_alloc_live(), live);
    }
    st = ADN_NOMEM;
    for (int n = 1; st != ADN_OK; n++) {
        adn_dataset train, test;
        adn_alloc_fail_at(n);
        st = adn_dataset_probe(conf, &train, &test);
        adn_alloc_fail_at(0);
        ck_assert(st == ADN_OK || st == ADN_NOMEM);
        ck_assert_int_eq(adn_alloc_live(), live);
    }
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    const char *dir = adn_test_dir();
    adn_data_conf cifar10 = adn_test_data_conf("cifar10", adn_test_cifar10_dir());
    adn_data_conf cifar100 = adn_test_data_conf("cifar100", dir);
    adn_data_conf plain = adn_test_data_conf("idx", adn_test_idx_dir(false)),
                  gz = adn_test_data_conf("idx", adn_test_idx_dir(true));

    adn_test_put_records(dir, "train.bin", 5, 2, 100, 95);
    adn_test_put_records(dir, "test.bin", 1, 2, 100, 42);
    assert_survives_failing_allocations(&cifar10);
    assert_survives_failing_allocations(&cifar100);
    assert_survives_failing_allocations(&plain);
    assert_survives_failing_allocations(&gz);
}
END_TEST

/* ---- data that others made ---- */

/* Puts one file of the manifest where a set expects it, with good partners. */
static void try_hostile(const char *hostile, const char *file, const char *expect)
{
    const char *dir = adn_test_dir(), *base = strrchr(file, '/') + 1;
    bool is_cifar = strncmp(file, "cifar/", 6) == 0, is_labels = strstr(base, "idx1") != NULL;
    adn_data_conf conf = adn_test_data_conf(is_cifar ? "cifar10" : "idx", dir);
    char from[1400];
    char *text = NULL;
    size_t n = 0;

    snprintf(from, sizeof(from), "%s/%s", hostile, file);
    ck_assert_int_eq(adn_file_read(from, 1 << 20, &text, &n), ADN_OK);
    for (int is_test = 0; is_test <= 1; is_test++) {
        const char *name = adn_test_idx_names[2 * is_test + is_labels];
        if (is_cifar) name = is_test ? "test_batch.bin" : "data_batch_1.bin";
        for (int i = 0; i < 4 && !is_cifar; i++) {
            adn_test_bytes b =
                i % 2 == 0 ? adn_test_idx_images(5, 28, 28) : adn_test_idx_labels(5, 5);
            adn_test_put(dir, adn_test_idx_names[i], b.p, b.n);
            adn_free(b.p);
        }
        if (is_cifar)
            adn_test_put_records(dir, is_test ? "data_batch_1.bin" : "test_batch.bin", 2, 1, 10, 0);
        adn_test_put(dir, name, text, n);
        for (conf.classes = 0; conf.classes <= 10; conf.classes += 10)
            if (strcmp(expect, "ok") == 0)
                adn_test_opens_and_closes(&conf);
            else
                assert_refused(&conf, name);
    }
    adn_free(text);
}

START_TEST(hostile_samples_end_as_their_manifest_says)
{
    const char *hostile = adn_test_data("hostile");
    char dir[1024], path[1100];
    char *text = NULL;
    size_t n = 0;
    int n_tried = 0;

    if (hostile == NULL) {
        adn_test_skip("no folder hostile in $ADONIS_DATA or ../shared/data");
        return;
    }
    snprintf(dir, sizeof(dir), "%s", hostile);
    snprintf(path, sizeof(path), "%s/MANIFEST.tsv", dir);
    ck_assert_int_eq(adn_file_read(path, 1 << 20, &text, &n), ADN_OK);
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char file[256], expect[32];
        if (sscanf(line, "%255s %*s %*s %31s", file, expect) != 2) continue;
        if (strncmp(file, "cifar/", 6) != 0 && strncmp(file, "idx/", 4) != 0) continue;
        try_hostile(dir, file, expect);
        n_tried++;
    }
    adn_free(text);
    ck_assert_int_ge(n_tried, 9);
}
END_TEST

START_TEST(cifar10_is_the_published_one)
{
    static const uint8_t first_train[] = {6, 9, 9, 4, 1, 1, 2, 7, 8, 3};
    static const uint8_t first_test[] = {3, 8, 8, 0, 6, 6, 1, 6, 3, 1};
    static const double means[] = {.491400, .482158, .446531}, stds[] = {.247032, .243485, .261588};
    const char *dir = adn_test_data("cifar-10-batches-bin");
    adn_dataset_pair pair;
    double mean[3], std[3];

    if (dir == NULL) {
        adn_test_skip("no folder cifar-10-batches-bin in $ADONIS_DATA or ../shared/data");
        return;
    }
    adn_data_conf conf = adn_test_data_conf("cifar10", dir);
    adn_test_opens(&conf, &pair);
    ck_assert_int_eq(pair.train.n, 50000);
    ck_assert_int_eq(pair.test.n, 10000);
    ck_assert_mem_eq(pair.train.labels, first_train, sizeof(first_train));
    ck_assert_mem_eq(pair.test.labels, first_test, sizeof(first_test));
    for (int k = 0; k < 10; k++) {
        int n_train = 0, n_test = 0;
        for (int i = 0; i < pair.train.n; i++) n_train += pair.train.labels[i] == k;
        for (int i = 0; i < pair.test.n; i++) n_test += pair.test.labels[i] == k;
        ck_assert_int_eq(n_train, 5000);
        ck_assert_int_eq(n_test, 1000);
    }
    adn_dataset_moments(&pair.train, mean, std);
    for (int k = 0; k < 3; k++) {
        ck_assert_double_eq_tol(mean[k], means[k], 5e-7);
        ck_assert_double_eq_tol(std[k], stds[k], 5e-7);
    }
    adn_dataset_close(&pair);
}
END_TEST

START_TEST(fashion_mnist_loads_from_debians_package)
{
    const char *dir = "/usr/share/datasets/fashion-mnist";
    adn_data_conf conf = adn_test_data_conf("idx", dir);
    adn_dataset_pair pair;

    if (access(dir, R_OK) != 0) {
        adn_test_skip("no %s (Debian package dataset-fashion-mnist)", dir);
        return;
    }
    adn_test_opens(&conf, &pair);
    ck_assert_int_eq(pair.train.n, 60000);
    ck_assert_int_eq(pair.test.n, 10000);
    ck_assert_int_eq(pair.train.h * 1000 + pair.train.w * 10 + pair.train.c, 28281);
    ck_assert_int_eq(pair.train.classes, 10);
    for (int k = 0; k < 10; k++) {
        int n = 0;
        for (int i = 0; i < pair.train.n; i++) n += pair.train.labels[i] == k;
        ck_assert_int_eq(n, 6000);
    }
    ck_assert_double_eq_tol(pair.mean[0], .2860, 5e-5); /* as everyone publishes them */
    ck_assert_double_eq_tol(pair.std[0], .3530, 5e-5);
    adn_dataset_close(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data");
    TCase *data = tcase_create("data");

    tcase_add_test(data, every_failing_allocation_is_reported_and_leaks_nothing);
    tcase_add_test(data, hostile_samples_end_as_their_manifest_says);
    tcase_add_test(data, cifar10_is_the_published_one);
    tcase_add_test(data, fashion_mnist_loads_from_debians_package);
    suite_add_tcase(suite, data);
    return adn_suite_run(suite);
}
