/* CIFAR files: what must load, and what must be refused with the file and the place named. */
#define _GNU_SOURCE
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "set_files.h"

enum { RECORD = 3073, RECORD_100 = 3074 };

START_TEST(cifar10_planes_become_pixels_in_the_order_of_the_files)
{
    const char *dir = adn_test_dir();
    adn_data_conf conf = adn_test_data_conf("cifar10", dir);
    adn_dataset_pair pair;
    int first = 0;

    for (int i = 1; i <= 11;
         i++) { /* 10 comes behind 9, not behind 1; more records than one piece */
        char name[40];
        snprintf(name, sizeof(name), "data_batch_%d.bin", i);
        adn_test_put_records(dir, name, i == 2 ? 130 : i, 1, 10, (uint32_t)i * 3);
    }
    adn_test_put_records(dir, "test_batch.bin", 4, 1, 10, 77);
    adn_test_put_records(dir, "data_batch_07.bin", 1, 1, 10, 0); /* not of the pattern */
    adn_test_opens(&conf, &pair);
    ck_assert_int_eq(pair.n_file, 12);
    ck_assert_int_eq(pair.train.n, 66 - 2 + 130);
    ck_assert_int_eq(pair.test.n, 4);
    ck_assert_int_eq(pair.train.h * 10000 + pair.train.w * 100 + pair.train.c, 323203);
    ck_assert_int_eq(pair.train.classes, 10);
    for (int f = 1; f <= 12; f++) {
        int n = f == 12 ? 4 : f == 2 ? 130 : f;
        adn_test_bytes b = adn_test_records(n, 1, 10, f == 12 ? 77 : (uint32_t)f * 3);
        const adn_dataset *set = f == 12 ? &pair.test : &pair.train;
        if (f == 12) first = 0;
        for (int r = 0; r < n; r++, first++) {
            const uint8_t *record = b.p + (size_t)r * RECORD;
            const uint8_t *pixels = set->pixels + (size_t)first * 3072;
            ck_assert_int_eq(set->labels[first], record[0]);
            for (int i = 0; i < 3072; i++)
                if (pixels[i] != record[1 + i % 3 * 1024 + i / 3])
                    ck_abort_msg("file %d record %d byte %d", f, r, i);
        }
        adn_free(b.p);
    }
    ck_assert_double_eq(pair.mean[1], .4822);
    ck_assert_double_eq(pair.std[2], .2010);
    adn_dataset_close(&pair);
    adn_dataset_close(&pair); /* closed ones are fine */
}
END_TEST

START_TEST(cifar100_takes_the_fine_label)
{
    const char *dir = adn_test_dir();
    adn_data_conf conf = adn_test_data_conf("cifar100", dir);
    adn_dataset_pair pair;

    adn_test_put_records(dir, "train.bin", 5, 2, 100, 95);
    adn_test_put_records(dir, "test.bin", 1, 2, 100, 42);
    adn_test_opens(&conf, &pair);
    ck_assert_int_eq(pair.train.n, 5);
    ck_assert_int_eq(pair.train.classes, 100);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(pair.train.labels[i], 95 + i);
    ck_assert_int_eq(pair.test.labels[0], 42);
    adn_test_bytes b = adn_test_records(5, 2, 100, 95);
    ck_assert_int_eq(pair.train.pixels[3072 + 5], b.p[RECORD_100 + 2 + 2 * 1024 + 1]);
    adn_free(b.p);
    ck_assert_double_eq(pair.mean[0], .5071);
    ck_assert_double_eq(pair.std[1], .2564);
    adn_dataset_close(&pair);
}
END_TEST

START_TEST(a_cifar_file_must_hold_whole_records)
{
    const char *dir = adn_test_cifar10_dir();
    adn_data_conf conf = adn_test_data_conf("cifar10", dir);
    adn_test_bytes b = adn_test_records(3, 1, 10, 0);
    static const size_t sizes[] = {0, 1, 2, 1025, 3072, 3074, 6145, 6147, 3 * RECORD - 1};
    static const char *const names[] = {"data_batch_1.bin", "test_batch.bin"};

    for (size_t f = 0; f < 2; f++) {
        for (size_t i = 0; i < ADN_COUNT(sizes); i++) {
            char where[64];
            adn_test_put(dir, names[f], b.p, sizes[i]);
            snprintf(where, sizeof(where), "ends at byte %zu inside record", sizes[i]);
            assert_refused(&conf, names[f], sizes[i] == 0 ? "is empty" : where);
        }
        adn_test_put(dir, names[f], b.p, RECORD);
        adn_test_opens_and_closes(&conf);
    }
    adn_free(b.p);
}
END_TEST

START_TEST(a_cifar_label_out_of_range_is_named_with_byte_and_record)
{
    const char *dir = adn_test_cifar10_dir(), *dir_100 = adn_test_dir();
    adn_data_conf conf = adn_test_data_conf("cifar10", dir),
                  conf_100 = adn_test_data_conf("cifar100", dir_100);
    adn_test_bytes b = adn_test_records(100, 1, 10, 0), b_100 = adn_test_records(4, 2, 100, 0);

    b.p[70 * RECORD] = 10; /* behind the first piece of 64 */
    adn_test_put(dir, "data_batch_1.bin", b.p, b.n);
    assert_refused(&conf, "data_batch_1.bin", "byte 215110 (record 70)", "label 10, expected 0..9");
    adn_test_put_records(dir, "data_batch_1.bin", 3, 1, 10, 0);
    adn_test_put(dir, "test_batch.bin", b.p, b.n);
    assert_refused(&conf, "test_batch.bin", "byte 215110 (record 70)");

    adn_test_put_records(dir_100, "test.bin", 1, 2, 100, 42);
    b_100.p[3 * RECORD_100 + 1] = 100;
    adn_test_put(dir_100, "train.bin", b_100.p, b_100.n);
    assert_refused(&conf_100, "train.bin", "byte 9223 (record 3): label 100, expected 0..99");
    b_100.p[RECORD_100] = 20;
    adn_test_put(dir_100, "train.bin", b_100.p, b_100.n);
    assert_refused(&conf_100, "train.bin", "byte 3074 (record 1): coarse label 20, expected 0..19");
    adn_free(b.p);
    adn_free(b_100.p);
}
END_TEST

