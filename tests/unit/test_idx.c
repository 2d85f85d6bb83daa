/* IDX files, plain and gzipped: what must load, and what must be refused with the file and the
 * place named and no memory taken by a header's claim. */
#define _GNU_SOURCE
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/rng.h"
#include "set_files.h"

static void assert_is_the_small_set(const adn_dataset_pair *pair)
{
    adn_test_bytes train = adn_test_idx_file(0), labels = adn_test_idx_file(1),
                   test = adn_test_idx_file(2);

    ck_assert_int_eq(pair->train.n, N_TRAIN);
    ck_assert_int_eq(pair->test.n, N_TEST);
    ck_assert_int_eq(pair->train.h * 100 + pair->train.w * 10 + pair->train.c, 531);
    ck_assert_int_eq(pair->train.classes, CLASSES);
    ck_assert_int_eq(pair->test.classes, CLASSES);
    ck_assert_mem_eq(pair->train.pixels, train.p + 16, train.n - 16);
    ck_assert_mem_eq(pair->train.labels, labels.p + 8, labels.n - 8);
    ck_assert_mem_eq(pair->test.pixels, test.p + 16, test.n - 16);
    adn_free(train.p);
    adn_free(labels.p);
    adn_free(test.p);
}

START_TEST(idx_loads_plain_gzipped_and_mixed)
{
    adn_dataset_pair pair;

    for (int mask = 0; mask < 16; mask += 5) { /* none, 0 and 2, 1 and 3, all of them gzipped */
        const char *dir = adn_test_dir();
        adn_data_conf conf = adn_test_data_conf("idx", dir);
        for (int i = 0; i < 4; i++) {
            adn_test_bytes b = adn_test_idx_file(i);
            adn_test_put_idx(dir, i, b, mask >> i & 1);
            adn_free(b.p);
        }
        adn_test_opens(&conf, &pair);
        assert_is_the_small_set(&pair);
        ck_assert_int_eq(pair.n_file, 4);
        for (int i = 0; i < 4; i++) ck_assert_int_gt(pair.files[i].bytes, 8);
        adn_dataset_close(&pair);
    }
}
END_TEST

START_TEST(idx_mean_and_std_are_those_of_the_training_pixels)
{
    adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(false));
    adn_test_bytes b = adn_test_idx_file(0);
    adn_dataset_pair pair;
    double mean = 0, square = 0, n = (double)(b.n - 16);

    for (size_t i = 16; i < b.n; i++) mean += b.p[i] / 255.0 / n;
    for (size_t i = 16; i < b.n; i++)
        square += (b.p[i] / 255.0 - mean) * (b.p[i] / 255.0 - mean) / n;
    adn_test_opens(&conf, &pair);
    ck_assert_double_eq_tol(pair.mean[0], mean, 1e-14);
    ck_assert_double_eq_tol(pair.std[0] * pair.std[0], square, 1e-14);
    adn_dataset_close(&pair);

    memset(b.p + 16, 9, b.n - 16); /* nothing to divide by */
    adn_test_put(conf.root, adn_test_idx_names[0], b.p, b.n);
    ck_assert_int_eq(adn_dataset_open(&conf, &pair), ADN_OK);
    ck_assert_double_eq(pair.std[0], 1);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "all pixels of channel 0 are equal"));
    adn_dataset_close(&pair);
    adn_free(b.p);
}
END_TEST

