/* The safetensors reader. Every claim of the header is checked against the file's size and against
 * the other claims before memory is taken for the data. */
#include "store/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/input.h"

enum {
    PREFIX = 8,             /* bytes of the header's length */
    MAX_HEADER = 100000000, /* the format's own limit */
    MAX_DEPTH = 3,          /* { name: { shape: [ */
    MAX_COMMAS = 1000000,   /* bounds what jansson allocates: about 100 bytes a value */
    MAX_NAME = 1024,
    ALIGN = 64
};

typedef struct entry { /* a tensor and where its data lies, from the data's start */
    adn_st_tensor tensor;
    int64_t begin, end;
} entry;

typedef struct reader {
    const char *path;
    int fd;
    int64_t n_header, n_data;
    char *header; /* a 0 behind it */
    entry *entries;
    adn_st_file file;
} reader;

typedef struct owned { /* what adn_st_file.owned is */
    json_t *root;      /* names and metadata point into it */
    char *data;
} owned;

#define BAD(r, at, fmt, ...)                                                                       \
    ADN_FAIL(ADN_BADCKPT, "%s: byte %lld: " fmt, (r)->path, (long long)(at), __VA_ARGS__)

static adn_status read_header(reader *r)
{
    adn_status st;
    uint64_t n = 0; /* little-endian, as the writer asserts of us */
    int64_t size;

    ADN_TRY(st, adn_input_open(r->path, &r->fd, &size), done);
    if (size < PREFIX)
        return BAD(r, size, "the file ends inside the header's length, which takes %d bytes",
                   PREFIX);
    ADN_TRY(st, adn_input_read(r->fd, r->path, &n, PREFIX, 0), done);
    if (n > MAX_HEADER)
        return BAD(r, 0, "a header of %llu bytes, at most %d are allowed", (unsigned long long)n,
                   MAX_HEADER);
    if (n > (uint64_t)(size - PREFIX))
        return BAD(r, 0, "a header of %llu bytes in a file of %lld", (unsigned long long)n,
                   (long long)size);
    r->n_header = (int64_t)n;
    r->n_data = size - PREFIX - r->n_header;
    r->header = adn_alloc((size_t)n + 1);
    if (r->header == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for its header", r->path);
    st = adn_input_read(r->fd, r->path, r->header, (size_t)n, PREFIX);
done:
    return st;
}

/* Bounds depth and count before a recursive parser sees the text. */
static adn_status check_nesting(const reader *r)
{
    bool in_string = false;
    int depth = 0, n_comma = 0;

    if (r->n_header == 0 || r->header[0] != '{')
        return BAD(r, PREFIX, "the header does not start with '%c'", '{');
    for (int64_t i = 0; i < r->n_header; i++) {
        char c = r->header[i];
        if (in_string) {
            if (c == '\\') i++;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH)
                return BAD(r, PREFIX + i, "the header nests deeper than %d", MAX_DEPTH);
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ',' && ++n_comma > MAX_COMMAS) {
            return BAD(r, PREFIX + i, "the header has more than %d values", MAX_COMMAS);
        }
    }
    return ADN_OK;
}

static adn_status parse_header(reader *r, json_t **out)
{
    json_error_t error;
    json_t *root = json_loadb(r->header, (size_t)r->n_header, JSON_REJECT_DUPLICATES, &error);

    if (root == NULL && error.text[0] == '\0')
        return ADN_FAIL(ADN_NOMEM, "%s: no memory for its header", r->path);
    if (root == NULL)
        return BAD(r, PREFIX + error.position, "the header is no JSON: %s", error.text);
    *out = root;
    return ADN_OK;
}

/* Where the header speaks of a key, for messages: its first mention in quotes, else the header's
 * start. */
static int64_t place_of(const reader *r, const char *key)
{
    char quoted[MAX_NAME + 3];
    snprintf(quoted, sizeof(quoted), "\"%s\"", key);
    const char *found = strstr(r->header, quoted);
    return PREFIX + (found == NULL ? 0 : found - r->header);
}

