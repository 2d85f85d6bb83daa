/* IDX, the format of MNIST and its kin, plain or gzipped. Big-endian:
 *   labels [00 00 08 01][n][n bytes]      images [00 00 08 03][n][h][w][n h w bytes] */
#include <limits.h>
#include <string.h>

#include "core/file.h"
#include "data/sets.h"
#include "data/source.h"

enum {
    LARGEST_SIDE = 1 << 15,
    MOST_CLASSES = 256,  /* a label is a byte */
    MAY_LACK = 10,       /* classes that a small sample of digits may lack without a word */
    LARGEST_RATIO = 1032 /* of deflate: 258 bytes from two bits */
};

static const struct idx_name {
    const char *name;
    bool is_test, is_labels;
} names[] = {/* labels first: they tell how many images there must be */
             {"train-labels-idx1-ubyte", false, true},
             {"t10k-labels-idx1-ubyte", true, true},
             {"train-images-idx3-ubyte", false, false},
             {"t10k-images-idx3-ubyte", true, false}};
enum { N_FILE = ADN_COUNT(names) };

/* The plain file's path, or else the gzipped one's. */
static adn_status find_file(const char *root, const char *name, char **out)
{
    adn_status st = ADN_NOMEM;
    char *path = adn_path_join(root, name), *name_gz = adn_format("%s.gz", name);
    adn_data_lack lack = {.name = name,
                          .or_name = name_gz,
                          .looked_for = "train-images-idx3-ubyte, train-labels-idx1-ubyte, "
                                        "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, "
                                        "each plain or .gz"};

    if (path != NULL && name_gz != NULL && !adn_path_exists(path)) {
        adn_free(path);
        path = adn_path_join(root, name_gz);
    }
    if (path == NULL || name_gz == NULL)
        st = ADN_FAIL(ADN_NOMEM, "%s: no memory", root);
    else
        st = adn_path_exists(path) ? ADN_OK : adn_data_missing(root, &lack);
    if (st == ADN_OK)
        *out = path;
    else
        adn_free(path);
    adn_free(name_gz);
    return st;
}

typedef struct idx_header {
    int n, h, w; /* labels: h = w = 1 */
} idx_header;

static adn_status check_magic(const adn_source *s, const uint8_t *head, bool is_labels)
{
    int n_dim = is_labels ? 1 : 3;

    if (head[0] == 0 && head[1] == 0 && head[2] == 8 && head[3] == n_dim) return ADN_OK;
    return ADN_FAIL(
        ADN_BADDATA,
        "%s: byte 0: magic number %02x %02x %02x %02x, expected 00 00 08 %02x "
        "(IDX, bytes, %d dimension%s)%s",
        s->path, head[0], head[1], head[2], head[3], n_dim, n_dim, n_dim == 1 ? "" : "s",
        head[0] == 0x1f && head[1] == 0x8b ? "; this is gzip: its name must end in .gz" : "");
}

/* Reads and checks a header: what it claims must be what a file of this size can hold. */
static adn_status read_header(adn_source *s, bool is_labels, idx_header *out)
{
    adn_status st = ADN_OK;
    int dims[3] = {0, 1, 1}, n_dim = is_labels ? 1 : 3;
    static const char *const what[3] = {"samples", "rows", "columns"};
    uint8_t head[16];
    size_t n_head = 4 + 4 * (size_t)n_dim;

    ADN_TRY(st, adn_source_exact(s, head, n_head, "IDX header"), done);
    ADN_TRY(st, check_magic(s, head, is_labels), done);
    for (int i = 0; i < n_dim; i++) {
        const uint8_t *b = head + 4 + 4 * i;
        uint32_t claim = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        uint32_t most = i == 0 ? INT_MAX : LARGEST_SIDE;
        if (claim == 0 || claim > most)
            return ADN_FAIL(ADN_BADDATA, "%s: byte %d: the header claims %u %s, expected 1..%u",
                            s->path, 4 + 4 * i, claim, what[i], most);
        dims[i] = (int)claim;
    }
    int64_t whole = (int64_t)n_head + (int64_t)dims[0] * dims[1] * dims[2]; /* at most 2^61 */
    if (s->is_gz ? whole > s->file_bytes * LARGEST_RATIO : whole != s->file_bytes)
        return ADN_FAIL(ADN_BADDATA,
                        "%s: byte 4: the header claims %d samples of %d x %d, which would be "
                        "%lld bytes in all, but the file has %lld%s",
                        s->path, dims[0], dims[1], dims[2], (long long)whole,
                        (long long)s->file_bytes, s->is_gz ? " gzipped" : "");
    *out = (idx_header){dims[0], dims[1], dims[2]};
done:
    return st;
}

/* Classes as counted from the training labels: the largest one and those below it. A lone far label
 * is more likely damage than a class. */