START_TEST(an_idx_file_cut_or_lengthened_anywhere_is_refused)
{
    for (int is_gz = 0; is_gz <= 1; is_gz++) {
        adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(is_gz));
        for (int which = 0; which < 4; which++) {
            adn_test_bytes b = adn_test_idx_file(which), packed = is_gz ? adn_test_gzip(b) : b;
            char name[64];
            snprintf(name, sizeof(name), "%s%s", adn_test_idx_names[which], is_gz ? ".gz" : "");
            for (size_t n = 0; n < packed.n; n++) {
                adn_test_put(conf.root, name, packed.p, n);
                assert_refused(&conf, name);
            }
            adn_test_bytes more = adn_test_bytes_make(packed.n + 40);
            memcpy(more.p, packed.p, packed.n);
            for (size_t extra = 1; extra <= 40; extra += 13) { /* zeros behind the end */
                adn_test_put(conf.root, name, more.p, packed.n + extra);
                assert_refused(&conf, name);
            }
            adn_test_put(conf.root, name, packed.p, packed.n);
            adn_test_opens_and_closes(&conf);
            adn_free(more.p);
            if (is_gz) adn_free(packed.p);
            adn_free(b.p);
        }
    }
}
END_TEST

START_TEST(an_idx_header_that_lies_is_refused)
{
    static const uint32_t claims[] = {0,       1,          2,          8,           0xffff,
                                      0x10000, 0x01000000, 0x7fffffff, 0x80000000u, 0xffffffffu};

    for (int is_gz = 0; is_gz <= 1; is_gz++) {
        adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(is_gz));
        for (int which = 0; which < 4; which++) {
            adn_test_bytes b = adn_test_idx_file(which);
            for (size_t at = 4; at < (which % 2 == 0 ? 16u : 8u); at += 4) {
                uint8_t was[4];
                memcpy(was, b.p + at, 4);
                for (size_t i = 0; i < ADN_COUNT(claims); i++) {
                    adn_test_put32(b.p + at, claims[i]);
                    adn_test_put_idx(conf.root, which, b, is_gz);
                    assert_refused(&conf, which < 2 ? "/train-" : "/t10k-"); /* or its partner */
                }
                memcpy(b.p + at, was, 4);
            }
            adn_test_put_idx(conf.root, which, b, is_gz);
            adn_free(b.p);
        }
        adn_test_opens_and_closes(&conf);
    }
}
END_TEST

START_TEST(a_wrong_idx_magic_number_is_shown)
{
    adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(false));
    adn_test_bytes b = adn_test_idx_file(0);

    for (size_t at = 0; at < 4; at++) {
        b.p[at] ^= 1;
        adn_test_put(conf.root, adn_test_idx_names[0], b.p, b.n);
        assert_refused(&conf, adn_test_idx_names[0], "byte 0: magic number",
                       "expected 00 00 08 03");
        b.p[at] ^= 1;
    }
    adn_test_bytes packed = adn_test_gzip(b);
    adn_test_put(conf.root, adn_test_idx_names[0], packed.p, packed.n);
    assert_refused(&conf, adn_test_idx_names[0], "this is gzip: its name must end in .gz");
    adn_free(packed.p);
    adn_test_put(conf.root, adn_test_idx_names[0], b.p, b.n);
    adn_test_put(conf.root, adn_test_idx_names[1], b.p, b.n); /* images where labels should be */
    assert_refused(&conf, adn_test_idx_names[1], "00 00 08 03, expected 00 00 08 01");
    adn_free(b.p);
}
END_TEST

START_TEST(a_damaged_gzip_stream_is_refused)
{
    adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(true));
    adn_test_bytes b = adn_test_idx_file(0), packed = adn_test_gzip(b);
    adn_dataset_pair pair;
    int n_ok = 0;

    for (size_t at = 0; at < packed.n; at++)
        for (int bit = 0; bit < 8; bit++) {
            packed.p[at] ^= (uint8_t)(1 << bit);
            adn_test_put(conf.root, "train-images-idx3-ubyte.gz", packed.p, packed.n);
            if (at >= packed.n - 8) { /* CRC and length */
                assert_refused(&conf, "train-images-idx3-ubyte.gz", "gzip data");
            } else if (adn_dataset_open(&conf, &pair) == ADN_OK) {
                assert_is_the_small_set(&pair);
                adn_dataset_close(&pair);
                n_ok++;
            }
            packed.p[at] ^= (uint8_t)(1 << bit);
        }
    ck_assert_int_le(n_ok,
                     49 + 7); /* header: text, time, extra, system; bits behind the last code */
    adn_free(b.p);
    adn_free(packed.p);
}
END_TEST

