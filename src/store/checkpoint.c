/* Checkpoints as folders: begin, commit, clean, and what is there. retention.c decides which stay.
 * Every change of ckpt/ is one rename, so a kill leaves the state before it or after it. */
#include "store/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "store/folder.h"
#include "store/manifest.h"

static adn_status no_memory(const char *run_dir)
{
    return ADN_FAIL(ADN_NOMEM, "%s: no memory for its checkpoints", run_dir);
}

/* --- Writing */

adn_status adn_ckpt_begin(const char *run_dir, const adn_ckpt_info *info, char **out_dir)
{
    adn_status st = ADN_OK;
    char name[32];

    adn_ckpt_name(info->epoch, info->batch, name);
    char *dir = adn_format("%s/ckpt/.%s.tmp", run_dir, name);
    if (dir == NULL) return no_memory(run_dir);
    if (adn_path_exists(dir)) st = adn_dir_remove(dir);
    if (st == ADN_OK) st = adn_dir_make(dir);
    if (st == ADN_OK)
        *out_dir = dir;
    else
        adn_free(dir);
    return st;
}

void adn_ckpt_abandon(const char *dir)
{
    if (adn_path_exists(dir) && adn_dir_remove(dir) != ADN_OK)
        adn_warn("%s: stays until the run is opened again", dir);
}

static adn_status move(const char *from, const char *to)
{
    if (rename(from, to) == 0) return ADN_OK;
    return ADN_FAIL(ADN_IO, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
}

/* dir becomes ckpt/<name>. One that has the name already is moved aside, where clean finds it again
 * if we are killed before the new one has taken its place. */
static adn_status put_in_place(const char *ckpt, const char *dir, const char *name)
{
    adn_status st = ADN_NOMEM;
    char *final = adn_path_join(ckpt, name), *old = adn_format("%s/.%s.old", ckpt, name);

    if (final == NULL || old == NULL) {
        no_memory(ckpt);
        goto done;
    }
    bool is_there = adn_path_exists(final);
    if (is_there && adn_path_exists(old)) ADN_TRY(st, adn_dir_remove(old), done);
    if (is_there) ADN_TRY(st, move(final, old), done);
    st = move(dir, final);
    if (st != ADN_OK && is_there && rename(old, final) != 0)
        adn_warn("%s: stays there until the run is opened again", old);
    if (st == ADN_OK) st = adn_dir_sync(ckpt);
    if (st == ADN_OK && is_there) st = adn_dir_remove(old);
done:
    adn_free(old);
    adn_free(final);
    return st;
}

adn_status adn_ckpt_commit(const char *run_dir, const char *dir, const adn_ckpt_info *info,
                           int keep_last, int keep_best)
{
    adn_status st = ADN_NOMEM;
    char name[32], *ckpt = adn_path_join(run_dir, "ckpt");

    adn_ckpt_name(info->epoch, info->batch, name);
    if (ckpt == NULL) {
        no_memory(run_dir);
        goto done;
    }
    ADN_TRY(st, adn_manifest_write(dir, info), done);
    ADN_TRY(st, put_in_place(ckpt, dir, name), done);
    st = adn_ckpt_settle(run_dir, name, keep_last, keep_best);
done:
    adn_ckpt_abandon(dir); /* gone where all went well */
    adn_free(ckpt);
    return st;
}

/* --- Cleaning */

static bool ends_in(const char *name, const char *tail)
{
    size_t n = strlen(name), n_tail = strlen(tail);
    return n > n_tail && strcmp(name + n - n_tail, tail) == 0;
}

static adn_status remove_any(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) return adn_dir_remove(path);
    if (unlink(path) == 0) return ADN_OK;
    return ADN_FAIL(ADN_IO, "%s: cannot be removed: %s", path, strerror(errno));
}

/* One hidden entry: what was being made or thrown away goes, what was moved aside comes back. */
static adn_status clean_entry(const char *ckpt, const char *name)
{
    adn_status st = ADN_OK;
    char *path = adn_path_join(ckpt, name), *final = adn_path_join(ckpt, name + 1);

    if (path == NULL || final == NULL) {
        st = no_memory(ckpt);
    } else if (ends_in(name, ".tmp")) {
        st = remove_any(path);
    } else if (ends_in(name, ".old")) {
        final[strlen(final) - strlen(".old")] = '\0';
        st = adn_path_exists(final) ? remove_any(path) : move(path, final);
    }
    adn_free(final);
    adn_free(path);
    return st;
}

