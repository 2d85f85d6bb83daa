/* The table of data sets, and what is the same for all of them: opening, closing, mean and std. */
#include "data/data.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "data/sets.h"

typedef struct set_kind {
    const char *name;
    adn_set_opener *open;
    bool has_moments; /* published, below; else computed from the training pixels */
    double mean[3], std[3];
} set_kind;

static const set_kind kinds[] = {
    {"cifar10", adn_cifar10_open, true, {.4914, .4822, .4465}, {.2023, .1994, .2010}},
    {"cifar100", adn_cifar100_open, true, {.5071, .4865, .4409}, {.2673, .2564, .2762}},
    {"idx", adn_idx_open, false, {0}, {0}},
};

static adn_status find_kind(const adn_data_conf *conf, const set_kind **out)
{
    struct stat info;

    for (size_t i = 0; i < ADN_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, conf->name) == 0) *out = &kinds[i];
    if (*out == NULL)
        return ADN_FAIL(ADN_BADCONF,
                        "data.name: '%s' is not known; there are cifar10, cifar100, idx",
                        conf->name);
    if (conf->root == NULL || conf->root[0] == '\0')
        return ADN_FAIL(ADN_BADCONF, "data.root: not given; expected the folder of %s", conf->name);
    if (stat(conf->root, &info) != 0)
        return ADN_FAIL(ADN_BADDATA, "%s: %s (data.root, the folder of %s)", conf->root,
                        strerror(errno), conf->name);
    if (!S_ISDIR(info.st_mode))
        return ADN_FAIL(ADN_BADDATA, "%s: is no folder (data.root, the folder of %s)", conf->root,
                        conf->name);
    return ADN_OK;
}

static adn_status check_given(const char *key, const adn_data_conf *conf, bool is_auto, int n,
                              int c)
{
    if (is_auto || n == c) return ADN_OK;
    return ADN_FAIL(ADN_BADCONF, "data.%s: %d value%s given, %s has %d channel%s", key, n,
                    n == 1 ? "" : "s", conf->name, c, c == 1 ? "" : "s");
}

static void settle_moments(const adn_data_conf *conf, const set_kind *kind, adn_dataset_pair *pair)
{
    double mean[ADN_MAX_CHANNELS] = {0}, std[ADN_MAX_CHANNELS] = {0};
    int c = pair->train.c;

    if (kind->has_moments) {
        memcpy(mean, kind->mean, sizeof(kind->mean));
        memcpy(std, kind->std, sizeof(kind->std));
    } else if (conf->auto_mean || conf->auto_std) {
        adn_dataset_moments(&pair->train, mean, std);
    }
    for (int i = 0; i < c; i++) {
        pair->mean[i] = conf->auto_mean ? mean[i] : conf->mean[i];
        pair->std[i] = conf->auto_std ? std[i] : conf->std[i];
        if (pair->std[i] > 0 || !conf->auto_std) continue;
        adn_warn("%s: all pixels of channel %d are equal: std is taken as 1", conf->root, i);
        pair->std[i] = 1;
    }
}

static adn_status open_kind(const adn_data_conf *conf, bool is_probe, const set_kind **kind,
                            adn_dataset_pair *pair)
{
    adn_status st = ADN_OK;

    ADN_TRY(st, find_kind(conf, kind), done);
    ADN_TRY(st, (*kind)->open(conf, is_probe, pair), done);
    ADN_TRY(st, check_given("mean", conf, conf->auto_mean, conf->n_mean, pair->train.c), done);
    ADN_TRY(st, check_given("std", conf, conf->auto_std, conf->n_std, pair->train.c), done);
done:
    return st;
}

adn_status adn_dataset_open(const adn_data_conf *conf, adn_dataset_pair *out)
{
    adn_dataset_pair pair = {0};
    const set_kind *kind = NULL;
    adn_status st = open_kind(conf, false, &kind, &pair);

    if (st != ADN_OK) {
        adn_dataset_close(&pair);
        return st;
    }
    settle_moments(conf, kind, &pair);
    *out = pair;
    return ADN_OK;
}