START_TEST(a_gzip_file_of_two_members_is_one_stream)
{
    adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(true));
    adn_test_bytes b = adn_test_idx_file(0), one = adn_test_gzip((adn_test_bytes){b.p, 50}),
                   two = adn_test_gzip((adn_test_bytes){b.p + 50, b.n - 50});
    adn_test_bytes both = adn_test_bytes_make(one.n + two.n);
    adn_dataset_pair pair;

    memcpy(both.p, one.p, one.n);
    memcpy(both.p + one.n, two.p, two.n);
    adn_test_put(conf.root, "train-images-idx3-ubyte.gz", both.p, both.n);
    adn_test_opens(&conf, &pair);
    assert_is_the_small_set(&pair);
    adn_dataset_close(&pair);
    both.p[one.n] = 0;
    adn_test_put(conf.root, "train-images-idx3-ubyte.gz", both.p, both.n);
    assert_refused(&conf, "train-images-idx3-ubyte.gz");
    adn_free(both.p);
    adn_free(one.p);
    adn_free(two.p);
    adn_free(b.p);
}
END_TEST

START_TEST(idx_labels_out_of_range_are_named_with_byte_and_record)
{
    adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(false));
    adn_test_bytes train = adn_test_idx_file(1), test = adn_test_idx_file(3);

    test.p[8 + 2] = CLASSES;
    adn_test_put(conf.root, adn_test_idx_names[3], test.p, test.n);
    assert_refused(&conf, adn_test_idx_names[3], "byte 10 (record 2): label 3, expected 0..2",
                   "training labels");
    conf.classes = 4;
    adn_test_opens_and_closes(&conf);
    train.p[8 + 6] = 4;
    adn_test_put(conf.root, adn_test_idx_names[1], train.p, train.n);
    assert_refused(&conf, adn_test_idx_names[1], "byte 14 (record 6): label 4, expected 0..3",
                   "data.classes");
    conf.classes = 0;
    train.p[8 + 5] = 200; /* a lone far label is damage, unless data.classes says otherwise */
    adn_test_put(conf.root, adn_test_idx_names[1], train.p, train.n);
    assert_refused(&conf, adn_test_idx_names[1], "byte 13 (record 5): label 200", "data.classes");
    conf.classes = 201;
    adn_test_opens_and_closes(&conf);
    adn_free(train.p);
    adn_free(test.p);
}
END_TEST

START_TEST(idx_files_must_agree_with_each_other)
{
    adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(false));
    adn_test_bytes b = adn_test_idx_images(N_TRAIN + 1, SIDE_H, SIDE_W);

    adn_test_put(conf.root, adn_test_idx_names[0], b.p, b.n);
    assert_refused(&conf, adn_test_idx_names[0], "8 images", "7 labels", adn_test_idx_names[1]);
    adn_free(b.p);
    b = adn_test_idx_file(0);
    adn_test_put(conf.root, adn_test_idx_names[0], b.p, b.n);
    adn_free(b.p);
    b = adn_test_idx_images(N_TEST, SIDE_W, SIDE_H);
    adn_test_put(conf.root, adn_test_idx_names[2], b.p, b.n);
    assert_refused(&conf, adn_test_idx_names[2], "images of 3 x 5, expected 5 x 3");
    adn_free(b.p);
}
END_TEST

START_TEST(missing_idx_files_are_named_before_any_is_read)
{
    const char *parent = adn_test_dir();
    adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(true));
    char below[512];

    adn_test_put(conf.root, adn_test_idx_names[0], "broken", 6);
    adn_test_drop(conf.root, "t10k-images-idx3-ubyte.gz");
    assert_refused(&conf, conf.root, "no file t10k-images-idx3-ubyte", "each plain or .gz");

    snprintf(below, sizeof(below), "%s/mnist", parent);
    ck_assert_int_eq(mkdir(below, 0777), 0);
    adn_test_put(below, "train-labels-idx1-ubyte.gz", "x", 1);
    conf.root = parent;
    assert_refused(&conf, "no file train-labels-idx1-ubyte", below);
}
END_TEST

