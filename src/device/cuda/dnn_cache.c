/* The folder of plans, and their files:
 *
 *   key 0 | text 0 | sum of all before, 16 digits
 *
 * A file's name is the sum of its key: two keys of one name take the file from each other. */
#include "device/cuda/dnn_cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hash.h"

enum { SUM_DIGITS = 16, MAX_FILE = 64 << 20 /* compiled plans have 0.2 MiB */ };

struct dnn_cache {
    atomic_bool is_broken; /* cannot be written: was said */
    char dir[];
};

/* The folder; NULL: none, or no memory. Gives. */
static char *folder(void)
{
    const char *own = getenv("ADONIS_CACHE"), *all = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");

    if (own != NULL) return own[0] != '\0' ? adn_path_join(own, "cudnn") : NULL;
    if (all != NULL && all[0] == '/') return adn_path_join(all, "adonis/cudnn");
    if (home != NULL && home[0] != '\0') return adn_path_join(home, ".cache/adonis/cudnn");
    return NULL;
}

dnn_cache *adn_dnn_cache_open(void)
{
    char *dir = folder();
    dnn_cache *c = dir != NULL ? adn_alloc(sizeof(*c) + strlen(dir) + 1) : NULL;

    if (c != NULL) strcpy(c->dir, dir);
    adn_free(dir);
    return c;
}

void adn_dnn_cache_close(dnn_cache *c)
{
    adn_free(c);
}

static char *path_of(const dnn_cache *c, const char *key)
{
    return adn_format("%s/%016" PRIx64, c->dir, adn_hash_on(ADN_HASH_OF_NOTHING, key, strlen(key)));
}

/* The text in a file's bytes, a 0 behind them; NULL and why not. */
static const char *text_in(const char *file, size_t n, const char *key, const char **why)
{
    size_t n_key = strlen(key) + 1, n_summed = n - SUM_DIGITS;
    char sum[SUM_DIGITS + 1];

    *why = "is damaged";
    if (n < n_key + SUM_DIGITS + 1) return NULL;
    snprintf(sum, sizeof(sum), "%016" PRIx64, adn_hash_on(ADN_HASH_OF_NOTHING, file, n_summed));
    if (strcmp(sum, file + n_summed) != 0) return NULL;
    if (n_key + strlen(file + n_key) + 1 != n_summed) return NULL;
    *why = "is of another graph";
    return strcmp(file, key) == 0 ? file + n_key : NULL;
}

char *adn_dnn_cache_get(const dnn_cache *c, const char *key)
{
    char *path = c != NULL ? path_of(c, key) : NULL, *file = NULL, *given = NULL;
    size_t n;
    const char *why;

    if (path == NULL || access(path, R_OK) != 0) goto done;
    if (adn_file_read(path, MAX_FILE, &file, &n) != ADN_OK) goto done;
    const char *text = text_in(file, n, key, &why);
    if (text == NULL)
        adn_debug("%s: %s: passed over", path, why);
    else
        given = adn_strdup(text);
done:
    adn_free(file);
    adn_free(path);
    return given;
}

/* The folders above path. */
static bool make_folders(char *path)
{
    bool is_made = true;

    for (char *s = strchr(path + 1, '/'); is_made && s != NULL; s = strchr(s + 1, '/')) {
        *s = '\0';
        is_made = mkdir(path, 0777) == 0 || errno == EEXIST;
        *s = '/';
    }
    return is_made;
}

/* Takes fd. */
static bool write_file(int fd, const char *key, const char *text)
{
    size_t n_key = strlen(key) + 1, n_text = strlen(text) + 1;
    uint64_t sum = adn_hash_on(ADN_HASH_OF_NOTHING, key, n_key);
    FILE *f = fdopen(fd, "w");

    sum = adn_hash_on(sum, text, n_text);
    bool is_whole = f != NULL && fwrite(key, 1, n_key, f) == n_key &&
                    fwrite(text, 1, n_text, f) == n_text && fprintf(f, "%016" PRIx64, sum) > 0;

    if (f == NULL) close(fd);
    if (f != NULL && fclose(f) != 0) is_whole = false;
    return is_whole;
}

void adn_dnn_cache_put(dnn_cache *c, const char *key, const char *text)
{
    char *path = NULL, *tmp = NULL;
    int fd = -1;

    if (c == NULL || atomic_load(&c->is_broken)) return;
    path = path_of(c, key);
    tmp = path != NULL ? adn_format("%s.XXXXXX", path) : NULL;
    if (tmp == NULL) goto done;
    if (make_folders(path)) fd = mkstemp(tmp); /* a name that no other process takes */
    if (fd >= 0 && write_file(fd, key, text) && rename(tmp, path) == 0) goto done;
    if (!atomic_exchange(&c->is_broken, true))
        adn_warn("%s: cannot be written: %s; cuDNN's plans are not kept and compiled in each run "
                 "anew",
                 c->dir, strerror(errno));
    if (fd >= 0) unlink(tmp);
done:
    adn_free(tmp);
    adn_free(path);
}
