/* Writing, reading and checking manifest.json. */
#include "store/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"
#include "store/input.h"
#include "store/sha256.h"

enum { VERSION = 1, MAX_MANIFEST = 1 << 20, MAX_FILES = 4096 };
static const char manifest_name[] = "manifest.json";

static adn_status bad(char why[ADN_WHY], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static adn_status bad(char why[ADN_WHY], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, ADN_WHY, fmt, args);
    va_end(args);
    return ADN_BADCKPT;
}

static adn_status no_memory(const char *dir)
{
    return ADN_FAIL(ADN_NOMEM, "%s: no memory for its manifest", dir);
}

void adn_ckpt_name(int epoch, int batch, char out[32])
{
    snprintf(out, 32, "e%04d-b%04d", epoch, batch);
}

bool adn_ckpt_parse(const char *name, int *epoch, int *batch)
{
    char again[32];
    int e, b;

    if (sscanf(name, "e%9d-b%9d", &e, &b) != 2 || e < 0 || b < 0) return false;
    adn_ckpt_name(e, b, again);
    if (strcmp(again, name) != 0) return false;
    *epoch = e;
    *batch = b;
    return true;
}

/* The hash of a file, its size; its bytes are on the disk afterwards. */
static adn_status hash_file(const char *dir, adn_ckpt_file *f, bool with_sync)
{
    enum { PIECE = 1 << 16 };
    adn_status st = ADN_NOMEM;
    adn_sha256 h;
    int fd = -1;
    char *path = adn_path_join(dir, f->name), *piece = adn_alloc(PIECE);

    if (path == NULL || piece == NULL) {
        no_memory(dir);
        goto done;
    }
    ADN_TRY(st, adn_input_open(path, &fd, &f->bytes), done);
    adn_sha256_init(&h);
    for (int64_t at = 0; at < f->bytes; at += PIECE) {
        size_t n = (size_t)ADN_MIN((int64_t)PIECE, f->bytes - at);
        ADN_TRY(st, adn_input_read(fd, path, piece, n, at), done);
        adn_sha256_add(&h, piece, n);
    }
    adn_sha256_text(&h, f->sha256);
    if (with_sync) {
        st = adn_file_close_synced(fd, path);
        fd = -1;
    }
done:
    if (fd >= 0) close(fd);
    adn_free(piece);
    adn_free(path);
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const adn_ckpt_file *)a)->name, ((const adn_ckpt_file *)b)->name);
}

/* The names of the files of a folder, hidden ones and the manifest left out. */
static adn_status scan(const char *dir, adn_manifest *m)
{
    adn_status st = ADN_OK;
    struct dirent *e;
    DIR *d = opendir(dir);

    if (d == NULL) return ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", dir, strerror(errno));
    m->files = adn_alloc(MAX_FILES * sizeof(*m->files));
    if (m->files == NULL) st = no_memory(dir);
    while (st == ADN_OK && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.' || strcmp(e->d_name, manifest_name) == 0) continue;
        if (m->n_file == MAX_FILES || strlen(e->d_name) >= sizeof(m->files[0].name))
            st = ADN_FAIL(ADN_IO, "%s: holds more than %d files, or the name '%s' is too long", dir,
                          MAX_FILES, e->d_name);
        else
            strcpy(m->files[m->n_file++].name, e->d_name);
    }
    closedir(d);
    if (st == ADN_OK) qsort(m->files, (size_t)m->n_file, sizeof(*m->files), by_name);
    return st;
}

static void put_manifest(adn_json *j, const adn_manifest *m)
{
    const adn_ckpt_info *info = &m->info;

    adn_json_open(j, NULL, '{');
    adn_json_int(j, "version", VERSION);
    adn_json_int(j, "epoch", info->epoch);
    adn_json_int(j, "batch", info->batch);
    adn_json_int(j, "step", info->step);
    adn_json_int(j, "blocks", info->n_block);
    if (info->seconds > 0) adn_json_number(j, "seconds", info->seconds);
    adn_json_number(j, "score", info->score);
    adn_json_open(j, "files", '[');
    for (int i = 0; i < m->n_file; i++) {
        adn_json_newline(j);
        adn_json_open(j, NULL, '{');
        adn_json_string(j, "name", m->files[i].name);
        adn_json_int(j, "bytes", m->files[i].bytes);
        adn_json_string(j, "sha256", m->files[i].sha256);
        adn_json_close(j, '}');
    }
    adn_json_close(j, ']');
}

/* The last line, a hash of what stands before it: `,\n"manifest_sha256": "..."}\n`. */
enum { SEAL = 2 + 19 + 66 + 2 }; /* bytes */

static void make_seal(const char *text, size_t n, char out[SEAL + 1])
{
    char hash[ADN_SHA256_TEXT];
    adn_sha256_of(text, n, hash);
    snprintf(out, SEAL + 1, ",\n\"manifest_sha256\": \"%s\"}\n", hash);
}

static bool is_sealed(const char *text, size_t n)
{
    char seal[SEAL + 1];
    if (n < SEAL) return false;
    make_seal(text, n - SEAL, seal);
    return memcmp(text + n - SEAL, seal, SEAL) == 0;
}

adn_status adn_manifest_write(const char *dir, const adn_ckpt_info *info)
{
    adn_status st;
    adn_manifest m = {.info = *info};
    adn_json j = {0};
    char *path = adn_path_join(dir, manifest_name), *text = NULL, seal[SEAL + 1];

    if (path == NULL) return no_memory(dir);
    ADN_TRY(st, scan(dir, &m), done);
    for (int i = 0; i < m.n_file; i++) ADN_TRY(st, hash_file(dir, &m.files[i], true), done);
    put_manifest(&j, &m);
    if (!j.failed) {
        make_seal(j.text, j.n_text, seal);
        text = adn_format("%s%s", j.text, seal);
    }
    st = text == NULL ? no_memory(dir) : adn_file_write(path, text, strlen(text));
done:
    adn_free(text);
    adn_json_clear(&j);
    adn_manifest_clear(&m);
    adn_free(path);
    return st;
}