static bool is_printable(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > MAX_NAME) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
    return true;
}

static adn_status take_metadata(reader *r, json_t *meta)
{
    const char *key;
    json_t *value;

    if (!json_is_object(meta))
        return BAD(r, place_of(r, "__metadata__"), "%s is no object", "__metadata__");
    r->file.meta = adn_alloc(json_object_size(meta) * sizeof(*r->file.meta));
    if (r->file.meta == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for its header", r->path);
    json_object_foreach(meta, key, value)
    {
        if (!is_printable(key) || !json_is_string(value))
            return BAD(r, place_of(r, key), "%s holds something that is no text", "__metadata__");
        r->file.meta[r->file.n_meta++] = (adn_st_meta){key, json_string_value(value)};
    }
    return ADN_OK;
}

/* A JSON value as a size: an integer, not negative. */
static bool take_size(const json_t *value, int64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = json_integer_value(value);
    return true;
}

static bool take_type(const json_t *value, adn_st_type *out)
{
    const char *name = json_string_value(value);
    for (int t = ADN_ST_F32; name != NULL && t <= ADN_ST_I64; t++)
        if (strcmp(name, adn_st_type_name((adn_st_type)t)) == 0) {
            *out = (adn_st_type)t;
            return true;
        }
    return false;
}

/* One tensor's description: known type, sizes whose product is its share of the data. */
static adn_status take_tensor(const reader *r, const char *name, const json_t *value, entry *e)
{
    adn_st_tensor *t = &e->tensor;
    const json_t *dtype = json_object_get(value, "dtype"), *shape = json_object_get(value, "shape");
    const json_t *offsets = json_object_get(value, "data_offsets");

    if (!is_printable(name))
        return BAD(r, PREFIX,
                   "a tensor's name is empty, longer than %d bytes or has control characters",
                   MAX_NAME);
    int64_t at = place_of(r, name);
    if (json_object_size(value) != 3 || dtype == NULL || shape == NULL || offsets == NULL)
        return BAD(r, at, "'%s' is described by something else than dtype, shape and data_offsets",
                   name);
    t->name = name;
    if (!take_type(dtype, &t->type))
        return BAD(r, at, "'%s' has a dtype that is none of F32, F64 and I64", name);
    if (!json_is_array(shape) || json_array_size(shape) > ADN_ST_DIMS)
        return BAD(r, at, "'%s' has a shape that is no list of at most %d sizes", name,
                   ADN_ST_DIMS);
    t->n_dim = (int)json_array_size(shape);
    int64_t n = t->type == ADN_ST_F32 ? 4 : 8;
    for (int d = 0; d < t->n_dim; d++)
        if (!take_size(json_array_get(shape, (size_t)d), &t->dim[d]) ||
            __builtin_mul_overflow(n, t->dim[d], &n))
            return BAD(r, at, "'%s' has a shape that is no size in memory", name);
    if (json_array_size(offsets) != 2 || !take_size(json_array_get(offsets, 0), &e->begin) ||
        !take_size(json_array_get(offsets, 1), &e->end))
        return BAD(r, at, "'%s' has data_offsets that are no two offsets", name);
    if (e->begin > e->end || e->end > r->n_data)
        return BAD(r, at, "'%s' lies at %lld to %lld of %lld bytes of data", name,
                   (long long)e->begin, (long long)e->end, (long long)r->n_data);
    if (e->end - e->begin != n)
        return BAD(r, at, "'%s' has %lld bytes of data, its shape takes %lld", name,
                   (long long)(e->end - e->begin), (long long)n);
    return ADN_OK;
}

static int by_offset(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1; /* the empty ones first */
    return strcmp(x->tensor.name, y->tensor.name);
}

static adn_status check_layout(const reader *r)
{
    int64_t data_at = PREFIX + r->n_header, at = 0;

    for (int i = 0; i < r->file.n_tensor; at = r->entries[i].end, i++) {
        const entry *e = &r->entries[i];
        if (e->begin != at)
            return BAD(r, data_at + e->begin, "'%s' %s", e->tensor.name,
                       e->begin < at ? "overlaps the tensor before it" : "leaves a hole before it");
    }
    if (at != r->n_data)
        return BAD(r, data_at + at, "the tensors end here, the file %lld bytes later",
                   (long long)(r->n_data - at));
    return ADN_OK;
}

static adn_status take_tensors(reader *r, json_t *root)
{
    adn_status st = ADN_OK;
    size_t n = json_object_size(root);
    const char *key;
    json_t *value;

    r->entries = adn_alloc(n * sizeof(*r->entries));
    r->file.tensors = adn_alloc(n * sizeof(*r->file.tensors));
    if (r->entries == NULL || r->file.tensors == NULL)
        return ADN_FAIL(ADN_NOMEM, "%s: no memory for %zu tensors", r->path, n);
    json_object_foreach(root, key, value)
    {
        if (strcmp(key, "__metadata__") == 0)
            st = take_metadata(r, value);
        else
            st = take_tensor(r, key, value, &r->entries[r->file.n_tensor++]);
        if (st != ADN_OK) return st;
    }
    if (r->file.n_tensor > 0)
        qsort(r->entries, (size_t)r->file.n_tensor, sizeof(*r->entries), by_offset);
    return check_layout(r);
}

/* Each tensor starts at a multiple of 64 in memory, wherever the file has it. */
static adn_status read_data(reader *r, owned *o)
{
    adn_status st = ADN_OK;
    size_t at = 0;

    o->data = adn_alloc((size_t)r->n_data + ALIGN * (size_t)r->file.n_tensor);
    if (o->data == NULL)
        return ADN_FAIL(ADN_NOMEM, "%s: no memory for %lld bytes", r->path, (long long)r->n_data);
    for (int i = 0; i < r->file.n_tensor; i++) {
        entry *e = &r->entries[i];
        size_t n = (size_t)(e->end - e->begin);
        e->tensor.data = o->data + at;
        r->file.tensors[i] = e->tensor;
        st = adn_input_read(r->fd, r->path, e->tensor.data, n, PREFIX + r->n_header + e->begin);
        if (st != ADN_OK) break;
        at += (n + ALIGN - 1) / ALIGN * ALIGN;
    }
    return st;
}

adn_status adn_st_read(const char *path, adn_st_file *out)
{
    adn_status st;
    reader r = {.path = path, .fd = -1};
    owned *o = adn_alloc(sizeof(*o));

    if (o == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", path);
    r.file.owned = o;
    ADN_TRY(st, read_header(&r), done);
    ADN_TRY(st, check_nesting(&r), done);
    ADN_TRY(st, parse_header(&r, &o->root), done);
    ADN_TRY(st, take_tensors(&r, o->root), done);
    ADN_TRY(st, read_data(&r, o), done);
    *out = r.file;
done:
    if (st != ADN_OK) adn_st_clear(&r.file);
    if (r.fd >= 0) close(r.fd);
    adn_free(r.entries);
    adn_free(r.header);
    return st;
}

void adn_st_clear(adn_st_file *f)
{
    owned *o = f->owned;
    if (o != NULL) {
        json_decref(o->root);
        adn_free(o->data);
    }
    adn_free(o);
    adn_free(f->tensors);
    adn_free(f->meta);
    *f = (adn_st_file){0};
}

const adn_st_tensor *adn_st_find(const adn_st_file *f, const char *name)
{
    for (int i = 0; i < f->n_tensor; i++)
        if (strcmp(f->tensors[i].name, name) == 0) return &f->tensors[i];
    return NULL;
}
