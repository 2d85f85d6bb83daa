/* epochs.csv: a row a block and epoch. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "store/rundir_private.h"

enum { N_DOUBLE = 9, ROW_ROOM = 512, MAX_ROWS_FILE = 1 << 28 };

/* The numbers of a row, in the order of the columns behind samples. */
static double *column(adn_epoch_row *row, int i)
{
    double *const at[N_DOUBLE] = {&row->lr,        &row->train_loss, &row->train_top1,
                                  &row->test_loss, &row->test_top1,  &row->img_s,
                                  &row->wait_in,   &row->wait_out,   &row->seconds};
    return at[i];
}

/* The shortest text that reads back as the same number. */
static int put_number(char *text, size_t room, double value)
{
    int n = 0;
    for (int digits = 6; digits <= 17; digits++) {
        n = snprintf(text, room, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    return n;
}

adn_status adn_rundir_row(adn_rundir *r, const adn_epoch_row *row)
{
    adn_epoch_row copy = *row;
    char line[ROW_ROOM];
    int n = snprintf(line, sizeof(line), "%d,%d,%lld,%lld", row->epoch, row->block,
                     (long long)row->steps, (long long)row->samples);

    for (int i = 0; i < N_DOUBLE; i++) {
        double value = *column(&copy, i);
        line[n++] = ',';
        if (!isnan(value)) n += put_number(line + n, sizeof(line) - (size_t)n, value);
    }
    line[n++] =
        '\n'; /* 4 integers and 9 numbers of at most 25 characters: far from the room's end */
    pthread_mutex_lock(&r->mutex);
    adn_status st = adn_lines_append(r->rows_fd, ADN_ROWS_FILE, line, (size_t)n, true);
    pthread_mutex_unlock(&r->mutex);
    return st;
}

/* One field of a line: an integer. at moves behind it and its comma. */
static bool take_int(const char **at, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(*at, &end, 10);
    if (end == *at || errno != 0 || value < 0 || value > max || *end != ',') return false;
    *at = end + 1;
    *out = value;
    return true;
}

static bool take_number(const char **at, double *out)
{
    char *end = NULL;
    *out = NAN;
    if (**at != ',' && **at != '\0') {
        *out = strtod(*at, &end);
        if (end == *at) return false;
        *at = end;
    }
    if (**at == '\0') return true;
    return *(*at)++ == ',';
}

/* A line without its newline. */
static bool take_row(const char *line, adn_epoch_row *row)
{
    int64_t epoch, block;

    if (!take_int(&line, INT32_MAX, &epoch) || !take_int(&line, INT32_MAX, &block) ||
        !take_int(&line, INT64_MAX, &row->steps) || !take_int(&line, INT64_MAX, &row->samples))
        return false;
    row->epoch = (int)epoch;
    row->block = (int)block;
    for (int i = 0; i < N_DOUBLE; i++) {
        if (i > 0 && line[-1] != ',') return false; /* the line ended a field before */
        if (!take_number(&line, column(row, i))) return false;
    }
    return true;
}

/* The file's text; out_n: bytes of whole lines. */
static adn_status read_text(const char *run_dir, char **out, size_t *out_n)
{
    static const char header[] = ADN_ROWS_HEADER;
    char *text, *path = adn_path_join(run_dir, ADN_ROWS_FILE);

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", run_dir);
    adn_status st = adn_file_read(path, MAX_ROWS_FILE, &text, out_n);
    if (st != ADN_OK) goto done;
    while (*out_n > 0 && text[*out_n - 1] != '\n') (*out_n)--;
    text[*out_n] = '\0';
    if (strlen(text) != *out_n) {
        st = ADN_FAIL(ADN_BADDATA, "%s: byte %zu: is zero, no text", path, strlen(text));
        adn_free(text);
        goto done;
    }
    char after = strncmp(text, header, sizeof(header) - 1) == 0 ? text[sizeof(header) - 1] : '\0';
    if (after != '\n' && after != ',') {
        st = ADN_FAIL(ADN_BADDATA, "%s:1: does not start with the columns %s", path, header);
        adn_free(text);
        goto done;
    }
    *out = text;
done:
    adn_free(path);
    return st;
}

adn_status adn_rows_read(const char *run_dir, adn_epoch_row **out, int *out_n)
{
    char *text = NULL, *end;
    size_t n_text, n_line = 0;
    int n = 0;
    adn_epoch_row *rows = NULL;
    adn_status st;

    ADN_TRY(st, read_text(run_dir, &text, &n_text), done);
    for (size_t i = 0; i < n_text; i++) n_line += text[i] == '\n';
    rows = adn_alloc(n_line * sizeof(*rows));
    if (rows == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "%s: no memory for %zu rows", run_dir, n_line);
        goto done;
    }
    for (char *line = strchr(text, '\n') + 1; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        if (!take_row(line, &rows[n++])) {
            st = ADN_FAIL(ADN_BADDATA, "%s/%s:%d: is no row: %.80s", run_dir, ADN_ROWS_FILE, n + 1,
                          line);
            goto done;
        }
    }
    *out = rows;
    *out_n = n;
done:
    if (st != ADN_OK) adn_free(rows);
    adn_free(text);
    return st;
}

/* Moves the lines that stay to the front of text. n_block 0: epoch[0] counts for every block. */
static size_t keep_rows(char *text, const int *epoch, int n_block)
{
    char *line = strchr(text, '\n') + 1, *to = line, *end;
    adn_epoch_row row;

    for (int number = 2; (end = strchr(line, '\n')) != NULL; line = end + 1, number++) {
        *end = '\0';
        bool is_row = take_row(line, &row);
        if (!is_row) adn_warn("%s:%d: is no row, left out: %.80s", ADN_ROWS_FILE, number, line);
        *end = '\n';
        if (!is_row || (n_block > 0 && row.block >= n_block)) continue;
        if (row.epoch > epoch[n_block > 0 ? row.block : 0]) continue;
        memmove(to, line, (size_t)(end + 1 - line));
        to += end + 1 - line;
    }
    return (size_t)(to - text);
}

static adn_status cut(adn_rundir *r, const int *epoch, int n_block)
{
    adn_status st = ADN_NOMEM;
    char *text = NULL, *path = adn_path_join(r->path, ADN_ROWS_FILE);
    size_t n, n_kept;

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", r->path);
    pthread_mutex_lock(&r->mutex);
    ADN_TRY(st, read_text(r->path, &text, &n), done);
    n_kept = keep_rows(text, epoch, n_block);
    if (n_kept == n) goto done;
    st = adn_file_write(path, text, n_kept);
    close(r->rows_fd); /* of the file that is replaced now, most likely so even if it failed */
    r->rows_fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    if (r->rows_fd < 0 && st == ADN_OK)
        st = ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", path, strerror(errno));
done:
    pthread_mutex_unlock(&r->mutex);
    adn_free(text);
    adn_free(path);
    return st;
}

adn_status adn_rundir_cut_rows(adn_rundir *r, int epoch)
{
    return cut(r, &epoch, 0);
}

adn_status adn_rundir_cut_block_rows(adn_rundir *r, const int *epoch, int n_block)
{
    return n_block > 0 ? cut(r, epoch, n_block) : ADN_OK;
}
