/* For tests: data sets of a few samples written to files, made to be broken, and the checks of what
 * opening them must give or say. Everything ends the test where it does not hold. */
#ifndef ADN_TEST_SET_FILES_H
#define ADN_TEST_SET_FILES_H

#include "data/data.h"

typedef struct adn_test_bytes { /* p: adn_free */
    uint8_t *p;
    size_t n;
} adn_test_bytes;

adn_test_bytes adn_test_bytes_make(size_t n);
adn_test_bytes adn_test_gzip(adn_test_bytes b);                                /* gives a new one */
void adn_test_put(const char *dir, const char *name, const void *p, size_t n); /* writes a file */
void adn_test_drop(const char *dir, const char *name);

/* All `auto`; name and root are borrowed. */
adn_data_conf adn_test_data_conf(const char *name, const char *root);
/* Opening fails with `expected`, leaves *out alone, leaks nothing, logs one line with all of
 * `words` (NULL-ended). */
void adn_test_refused(adn_status expected, const adn_data_conf *conf, const char *const *words);
#define assert_refused(conf, ...)                                                                  \
    adn_test_refused(ADN_BADDATA, conf, (const char *const[]){__VA_ARGS__, NULL})
/* Opening succeeds, and probing finds the same sizes. */
void adn_test_opens(const adn_data_conf *conf, adn_dataset_pair *pair);
void adn_test_opens_and_closes(const adn_data_conf *conf);

/* CIFAR: n records of n_label_byte label bytes; labels count up from `from`, pixels are a hash. */
adn_test_bytes adn_test_records(int n, int n_label_byte, int classes, uint32_t from);
void adn_test_put_records(const char *dir, const char *name, int n, int n_label_byte, int classes,
                          uint32_t from);
const char *adn_test_cifar10_dir(void); /* 3 + 2 records */

/* IDX: a small set of four files, by number as in adn_test_idx_names. */
enum { N_TRAIN = 7, N_TEST = 4, SIDE_H = 5, SIDE_W = 3, CLASSES = 3 };
extern const char *const adn_test_idx_names[4];
adn_test_bytes adn_test_idx_labels(int n, int classes);
adn_test_bytes adn_test_idx_images(int n, int h, int w);
adn_test_bytes adn_test_idx_file(int which);
void adn_test_put_idx(const char *dir, int which, adn_test_bytes b, bool is_gz);
const char *adn_test_idx_dir(bool is_gz);
void adn_test_put32(uint8_t *p, uint32_t v);

#endif
