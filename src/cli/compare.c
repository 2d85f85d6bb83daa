/* Reads runs to compare: their resolved configs, their rows. */
#include "cli/compare.h"

#include <math.h>
#include <string.h>

#include "cli/summary.h"
#include "core/file.h"
#include "store/store.h"

/* --- Settings. The resolved config is read and not the given one: defaults may differ between
 * versions, and `auto` between machines. */

static adn_status read_settings(const char *dir, char **out)
{
    adn_config *conf = NULL;
    char *path = adn_path_join(dir, "config.resolved.yaml");
    adn_status st;

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", dir);
    ADN_TRY(st, adn_config_load(path, NULL, 0, &conf), done);
    st = adn_config_settings(conf, out);
done:
    adn_config_free(conf);
    adn_free(path);
    return st;
}

/* The line "key = value" at `at`, cut in two in place; at moves to the next. False at the end. */
static bool take_line(char **at, const char **key, const char **value)
{
    char *line = *at, *equals = strstr(line, " = "), *end = strchr(line, '\n');

    if (equals == NULL || end == NULL) return false;
    *equals = *end = '\0';
    *key = line;
    *value = equals + 3;
    *at = end + 1;
    return true;
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static size_t count_lines(const adn_compared *runs, int n)
{
    size_t n_line = 0;
    for (int i = 0; i < n; i++)
        for (const char *c = runs[i].settings; *c != '\0'; c++) n_line += *c == '\n';
    return n_line;
}

adn_status adn_compared_settings(const adn_compared *runs, int n, adn_difference **out, int *out_n)
{
    char *at[ADN_CLI_MAX_WORDS];
    const char *keys[ADN_CLI_MAX_WORDS] = {NULL}, *values[ADN_CLI_MAX_WORDS];
    adn_difference *list = adn_alloc(count_lines(runs, n) * sizeof(*list));

    if (list == NULL) return ADN_FAIL(ADN_NOMEM, "compare: no memory for the settings");
    *out_n = 0;
    for (int i = 0; i < n; i++) {
        at[i] = runs[i].settings;
        take_line(&at[i], &keys[i], &values[i]);
    }
    for (;;) { /* a merge of sorted lists */
        adn_difference d = {.key = NULL};
        bool is_difference = false;
        for (int i = 0; i < n; i++)
            if (keys[i] != NULL && (d.key == NULL || strcmp(keys[i], d.key) < 0)) d.key = keys[i];
        if (d.key == NULL) break;
        for (int i = 0; i < n; i++) {
            if (keys[i] != NULL && strcmp(keys[i], d.key) == 0) d.values[i] = values[i];
            if (!is_same(d.values[i], d.values[0])) is_difference = true;
        }
        for (int i = 0; i < n; i++)
            if (d.values[i] != NULL && !take_line(&at[i], &keys[i], &values[i])) keys[i] = NULL;
        if (is_difference) list[(*out_n)++] = d;
    }
    *out = list;
    return ADN_OK;
}

/* --- Rows */

static double mean_test_top1(const adn_epoch_row *rows, int n, int block)
{
    double sum = 0;
    int n_test = 0;

    for (int i = n - 1; i >= 0 && n_test < ADN_MEAN_OF; i--)
        if (rows[i].block == block && isfinite(rows[i].test_top1)) {
            sum += rows[i].test_top1;
            n_test++;
        }
    return n_test > 0 ? sum / n_test : NAN;
}

static adn_status read_blocks(const char *dir, adn_compared *run)
{
    adn_epoch_row *rows = NULL;
    int n = 0;
    adn_status st = adn_rows_read(dir, &rows, &n);

    if (st != ADN_OK) return st;
    run->n_block = adn_summary_last(rows, n, run->last);
    for (int j = 0; j < run->n_block; j++) run->test_top1_mean[j] = mean_test_top1(rows, n, j);
    adn_free(rows);
    return ADN_OK;
}

adn_status adn_compared_read(const char *run, adn_compared *out)
{
    char *dir = NULL;
    adn_status st = adn_cli_find_run(run, &dir);

    out->name = run;
    if (st == ADN_OK) st = read_settings(dir, &out->settings);
    if (st == ADN_OK) st = read_blocks(dir, out);
    if (st == ADN_OK) st = adn_edge_totals_read(dir, &out->edges, &out->n_edge);
    adn_free(dir);
    return st;
}

void adn_compared_clear(adn_compared *run)
{
    adn_free(run->settings);
    adn_free(run->edges);
    *run = (adn_compared){0};
}