static bool take_int(const json_t *o, const char *key, int64_t max, int64_t *out)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
        return false;
    *out = json_integer_value(v);
    return true;
}

static bool take_file(const json_t *o, adn_ckpt_file *f)
{
    const char *name = json_string_value(json_object_get(o, "name"));
    const char *hash = json_string_value(json_object_get(o, "sha256"));

    if (name == NULL || name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
        strlen(name) >= sizeof(f->name))
        return false; /* it stays in its folder */
    if (hash == NULL || strlen(hash) != 64 || strspn(hash, "0123456789abcdef") != 64) return false;
    strcpy(f->name, name);
    strcpy(f->sha256, hash);
    return take_int(o, "bytes", INT64_MAX, &f->bytes);
}

static bool take_info(const json_t *root, const char *name, adn_ckpt_info *info)
{
    int64_t version, epoch, batch, n_block;
    const json_t *score = json_object_get(root, "score");
    const json_t *seconds = json_object_get(root, "seconds");

    if (!take_int(root, "version", VERSION, &version) || version != VERSION ||
        !take_int(root, "epoch", INT32_MAX, &epoch) ||
        !take_int(root, "batch", INT32_MAX, &batch) ||
        !take_int(root, "step", INT64_MAX, &info->step) ||
        !take_int(root, "blocks", INT32_MAX, &n_block))
        return false;
    if (!json_is_number(score) && !json_is_null(score)) return false;
    if (seconds != NULL && !json_is_number(seconds)) return false;
    info->seconds = json_number_value(seconds); /* 0 where there are none */
    info->score = json_is_null(score) ? NAN : json_number_value(score);
    info->epoch = (int)epoch;
    info->batch = (int)batch;
    info->n_block = (int)n_block;
    adn_ckpt_name(info->epoch, info->batch, info->name);
    return strcmp(info->name, name) == 0;
}

static adn_status take_manifest(const char *path, const char *name, const json_t *root,
                                adn_manifest *m, char why[ADN_WHY])
{
    const json_t *files = json_object_get(root, "files");
    size_t n = json_array_size(files);

    if (!take_info(root, name, &m->info))
        return bad(why, "%s: is no manifest of version %d of %s", path, VERSION, name);
    if (!json_is_array(files) || n > MAX_FILES) return bad(why, "%s: has no list of files", path);
    m->files = adn_alloc(n * sizeof(*m->files));
    if (m->files == NULL) return no_memory(path);
    for (size_t i = 0; i < n; i++) {
        if (!take_file(json_array_get(files, i), &m->files[i]) ||
            __builtin_add_overflow(m->info.bytes, m->files[i].bytes, &m->info.bytes))
            return bad(why, "%s: entry %zu of its files is malformed", path, i);
        m->n_file++;
    }
    return ADN_OK;
}

adn_status adn_manifest_read(const char *dir, const char *name, adn_manifest *out,
                             char why[ADN_WHY])
{
    adn_status st;
    adn_manifest m = {0};
    char *path = adn_path_join(dir, manifest_name), *text = NULL;
    size_t n;
    struct stat info;
    json_error_t error;
    json_t *root = NULL;

    if (path == NULL) return no_memory(dir);
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        st = bad(why, "%s: is missing", path);
        goto done;
    }
    if (info.st_size > MAX_MANIFEST) {
        st = bad(why, "%s: has %lld bytes, more than any manifest", path, (long long)info.st_size);
        goto done;
    }
    ADN_TRY(st, adn_file_read(path, MAX_MANIFEST, &text, &n), done);
    if (!is_sealed(text, n)) {
        st = bad(why, "%s: is damaged: its last line is not the hash of the others", path);
        goto done;
    }
    root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        st = bad(why, "%s: byte %d: is no JSON: %s", path, error.position, error.text);
    else
        st = take_manifest(path, name, root, &m, why);
done:
    if (st == ADN_OK)
        *out = m;
    else
        adn_manifest_clear(&m);
    json_decref(root);
    adn_free(text);
    adn_free(path);
    return st;
}

static adn_status check_file(const char *dir, const adn_ckpt_file *f, bool with_hash,
                             char why[ADN_WHY])
{
    adn_ckpt_file found = *f;
    struct stat info;
    char *path = adn_path_join(dir, f->name);
    adn_status st = ADN_OK;

    if (path == NULL) return no_memory(dir);
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        st = bad(why, "%s: is missing", path);
    else if (info.st_size != f->bytes)
        st = bad(why, "%s: has %lld bytes, the manifest says %lld", path, (long long)info.st_size,
                 (long long)f->bytes);
    else if (with_hash)
        st = hash_file(dir, &found, false);
    if (st == ADN_OK && strcmp(found.sha256, f->sha256) != 0)
        st = bad(why, "%s: is damaged: SHA-256 %.16s..., the manifest says %.16s...", path,
                 found.sha256, f->sha256);
    adn_free(path);
    return st;
}

adn_status adn_manifest_check(const char *dir, const adn_manifest *m, bool with_hashes,
                              char why[ADN_WHY])
{
    adn_status st = ADN_OK;
    for (int i = 0; i < m->n_file && st == ADN_OK; i++)
        st = check_file(dir, &m->files[i], with_hashes, why);
    return st;
}

void adn_manifest_clear(adn_manifest *m)
{
    adn_free(m->files);
    *m = (adn_manifest){0};
}
