/* CIFAR-10 and CIFAR-100, the binary version. A record:
 *   [coarse label, CIFAR-100 only][label][1024 red][1024 green][1024 blue], rows of 32. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/sets.h"
#include "data/source.h"

enum {
    SIDE = 32,
    PLANE = SIDE * SIDE,
    CHANNELS = 3,
    RECORDS_AT_ONCE = 64 /* read in pieces that stay in the second-level cache */
};

typedef struct cifar_kind {
    const char *name, *files, *test_file, *python_file;
    int n_label_byte;
    int classes[2]; /* below what each label byte must be; the last one is the class */
} cifar_kind;

static const cifar_kind cifar10 = {"cifar10",
                                   "data_batch_1.bin, data_batch_2.bin, ... and test_batch.bin",
                                   "test_batch.bin",
                                   "data_batch_1",
                                   1,
                                   {10, 0}};
static const cifar_kind cifar100 = {"cifar100", "train.bin and test.bin", "test.bin", "train", 2,
                                    {20, 100}};

static adn_status missing(const cifar_kind *kind, const char *root, const char *name)
{
    adn_data_lack lack = {name, NULL, kind->files, kind->python_file,
                          "that is the python version; the binary version is needed "
                          "(see datasets/README.md)"};
    return adn_data_missing(root, &lack);
}

/* data_batch_<n>.bin, n from 1 without leading zeros; 0: another name. */
static int batch_number(const char *name)
{
    static const char head[] = "data_batch_";
    char *end;

    if (strncmp(name, head, sizeof(head) - 1) != 0) return 0;
    name += sizeof(head) - 1;
    if (name[0] < '1' || name[0] > '9') return 0;
    errno = 0;
    long n = strtol(name, &end, 10);
    return errno == 0 && n < INT_MAX && strcmp(end, ".bin") == 0 ? (int)n : 0;
}

static adn_status last_batch(const char *root, int *out)
{
    DIR *dir = opendir(root);
    struct dirent *e;

    if (dir == NULL) return ADN_FAIL(ADN_BADDATA, "%s: cannot be read: %s", root, strerror(errno));
    while ((e = readdir(dir)) != NULL) *out = ADN_MAX(*out, batch_number(e->d_name));
    closedir(dir);
    return ADN_OK;
}

/* Adds one file to the pair's list, its records counted by its size. */
static adn_status add_file(const cifar_kind *kind, const char *root, const char *name, bool is_test,
                           adn_dataset_pair *pair)
{
    adn_status st = ADN_NOMEM;
    adn_source file = {0};
    adn_dataset *set = is_test ? &pair->test : &pair->train;
    int record = kind->n_label_byte + CHANNELS * PLANE;
    char *path = adn_path_join(root, name);

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", root);
    if (!adn_path_exists(path)) {
        st = missing(kind, root, name);
        goto fail;
    }
    ADN_TRY(st, adn_source_open(&file, path), fail);
    int64_t bytes = file.file_bytes, n = bytes / record;
    adn_source_close(&file);
    if (bytes % record != 0) {
        st = ADN_FAIL(ADN_BADDATA,
                      "%s: ends at byte %lld inside record %lld, which begins at byte %lld; "
                      "expected whole records of %d bytes (%s)",
                      path, (long long)bytes, (long long)n, (long long)(n * record), record,
                      kind->name);
        goto fail;
    }
    if (n > INT_MAX - set->n) {
        st = ADN_FAIL(ADN_BADDATA, "%s: has %lld records, together more than %d", path,
                      (long long)n, INT_MAX);
        goto fail;
    }
    set->n += (int)n;
    adn_data_file_add(pair, path, "records", bytes, (int)n, is_test);
    return ADN_OK;
fail:
    adn_free(path);
    return st;
}

static const char *train_name(const cifar_kind *kind, int i, char *room, size_t n_room)
{
    if (kind == &cifar100) return "train.bin";
    snprintf(room, n_room, "data_batch_%d.bin", i);
    return room;
}

/* How many training files there are. A hole in their numbers is a missing file: found here, before
 * anything is allocated by the largest number. */
static adn_status count_files(const cifar_kind *kind, const char *root, int *out)
{
    adn_status st = ADN_OK;
    char room[40];
    int n = 1;

    if (kind == &cifar10) ADN_TRY(st, last_batch(root, &n), done);
    for (int i = 1; i <= n; i++) {
        const char *name = train_name(kind, i, room, sizeof(room));
        char *path = adn_path_join(root, name);
        if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", root);
        bool is_there = adn_path_exists(path);
        adn_free(path);
        if (!is_there) return missing(kind, root, name);
    }
    *out = n;
done:
    return st;
}

