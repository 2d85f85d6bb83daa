/* Small data sets in files, and what opening them must say. */
#define _GNU_SOURCE
#include "set_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "core/file.h"
#include "suite.h"

adn_test_bytes adn_test_bytes_make(size_t n)
{
    return (adn_test_bytes){adn_alloc(n), n};
}

void adn_test_put(const char *dir, const char *name, const void *p, size_t n)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    ck_assert_int_eq(adn_file_write(path, p, n), ADN_OK);
}

void adn_test_drop(const char *dir, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    ck_assert_int_eq(unlink(path), 0);
}

adn_data_conf adn_test_data_conf(const char *name, const char *root)
{
    return (adn_data_conf){
        .name = name, .root = root, .batch = 8, .auto_mean = true, .auto_std = true};
}

void adn_test_refused(adn_status expected, const adn_data_conf *conf, const char *const *words)
{
    adn_dataset_pair pair, untouched;
    int64_t live = adn_alloc_live();

    memset(&untouched, 0x5a, sizeof(untouched));
    pair = untouched;
    adn_test_log_clear();
    ck_assert_int_eq(adn_dataset_open(conf, &pair), expected);
    ck_assert_mem_eq(&pair, &untouched, sizeof(pair));
    ck_assert_int_eq(adn_alloc_live(), live);
    for (; *words != NULL; words++)
        ck_assert_msg(strstr(adn_test_log(), *words) != NULL, "'%s' is not in: %s", *words,
                      adn_test_log());
    const char *end = strchr(adn_test_log(), '\n');
    ck_assert_msg(end != NULL && end[1] == '\0', "one line wanted: %s", adn_test_log());
}

void adn_test_opens(const adn_data_conf *conf, adn_dataset_pair *pair)
{
    adn_dataset train, test;

    adn_test_log_clear();
    ck_assert_msg(adn_dataset_open(conf, pair) == ADN_OK, "%s", adn_test_log());
    ck_assert_msg(adn_dataset_probe(conf, &train, &test) == ADN_OK, "%s", adn_test_log());
    const adn_dataset *opened[] = {&pair->train, &pair->test}, *probed[] = {&train, &test};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(probed[i]->n, opened[i]->n);
        ck_assert_int_eq(probed[i]->h, opened[i]->h);
        ck_assert_int_eq(probed[i]->w, opened[i]->w);
        ck_assert_int_eq(probed[i]->c, opened[i]->c);
        ck_assert_int_eq(probed[i]->classes, opened[i]->classes);
        ck_assert_ptr_null(probed[i]->pixels);
        ck_assert_ptr_null(probed[i]->owned);
    }
}

void adn_test_opens_and_closes(const adn_data_conf *conf)
{
    adn_dataset_pair pair;

    adn_test_opens(conf, &pair);
    adn_dataset_close(&pair);
}

adn_test_bytes adn_test_records(int n, int n_label_byte, int classes, uint32_t from)
{
    size_t record = (size_t)n_label_byte + 3072;
    adn_test_bytes b = adn_test_bytes_make((size_t)n * record);

    for (size_t i = 0; i < b.n; i++) b.p[i] = (uint8_t)((i * 2654435761u + from) >> 7);
    for (int r = 0; r < n; r++) {
        uint8_t *at = b.p + (size_t)r * record;
        if (n_label_byte == 2) *at++ = (uint8_t)(r % 20);
        *at = (uint8_t)((from + (uint32_t)r) % (uint32_t)classes);
    }
    return b;
}

void adn_test_put_records(const char *dir, const char *name, int n, int n_label_byte, int classes,
                          uint32_t from)
{
    adn_test_bytes b = adn_test_records(n, n_label_byte, classes, from);

    adn_test_put(dir, name, b.p, b.n);
    adn_free(b.p);
}

const char *adn_test_cifar10_dir(void)
{
    const char *dir = adn_test_dir();

    adn_test_put_records(dir, "data_batch_1.bin", 3, 1, 10, 0);
    adn_test_put_records(dir, "test_batch.bin", 2, 1, 10, 5);
    return dir;
}

void adn_test_put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

adn_test_bytes adn_test_idx_labels(int n, int classes)
{
    adn_test_bytes b = adn_test_bytes_make(8 + (size_t)n);

    adn_test_put32(b.p, 0x801);
    adn_test_put32(b.p + 4, (uint32_t)n);
    for (int i = 0; i < n; i++) b.p[8 + i] = (uint8_t)(i % classes);
    return b;
}

adn_test_bytes adn_test_idx_images(int n, int h, int w)
{
    adn_test_bytes b = adn_test_bytes_make(16 + (size_t)n * (size_t)(h * w));

    adn_test_put32(b.p, 0x803);
    adn_test_put32(b.p + 4, (uint32_t)n);
    adn_test_put32(b.p + 8, (uint32_t)h);
    adn_test_put32(b.p + 12, (uint32_t)w);
    for (size_t i = 16; i < b.n; i++) b.p[i] = (uint8_t)((i * 2654435761u) >> 9);
    return b;
}

adn_test_bytes adn_test_gzip(adn_test_bytes b)
{
    z_stream z = {0};
    adn_test_bytes out = adn_test_bytes_make(b.n + 1000);

    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = b.p;
    z.avail_in = (uInt)b.n;
    z.next_out = out.p;
    z.avail_out = (uInt)out.n;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.n -= z.avail_out;
    deflateEnd(&z);
    return out;
}

const char *const adn_test_idx_names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                          "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

adn_test_bytes adn_test_idx_file(int which)
{
    int n = which < 2 ? N_TRAIN : N_TEST;
    return which % 2 == 0 ? adn_test_idx_images(n, SIDE_H, SIDE_W)
                          : adn_test_idx_labels(n, CLASSES);
}

void adn_test_put_idx(const char *dir, int which, adn_test_bytes b, bool is_gz)
{
    char name[64];

    snprintf(name, sizeof(name), "%s%s", adn_test_idx_names[which], is_gz ? ".gz" : "");
    if (is_gz) {
        adn_test_bytes packed = adn_test_gzip(b);
        adn_test_put(dir, name, packed.p, packed.n);
        adn_free(packed.p);
    } else {
        adn_test_put(dir, name, b.p, b.n);
    }
}

const char *adn_test_idx_dir(bool is_gz)
{
    const char *dir = adn_test_dir();

    for (int i = 0; i < 4; i++) {
        adn_test_bytes b = adn_test_idx_file(i);
        adn_test_put_idx(dir, i, b, is_gz);
        adn_free(b.p);
    }
    return dir;
}