adn_status adn_ckpt_clean(const char *run_dir)
{
    adn_status st = ADN_OK;
    char *ckpt = adn_path_join(run_dir, "ckpt"), last[32] = "";
    struct dirent *e;
    DIR *d;

    if (ckpt == NULL) return no_memory(run_dir);
    if (!adn_path_exists(ckpt)) goto done;
    d = opendir(ckpt);
    if (d == NULL) {
        st = ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", ckpt, strerror(errno));
        goto done;
    }
    while (st == ADN_OK && (e = readdir(d)) != NULL)
        if (e->d_name[0] == '.') st = clean_entry(ckpt, e->d_name);
    closedir(d);
    adn_ckpt_follow(ckpt, "last", last);
    if (st == ADN_OK) st = adn_ckpt_settle(run_dir, last, INT_MAX, INT_MAX);
done:
    adn_free(ckpt);
    return st;
}

/* --- What is there */

/* A checkpoint's folder. `last` and `best` are followed; real is the name it ends at. */
static adn_status resolve(const char *run_dir, const char *name, char real[32], char **out)
{
    adn_status st = ADN_OK;
    int epoch, batch;
    char *ckpt = adn_path_join(run_dir, "ckpt"), *dir = NULL;
    bool is_link = strcmp(name, "last") == 0 || strcmp(name, "best") == 0;

    if (ckpt == NULL) return no_memory(run_dir);
    if (is_link && !adn_ckpt_follow(ckpt, name, real))
        st = ADN_FAIL(ADN_USAGE, "%s: has no checkpoint '%s'", run_dir, name);
    if (!is_link && (strlen(name) >= 32 || !adn_ckpt_parse(name, &epoch, &batch)))
        st = ADN_FAIL(ADN_USAGE,
                      "%s: '%s' is no checkpoint's name, such as e0012-b0000, last or best",
                      run_dir, name);
    if (st != ADN_OK) goto done;
    if (!is_link) strcpy(real, name);
    dir = adn_path_join(ckpt, real);
    if (dir == NULL)
        st = no_memory(run_dir);
    else if (!adn_path_exists(dir))
        st = is_link
                 ? ADN_FAIL(ADN_BADCKPT, "%s/%s: points to %s, which is missing", ckpt, name, real)
                 : ADN_FAIL(ADN_USAGE, "%s: has no checkpoint '%s'", run_dir, name);
done:
    if (st == ADN_OK)
        *out = dir;
    else
        adn_free(dir);
    adn_free(ckpt);
    return st;
}

adn_status adn_ckpt_inspect(const char *dir, const char *name, bool with_hashes, adn_ckpt_info *out,
                            char why[ADN_WHY])
{
    adn_manifest m;
    adn_status st = adn_manifest_read(dir, name, &m, why);

    if (st != ADN_OK) return st;
    st = adn_manifest_check(dir, &m, with_hashes, why);
    *out = m.info;
    out->is_whole = st == ADN_OK;
    adn_manifest_clear(&m);
    return st;
}

adn_status adn_ckpt_verify(const char *run_dir, const char *name)
{
    char *dir;
    adn_status st = adn_ckpt_path(run_dir, name, &dir);
    if (st == ADN_OK) adn_free(dir);
    return st;
}

adn_status adn_ckpt_path(const char *run_dir, const char *name, char **out)
{
    char real[32], why[ADN_WHY], *dir;
    adn_ckpt_info info;
    adn_status st = resolve(run_dir, name, real, &dir);

    if (st != ADN_OK) return st;
    st = adn_ckpt_inspect(dir, real, true, &info, why);
    if (st == ADN_BADCKPT) ADN_FAIL(ADN_BADCKPT, "%s", why);
    if (st == ADN_OK)
        *out = dir;
    else
        adn_free(dir);
    return st;
}

adn_status adn_ckpt_files(const char *run_dir, const char *name, adn_ckpt_file **out, int *out_n)
{
    char real[32], why[ADN_WHY], *dir;
    adn_manifest m;
    adn_status st = resolve(run_dir, name, real, &dir);

    if (st != ADN_OK) return st;
    st = adn_manifest_read(dir, real, &m, why);
    if (st == ADN_BADCKPT) ADN_FAIL(ADN_BADCKPT, "%s", why);
    if (st == ADN_OK) {
        *out = m.files; /* the list changes hands */
        *out_n = m.n_file;
    }
    adn_free(dir);
    return st;
}