static adn_status find_files(const cifar_kind *kind, const char *root, adn_dataset_pair *pair)
{
    adn_status st = ADN_OK;
    int n = 0;
    char room[40];

    ADN_TRY(st, count_files(kind, root, &n), done);
    pair->files = adn_alloc(((size_t)n + 1) * sizeof(*pair->files));
    if (pair->files == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", root);
    for (int i = 1; i <= n; i++)
        ADN_TRY(st, add_file(kind, root, train_name(kind, i, room, sizeof(room)), false, pair),
                done);
    ADN_TRY(st, add_file(kind, root, kind->test_file, true, pair), done);
done:
    return st;
}

static adn_status check_labels(const cifar_kind *kind, const adn_data_file *file, int record,
                               int64_t at, const uint8_t *src)
{
    for (int i = 0; i < kind->n_label_byte; i++)
        if (src[i] >= kind->classes[i])
            return ADN_FAIL(
                ADN_BADDATA, "%s: byte %lld (record %d): %slabel %d, expected 0..%d (%s)",
                file->path, (long long)at + i, record, i + 1 < kind->n_label_byte ? "coarse " : "",
                src[i], kind->classes[i] - 1, kind->name);
    return ADN_OK;
}

static void interleave(const uint8_t *src, uint8_t *dst) /* src: [c, h, w], dst: [h, w, c] */
{
    for (int i = 0; i < PLANE; i++)
        for (int k = 0; k < CHANNELS; k++) dst[i * CHANNELS + k] = src[k * PLANE + i];
}

/* Reads one file's records into pixels and labels. */
static adn_status read_file(const cifar_kind *kind, const adn_data_file *file, uint8_t *buffer,
                            uint8_t *pixels, uint8_t *labels)
{
    adn_status st = ADN_OK;
    adn_source src = {0};
    size_t head = (size_t)kind->n_label_byte, record = head + CHANNELS * PLANE;

    ADN_TRY(st, adn_source_open(&src, file->path), done);
    for (int i = 0; i < file->n; i += RECORDS_AT_ONCE) {
        int n = ADN_MIN(RECORDS_AT_ONCE, file->n - i);
        int64_t at = src.at;
        ADN_TRY(st, adn_source_exact(&src, buffer, (size_t)n * record, "records"), done);
        for (int j = 0; j < n; j++) {
            const uint8_t *from = buffer + (size_t)j * record;
            int64_t where = at + (int64_t)((size_t)j * record);
            ADN_TRY(st, check_labels(kind, file, i + j, where, from), done);
            labels[i + j] = from[head - 1];
            interleave(from + head, pixels + (size_t)(i + j) * CHANNELS * PLANE);
        }
    }
    ADN_TRY(st, adn_source_end(&src), done);
done:
    adn_source_close(&src);
    return st;
}

static adn_status read_split(const cifar_kind *kind, const char *root, bool is_test,
                             adn_dataset_pair *pair)
{
    adn_status st = ADN_OK;
    adn_dataset *set = is_test ? &pair->test : &pair->train;
    uint8_t *pixels = NULL, *labels = NULL, *buffer = NULL;

    ADN_TRY(st, adn_data_room(set, root, &pixels, &labels), done);
    buffer = adn_alloc((size_t)RECORDS_AT_ONCE * (2 + CHANNELS * PLANE));
    if (buffer == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "%s: no memory to read it", root);
        goto done;
    }
    for (int i = 0; i < pair->n_file; i++) {
        const adn_data_file *file = &pair->files[i];
        if (file->is_test != is_test) continue;
        ADN_TRY(st, read_file(kind, file, buffer, pixels, labels), done);
        pixels += (size_t)file->n * CHANNELS * PLANE;
        labels += file->n;
    }
done:
    adn_free(buffer);
    return st;
}

static adn_status open_cifar(const cifar_kind *kind, const adn_data_conf *conf, bool is_probe,
                             adn_dataset_pair *pair)
{
    adn_status st = ADN_OK;
    int classes = kind->classes[kind->n_label_byte - 1];
    adn_dataset empty = {.h = SIDE, .w = SIDE, .c = CHANNELS, .classes = classes};

    if (conf->classes != 0 && conf->classes != classes)
        return ADN_FAIL(ADN_BADCONF, "data.classes: is %d, but %s has %d", conf->classes,
                        kind->name, classes);
    pair->train = pair->test = empty;
    ADN_TRY(st, find_files(kind, conf->root, pair), done);
    if (is_probe) goto done;
    ADN_TRY(st, read_split(kind, conf->root, false, pair), done);
    ADN_TRY(st, read_split(kind, conf->root, true, pair), done);
done:
    return st;
}

adn_status adn_cifar10_open(const adn_data_conf *conf, bool is_probe, adn_dataset_pair *pair)
{
    return open_cifar(&cifar10, conf, is_probe, pair);
}

adn_status adn_cifar100_open(const adn_data_conf *conf, bool is_probe, adn_dataset_pair *pair)
{
    return open_cifar(&cifar100, conf, is_probe, pair);
}
