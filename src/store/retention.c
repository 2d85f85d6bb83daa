/* Which checkpoints stay, and the links `last` and `best`. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "store/folder.h"
#include "store/order.h"

bool adn_ckpt_follow(const char *ckpt, const char *link, char out[32])
{
    int epoch, batch;
    char path[PATH_MAX];
    int n_path = snprintf(path, sizeof(path), "%s/%s", ckpt, link);
    ssize_t n = n_path < PATH_MAX ? readlink(path, out, 31) : -1;

    out[n > 0 ? n : 0] = '\0';
    bool is_ours = adn_ckpt_parse(out, &epoch, &batch);
    if (!is_ours) out[0] = '\0';
    return is_ours;
}

/* ckpt/<link> points to name: a new link under another name, renamed over the old one. NULL: to
 * none. */
static adn_status point(const char *ckpt, const char *link, const char *name)
{
    adn_status st = ADN_NOMEM;
    char was[32], *path = adn_path_join(ckpt, link), *tmp = adn_format("%s/.%s.tmp", ckpt, link);

    if (path == NULL || tmp == NULL) {
        ADN_FAIL(ADN_NOMEM, "%s: no memory", ckpt);
        goto done;
    }
    st = ADN_OK;
    bool is_there = adn_ckpt_follow(ckpt, link, was);
    if (name == NULL && is_there) unlink(path);
    if (name == NULL || (is_there && strcmp(was, name) == 0)) goto done;
    if (adn_path_exists(tmp)) unlink(tmp);
    if (symlink(name, tmp) != 0 || rename(tmp, path) != 0) {
        st = ADN_FAIL(ADN_IO, "%s: cannot be made to point to %s: %s", path, name, strerror(errno));
        unlink(tmp);
        goto done;
    }
    st = adn_dir_sync(ckpt);
done:
    adn_free(tmp);
    adn_free(path);
    return st;
}

/* Out of sight by one rename, so that no half of it is ever listed; then away. */
static adn_status drop(const char *ckpt, const char *name)
{
    adn_status st = ADN_NOMEM;
    char *dir = adn_path_join(ckpt, name), *gone = adn_format("%s/.%s.gone.tmp", ckpt, name);

    if (dir == NULL || gone == NULL)
        ADN_FAIL(ADN_NOMEM, "%s: no memory", ckpt);
    else if (rename(dir, gone) != 0)
        st = ADN_FAIL(ADN_IO, "%s: cannot be renamed: %s", dir, strerror(errno));
    else
        st = adn_dir_remove(gone);
    adn_free(gone);
    adn_free(dir);
    return st;
}

/* The whole checkpoint of the highest score that is not picked yet, the newest among equals; -1:
 * none. */
static int pick_best(const adn_ckpt_info *list, int n, const bool *is_picked)
{
    int best = -1;
    for (int i = 0; i < n; i++)
        if (list[i].is_whole && !isnan(list[i].score) && !is_picked[i] &&
            (best < 0 || list[i].score >= list[best].score))
            best = i;
    return best;
}

/* Marks what stays, in the order of the list: by the two counts, and the checkpoint after source
 * step order_step, where `adonis replay` begins (0: at no checkpoint). Returns the best of them,
 * -1: none has a score. */
static int mark_kept(const adn_ckpt_info *list, int n, int keep_last, int keep_best,
                     int64_t order_step, bool *is_kept, bool *is_picked)
{
    int left = ADN_MAX(keep_last, 1), best;

    for (int i = n - 1; i >= 0 && left > 0; i--)
        if (list[i].is_whole) is_kept[i] = true, left--;
    for (left = keep_best; left > 0 && (best = pick_best(list, n, is_picked)) >= 0; left--)
        is_picked[best] = is_kept[best] = true;
    for (int i = 0; i < n; i++) {
        if (order_step > 0 && list[i].step == order_step) is_kept[i] = true;
        is_picked[i] = !is_kept[i];
    }
    return pick_best(list, n, is_picked);
}

/* What is newer than base counts only if its hashes agree. */
static adn_status doubt_newer(const char *ckpt, const char *base, adn_ckpt_info *list, int n)
{
    char why[ADN_WHY];
    adn_ckpt_info seen;

    for (int i = n - 1; i >= 0 && strcmp(list[i].name, base) != 0; i--) {
        if (!list[i].is_whole) continue;
        char *dir = adn_path_join(ckpt, list[i].name);
        if (dir == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", ckpt);
        adn_status st = adn_ckpt_inspect(dir, list[i].name, true, &seen, why);
        adn_free(dir);
        if (st == ADN_NOMEM) return st;
        list[i].is_whole = st == ADN_OK;
    }
    return ADN_OK;
}

adn_status adn_ckpt_settle(const char *run_dir, const char *base, int keep_last, int keep_best)
{
    adn_status st = ADN_NOMEM;
    adn_ckpt_info *list = NULL;
    int n = 0, last = -1;
    int64_t order_step = 0;
    bool *marks = NULL;
    char *ckpt = adn_path_join(run_dir, "ckpt");

    if (ckpt == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", run_dir);
    ADN_TRY(st, adn_ckpt_list(run_dir, &list, &n), done);
    ADN_TRY(st, doubt_newer(ckpt, base, list, n), done);
    st = adn_order_newest(run_dir, NULL, &order_step);
    if (st != ADN_OK && st != ADN_END) goto done;
    marks = adn_alloc(2 * (size_t)n * sizeof(*marks));
    if (marks == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "%s: no memory", ckpt);
        goto done;
    }
    bool *is_kept = marks;
    int best = mark_kept(list, n, keep_last, keep_best, order_step, is_kept, marks + n);
    for (int i = 0; i < n; i++)
        if (list[i].is_whole) last = i;
    if (last >= 0) ADN_TRY(st, point(ckpt, "last", list[last].name), done);
    ADN_TRY(st, point(ckpt, "best", best >= 0 ? list[best].name : NULL), done);
    for (int i = 0; i < n; i++)
        if (list[i].is_whole && !is_kept[i]) ADN_TRY(st, drop(ckpt, list[i].name), done);
done:
    adn_free(marks);
    adn_free(list);
    adn_free(ckpt);
    return st;
}