static long peak_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

START_TEST(no_claim_takes_memory)
{
    adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(true));
    adn_test_bytes noise = adn_test_idx_images(300, 28, 28), zeros = adn_test_bytes_make(64 << 20);

    for (size_t i = 16; i < noise.n; i++)
        noise.p[i] = (uint8_t)adn_rng_draw(1, ADN_RNG_TEST, 0, i).u[0];
    adn_test_bytes bomb = adn_test_gzip(zeros); /* 64 KiB that inflate to 64 MiB */
    adn_free(zeros.p);
    long before = peak_kib();
    adn_test_put32(noise.p + 4, 200000); /* 157 MB from 235 KB: deflate could */
    adn_test_put_idx(conf.root, 0, noise, true);
    adn_test_bytes labels = adn_test_idx_labels(200000, CLASSES);
    adn_test_put_idx(conf.root, 1, labels, true);
    assert_refused(&conf, "train-images-idx3-ubyte.gz", "inside the images");
    adn_test_put32(noise.p + 4, 2000000000);
    adn_test_put_idx(conf.root, 0, noise, true);
    assert_refused(&conf, "train-images-idx3-ubyte.gz", "byte 4: the header claims 2000000000");
    adn_test_put(conf.root, "train-images-idx3-ubyte.gz", bomb.p,
                 bomb.n); /* what it inflates to is no IDX */
    assert_refused(&conf, "train-images-idx3-ubyte.gz", "magic number");
    ck_assert_int_lt(peak_kib() - before, 40 << 10);
    adn_free(bomb.p);
    adn_free(labels.p);
    adn_free(noise.p);
}
END_TEST

START_TEST(a_bomb_behind_a_good_header_is_refused_where_the_header_ends_it)
{
    adn_data_conf conf = adn_test_data_conf("idx", adn_test_idx_dir(true));
    adn_test_bytes b = adn_test_bytes_make(64 << 20), small = adn_test_idx_file(0);
    int64_t live = adn_alloc_live();

    memcpy(b.p, small.p, small.n);
    adn_test_put_idx(conf.root, 0, b, true);
    adn_free(b.p);
    long before = peak_kib();
    assert_refused(&conf, "train-images-idx3-ubyte.gz", "goes on behind byte 121");
    ck_assert_int_lt(peak_kib() - before, 8 << 10);
    ck_assert_int_eq(adn_alloc_live(), live - 1);
    adn_free(small.p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idx");
    TCase *idx = tcase_create("idx");
    TCase *memory = tcase_create("memory");

    tcase_add_test(idx, idx_loads_plain_gzipped_and_mixed);
    tcase_add_test(idx, idx_mean_and_std_are_those_of_the_training_pixels);
    tcase_add_test(idx, an_idx_file_cut_or_lengthened_anywhere_is_refused);
    tcase_add_test(idx, an_idx_header_that_lies_is_refused);
    tcase_add_test(idx, a_wrong_idx_magic_number_is_shown);
    tcase_add_test(idx, a_damaged_gzip_stream_is_refused);
    tcase_add_test(idx, a_gzip_file_of_two_members_is_one_stream);
    tcase_add_test(idx, idx_labels_out_of_range_are_named_with_byte_and_record);
    tcase_add_test(idx, idx_files_must_agree_with_each_other);
    tcase_add_test(idx, missing_idx_files_are_named_before_any_is_read);
    tcase_add_test(memory, no_claim_takes_memory);
    tcase_add_test(memory, a_bomb_behind_a_good_header_is_refused_where_the_header_ends_it);
    suite_add_tcase(suite, idx);
    suite_add_tcase(suite, memory);
    return adn_suite_run(suite);
}