static int by_position(const void *a, const void *b)
{
    const adn_ckpt_info *x = a, *y = b;
    if (x->epoch != y->epoch) return x->epoch < y->epoch ? -1 : 1;
    return (x->batch > y->batch) - (x->batch < y->batch);
}

/* The names in ckpt/ that are checkpoints', in a list that grows by doubling. */
static adn_status scan(const char *ckpt, adn_ckpt_info **list, int *n)
{
    adn_status st = ADN_OK;
    int room = 0, epoch, batch;
    struct dirent *e;
    DIR *d = opendir(ckpt);

    if (d == NULL && errno == ENOENT) return ADN_OK;
    if (d == NULL) return ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", ckpt, strerror(errno));
    while (st == ADN_OK && (e = readdir(d)) != NULL) {
        if (!adn_ckpt_parse(e->d_name, &epoch, &batch)) continue;
        if (*n == room) {
            room = room == 0 ? 16 : 2 * room;
            adn_ckpt_info *more = adn_alloc((size_t)room * sizeof(*more));
            if (more == NULL) {
                st = no_memory(ckpt);
                break;
            }
            if (*n > 0) memcpy(more, *list, (size_t)*n * sizeof(*more));
            adn_free(*list);
            *list = more;
        }
        adn_ckpt_info *c = &(*list)[(*n)++];
        *c = (adn_ckpt_info){.epoch = epoch, .batch = batch, .score = NAN};
        strcpy(c->name, e->d_name);
    }
    closedir(d);
    if (*n > 0) qsort(*list, (size_t)*n, sizeof(**list), by_position);
    return st;
}

static adn_status inspect_in(const char *ckpt, adn_ckpt_info *c, bool with_hashes,
                             char why[ADN_WHY])
{
    char *dir = adn_path_join(ckpt, c->name);
    if (dir == NULL) return no_memory(ckpt);
    adn_status st = adn_ckpt_inspect(dir, c->name, with_hashes, c, why);
    adn_free(dir);
    return st;
}

adn_status adn_ckpt_list(const char *run_dir, adn_ckpt_info **out, int *out_n)
{
    char *ckpt = adn_path_join(run_dir, "ckpt"), why[ADN_WHY], last[32] = "", best[32] = "";
    adn_ckpt_info *list = NULL;
    int n = 0;
    adn_status st;

    if (ckpt == NULL) return no_memory(run_dir);
    ADN_TRY(st, scan(ckpt, &list, &n), done);
    adn_ckpt_follow(ckpt, "last", last);
    adn_ckpt_follow(ckpt, "best", best);
    for (int i = 0; i < n; i++) {
        st = inspect_in(ckpt, &list[i], false, why);
        if (st == ADN_NOMEM) goto done;
        list[i].is_last = strcmp(list[i].name, last) == 0;
        list[i].is_best = strcmp(list[i].name, best) == 0;
    }
    st = ADN_OK;
    *out = list;
    *out_n = n;
done:
    if (st != ADN_OK) adn_free(list);
    adn_free(ckpt);
    return st;
}

adn_status adn_ckpt_newest(const char *run_dir, adn_ckpt_info *out)
{
    char why[ADN_WHY], *ckpt = adn_path_join(run_dir, "ckpt");
    adn_ckpt_info *list = NULL;
    int n = 0;
    adn_status st;

    if (ckpt == NULL) return no_memory(run_dir);
    ADN_TRY(st, adn_ckpt_list(run_dir, &list, &n), done);
    st = ADN_END;
    for (int i = n - 1; i >= 0 && st == ADN_END; i--) {
        adn_ckpt_info found = list[i];
        snprintf(why, sizeof(why), "cannot be read");
        adn_status seen = inspect_in(ckpt, &found, true, why);
        if (seen == ADN_BADCKPT || seen == ADN_IO) {
            adn_warn("checkpoint %s is passed over: %s", list[i].name, why);
            continue;
        }
        st = seen;
        if (st == ADN_OK) {
            found.is_last = list[i].is_last;
            found.is_best = list[i].is_best;
            *out = found;
        }
    }
done:
    adn_free(list);
    adn_free(ckpt);
    return st;
}
