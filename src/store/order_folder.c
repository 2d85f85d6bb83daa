/* Which of a run's order files is which. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/order.h"

static adn_status no_memory(const char *path)
{
    return ADN_FAIL(ADN_NOMEM, "%s: no memory for the order of events", path);
}

char *adn_order_path(const char *run_dir, int64_t first_step)
{
    if (first_step == 0) return adn_format("%s/order.bin", run_dir);
    return adn_format("%s/order-%lld.bin", run_dir, (long long)first_step);
}

/* True for the names that adn_order_path gives. */
static bool parse_name(const char *name, int64_t *out_first_step)
{
    char *end;

    *out_first_step = 0;
    if (strcmp(name, "order.bin") == 0) return true;
    if (strncmp(name, "order-", 6) != 0 || name[6] < '1' || name[6] > '9') return false;
    errno = 0;
    *out_first_step = strtoll(name + 6, &end, 10);
    return errno == 0 && strcmp(end, ".bin") == 0;
}

adn_status adn_order_newest(const char *run_dir, char **out_path, int64_t *out_first_step)
{
    int64_t newest = -1, first_step;
    struct dirent *e;
    DIR *d = opendir(run_dir);

    if (d == NULL) return ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", run_dir, strerror(errno));
    while ((e = readdir(d)) != NULL)
        if (parse_name(e->d_name, &first_step)) newest = ADN_MAX(newest, first_step);
    closedir(d);
    if (newest < 0) return ADN_END;
    if (out_path != NULL) {
        char *path = adn_order_path(run_dir, newest);
        if (path == NULL) return no_memory(run_dir);
        *out_path = path;
    }
    *out_first_step = newest;
    return ADN_OK;
}

static adn_status remove_order(const char *run_dir, int64_t first_step)
{
    adn_status st = ADN_OK;
    char *path = adn_order_path(run_dir, first_step);

    if (path == NULL) return no_memory(run_dir);
    if (unlink(path) != 0)
        st = ADN_FAIL(ADN_IO, "%s: cannot be removed: %s", path, strerror(errno));
    adn_free(path);
    return st;
}

adn_status adn_order_begin(const char *run_dir, int n_block, int64_t first_step, adn_order **out)
{
    int64_t newest;
    adn_status st;

    while ((st = adn_order_newest(run_dir, NULL, &newest)) == ADN_OK && newest > first_step) {
        st = remove_order(run_dir, newest);
        if (st != ADN_OK) return st;
    }
    if (st != ADN_OK && st != ADN_END) return st;
    char *path = adn_order_path(run_dir, first_step);
    if (path == NULL) return no_memory(run_dir);
    st = adn_order_create(path, n_block, first_step, out);
    adn_free(path);
    return st;
}