START_TEST(missing_cifar_files_are_named_with_what_is_looked_for)
{
    const char *dir = adn_test_cifar10_dir(), *parent = adn_test_dir();
    adn_data_conf conf = adn_test_data_conf("cifar10", dir);
    char below[512];

    adn_test_put_records(dir, "data_batch_3.bin", 1, 1, 10, 0); /* 2 is not there */
    assert_refused(&conf, dir, "no file data_batch_2.bin", "test_batch.bin");
    adn_test_put_records(dir, "data_batch_2147483600.bin", 1, 1, 10, 0);
    assert_refused(&conf, "no file data_batch_2.bin");
    adn_test_drop(dir, "data_batch_2147483600.bin");
    adn_test_drop(dir, "data_batch_3.bin");
    adn_test_drop(dir, "test_batch.bin");
    assert_refused(&conf, dir, "no file test_batch.bin", "looked for are data_batch_1.bin");
    adn_test_drop(dir, "data_batch_1.bin");
    assert_refused(&conf, dir, "no file data_batch_1.bin");
    adn_test_put(dir, "data_batch_1", "pickle", 6);
    assert_refused(&conf, dir, "no file data_batch_1.bin", "python version");
    conf.name = "cifar100";
    assert_refused(&conf, dir, "no file train.bin", "looked for are train.bin and test.bin");

    snprintf(below, sizeof(below), "%s/cifar-10-batches-bin", parent);
    ck_assert_int_eq(mkdir(below, 0777), 0);
    adn_test_put_records(below, "data_batch_1.bin", 1, 1, 10, 0);
    conf = adn_test_data_conf("cifar10", parent);
    assert_refused(&conf, "no file data_batch_1.bin", below, "data.root");
}
END_TEST

START_TEST(what_is_no_folder_or_no_file_is_refused)
{
    const char *dir = adn_test_cifar10_dir();
    char path[512];
    adn_data_conf conf = adn_test_data_conf("cifar10", path);

    snprintf(path, sizeof(path), "%s/none", dir);
    assert_refused(&conf, path, "No such file or directory", "data.root");
    snprintf(path, sizeof(path), "%s/test_batch.bin", dir);
    assert_refused(&conf, path, "is no folder");
    adn_test_drop(dir, "test_batch.bin");
    ck_assert_int_eq(mkdir(path, 0777), 0);
    conf.root = dir;
    assert_refused(&conf, path, "is no regular file");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkfifo(path, 0666), 0); /* must not wait for a writer */
    assert_refused(&conf, path, "is no regular file");
}
END_TEST

START_TEST(what_the_config_says_must_fit_the_set)
{
    const char *dir = adn_test_cifar10_dir();
    adn_data_conf good = adn_test_data_conf("cifar10", dir), conf = good;
    adn_dataset_pair pair;
    static const char *const channels[] = {"data.mean", "1 value", "3 channels", NULL};
    static const char *const classes[] = {"data.classes", "12", "10", NULL};
    static const char *const name[] = {"data.name", "imagenet", "cifar100", NULL};
    static const char *const root[] = {"data.root", NULL};

    conf.auto_mean = false;
    conf.n_mean = 1;
    adn_test_refused(ADN_BADCONF, &conf, channels);
    conf = good;
    conf.classes = 12;
    adn_test_refused(ADN_BADCONF, &conf, classes);
    conf = good;
    conf.name = "imagenet";
    adn_test_refused(ADN_BADCONF, &conf, name);
    conf = good;
    conf.root = NULL;
    adn_test_refused(ADN_BADCONF, &conf, root);

    conf = good;
    conf.auto_mean = conf.auto_std = false;
    conf.n_mean = conf.n_std = 3;
    conf.mean[2] = .25;
    conf.std[2] = .75;
    conf.classes = 10;
    adn_test_opens(&conf, &pair);
    ck_assert_double_eq(pair.mean[2], .25);
    ck_assert_double_eq(pair.std[2], .75);
    adn_dataset_close(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cifar");
    TCase *cifar = tcase_create("cifar");

    tcase_add_test(cifar, cifar10_planes_become_pixels_in_the_order_of_the_files);
    tcase_add_test(cifar, cifar100_takes_the_fine_label);
    tcase_add_test(cifar, a_cifar_file_must_hold_whole_records);
    tcase_add_test(cifar, a_cifar_label_out_of_range_is_named_with_byte_and_record);
    tcase_add_test(cifar, missing_cifar_files_are_named_with_what_is_looked_for);
    tcase_add_test(cifar, what_is_no_folder_or_no_file_is_refused);
    tcase_add_test(cifar, what_the_config_says_must_fit_the_set);
    suite_add_tcase(suite, cifar);
    return adn_suite_run(suite);
}