adn_status adn_dataset_probe(const adn_data_conf *conf, adn_dataset *train, adn_dataset *test)
{
    adn_dataset_pair pair = {0};
    const set_kind *kind = NULL;
    adn_status st = open_kind(conf, true, &kind, &pair);

    if (st == ADN_OK) {
        *train = pair.train;
        *test = pair.test;
    }
    adn_dataset_close(&pair);
    return st;
}

void adn_dataset_close(adn_dataset_pair *pair)
{
    adn_free(pair->train.owned);
    adn_free(pair->test.owned);
    for (int i = 0; i < pair->n_file; i++) adn_free(pair->files[i].path);
    adn_free(pair->files);
    *pair = (adn_dataset_pair){0};
}

void adn_dataset_moments(const adn_dataset *set, double *mean, double *std)
{
    size_t n = (size_t)set->n * (size_t)set->h * (size_t)set->w, c = (size_t)set->c;

    for (size_t k = 0; k < c; k++) {
        uint64_t sum = 0, squares = 0; /* below 2^64 for 2^48 pixels */
        for (size_t i = 0; i < n; i++) {
            uint32_t v = set->pixels[i * c + k];
            sum += v;
            squares += v * v;
        }
        double m = (double)sum / (double)n;
        mean[k] = m / 255;
        std[k] = sqrt(fmax((double)squares / (double)n - m * m, 0)) / 255;
    }
}

void adn_data_file_add(adn_dataset_pair *pair, char *path, const char *what, int64_t bytes, int n,
                       bool is_test)
{
    pair->files[pair->n_file++] = (adn_data_file){path, what, bytes, n, is_test};
}

adn_status adn_data_room(adn_dataset *set, const char *root, uint8_t **pixels, uint8_t **labels)
{
    size_t n = (size_t)set->n, bytes = n * (size_t)set->h * (size_t)set->w * (size_t)set->c;

    set->owned = adn_alloc(bytes + n);
    if (set->owned == NULL)
        return ADN_FAIL(ADN_NOMEM, "%s: no memory for %zu bytes of images", root, bytes + n);
    *pixels = set->owned;
    *labels = *pixels + bytes;
    set->pixels = *pixels;
    set->labels = *labels;
    return ADN_OK;
}

static bool folder_has(const char *root, const char *folder, const char *name)
{
    char *path = name != NULL ? adn_format("%s/%s/%s", root, folder, name) : NULL;
    bool has = path != NULL && adn_path_exists(path);

    adn_free(path);
    return has;
}

/* A folder in root that has the file; gives its path. NULL: none, or no memory to look. */
static char *find_below(const char *root, const adn_data_lack *lack)
{
    DIR *dir = opendir(root);
    struct dirent *e;
    char *found = NULL;

    while (dir != NULL && found == NULL && (e = readdir(dir)) != NULL)
        if (e->d_name[0] != '.' &&
            (folder_has(root, e->d_name, lack->name) || folder_has(root, e->d_name, lack->or_name)))
            found = adn_path_join(root, e->d_name);
    if (dir != NULL) closedir(dir);
    return found;
}

adn_status adn_data_missing(const char *root, const adn_data_lack *lack)
{
    char *below = find_below(root, lack);
    adn_status st = ADN_BADDATA;

    if (below != NULL)
        st = ADN_FAIL(ADN_BADDATA, "%s: has no file %s, but %s has one: give that as data.root",
                      root, lack->name, below);
    else if (folder_has(root, ".", lack->wrong_name))
        st = ADN_FAIL(ADN_BADDATA, "%s: has no file %s, but %s: %s", root, lack->name,
                      lack->wrong_name, lack->wrong_text);
    else
        st = ADN_FAIL(ADN_BADDATA, "%s: has no file %s; looked for are %s", root, lack->name,
                      lack->looked_for);
    adn_free(below);
    return st;
}