static adn_status count_classes(const char *path, const uint8_t *labels, int n, int *out)
{
    int first[MOST_CLASSES], largest = 0, n_lack = 0;

    for (int i = 0; i < MOST_CLASSES; i++) first[i] = -1;
    for (int i = n - 1; i >= 0; i--) first[labels[i]] = i;
    for (int i = 0; i < MOST_CLASSES; i++)
        if (first[i] >= 0) largest = i;
    for (int i = 0; i < largest; i++) n_lack += first[i] < 0;
    if (n_lack > MAY_LACK && n_lack > largest + 1 - n_lack)
        return ADN_FAIL(
            ADN_BADDATA,
            "%s: byte %d (record %d): label %d: it would make %d classes, %d of "
            "them without a sample; expected labels from 0 on without such holes, or the "
            "number in data.classes",
            path, 8 + first[largest], first[largest], largest, largest + 1, n_lack);
    *out = largest + 1;
    return ADN_OK;
}

static adn_status check_labels(const char *path, const uint8_t *labels, int n, int classes,
                               bool is_counted)
{
    for (int i = 0; i < n; i++)
        if (labels[i] >= classes)
            return ADN_FAIL(ADN_BADDATA, "%s: byte %lld (record %d): label %d, expected 0..%d (%s)",
                            path, 8 + (long long)i, i, labels[i], classes - 1,
                            is_counted ? "as the training labels have" : "data.classes");
    return ADN_OK;
}

static adn_status read_labels(const adn_data_conf *conf, adn_source *s, bool is_test,
                              adn_dataset_pair *pair, uint8_t **labels)
{
    adn_status st = ADN_OK;
    adn_dataset *set = is_test ? &pair->test : &pair->train;
    idx_header head;
    int classes = is_test ? pair->train.classes : conf->classes;

    ADN_TRY(st, read_header(s, true, &head), done);
    ADN_TRY(st, adn_source_take(s, (size_t)head.n, 0, "labels", labels), done);
    ADN_TRY(st, adn_source_end(s), done);
    if (classes == 0) ADN_TRY(st, count_classes(s->path, *labels, head.n, &classes), done);
    ADN_TRY(st, check_labels(s->path, *labels, head.n, classes, conf->classes == 0), done);
    set->n = head.n;
    set->c = 1;
    set->classes = classes;
done:
    return st;
}

static adn_status read_images(adn_source *s, bool is_test, bool is_probe, const uint8_t *labels,
                              adn_dataset_pair *pair)
{
    adn_status st = ADN_OK;
    adn_dataset *set = is_test ? &pair->test : &pair->train, *train = &pair->train;
    idx_header head;
    uint8_t *block = NULL;

    ADN_TRY(st, read_header(s, false, &head), done);
    if (head.n != set->n)
        return ADN_FAIL(ADN_BADDATA, "%s: byte 4: has %d images, but there are %d labels in %s",
                        s->path, head.n, set->n, pair->files[is_test ? 1 : 0].path);
    if (is_test && (head.h != train->h || head.w != train->w))
        return ADN_FAIL(ADN_BADDATA,
                        "%s: byte 8: images of %d x %d, expected %d x %d as in training", s->path,
                        head.h, head.w, train->h, train->w);
    set->h = head.h;
    set->w = head.w;
    if (is_probe) return ADN_OK;
    size_t bytes = (size_t)head.n * (size_t)head.h * (size_t)head.w;
    ADN_TRY(st, adn_source_take(s, bytes, (size_t)head.n, "images", &block), done);
    set->owned = block;
    set->pixels = block;
    set->labels = memcpy(block + bytes, labels, (size_t)head.n);
    ADN_TRY(st, adn_source_end(s), done);
done:
    return st;
}

adn_status adn_idx_open(const adn_data_conf *conf, bool is_probe, adn_dataset_pair *pair)
{
    adn_status st = ADN_OK;
    adn_source src = {0};
    uint8_t *labels[2] = {NULL, NULL};
    char *path = NULL;

    if (conf->classes < 0 || conf->classes > MOST_CLASSES)
        return ADN_FAIL(ADN_BADCONF,
                        "data.classes: is %d; a label of IDX is a byte: expected at most %d",
                        conf->classes, MOST_CLASSES);
    pair->files = adn_alloc(N_FILE * sizeof(*pair->files));
    if (pair->files == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", conf->root);
    for (int i = 0; i < N_FILE; i++) { /* all four are there before any is read */
        ADN_TRY(st, find_file(conf->root, names[i].name, &path), done);
        adn_data_file_add(pair, path, names[i].is_labels ? "labels" : "images", 0, 0,
                          names[i].is_test);
    }
    for (int i = 0; i < N_FILE; i++) {
        bool is_test = names[i].is_test;
        ADN_TRY(st, adn_source_open(&src, pair->files[i].path), done);
        ADN_TRY(st,
                names[i].is_labels ? read_labels(conf, &src, is_test, pair, &labels[is_test])
                                   : read_images(&src, is_test, is_probe, labels[is_test], pair),
                done);
        pair->files[i].bytes = src.file_bytes;
        pair->files[i].n = is_test ? pair->test.n : pair->train.n;
        adn_source_close(&src);
    }
done:
    adn_source_close(&src);
    adn_free(labels[0]);
    adn_free(labels[1]);
    return st;
}
