/* Lines of comma-separated numbers, from structs and back. */
#include "store/csv.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

enum { MAX_FILE = 1 << 28 };

/* --- Writing */

size_t adn_csv_names(const adn_csv *t, char out[ADN_CSV_ROOM])
{
    size_t n = 0;

    for (int i = 0; i < t->n_column; i++)
        n += (size_t)snprintf(out + n, ADN_CSV_ROOM - n, "%s%s", i > 0 ? "," : "",
                              t->columns[i].name);
    n += (size_t)snprintf(out + n, ADN_CSV_ROOM - n, "\n");
    return n;
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

static int put_field(char *text, size_t room, const adn_csv_column *c, const char *row)
{
    int whole;
    int64_t count;
    double number;

    switch (c->kind) {
    case ADN_CSV_INT:
        memcpy(&whole, row + c->at, sizeof(whole));
        return snprintf(text, room, "%d", whole);
    case ADN_CSV_COUNT:
        memcpy(&count, row + c->at, sizeof(count));
        return snprintf(text, room, "%lld", (long long)count);
    case ADN_CSV_NUMBER:
        break;
    }
    memcpy(&number, row + c->at, sizeof(number));
    return isnan(number) ? 0 : put_number(text, room, number);
}

size_t adn_csv_line(const adn_csv *t, const void *row, char out[ADN_CSV_ROOM])
{
    size_t n = 0;

    for (int i = 0; i < t->n_column; i++) {
        if (i > 0) out[n++] = ',';
        n += (size_t)put_field(out + n, ADN_CSV_ROOM - n, &t->columns[i], row);
    }
    out[n++] = '\n';
    out[n] = '\0';
    return n;
}

/* --- Reading */

/* A whole number from 0 at `at`, which moves behind it. */
static bool take_whole(const char **at, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(*at, &end, 10);
    if (end == *at || errno != 0 || value < 0 || value > max) return false;
    *at = end;
    *out = value;
    return true;
}

/* A field's text into the row; at moves behind it. */
static bool take_field(const char **at, const adn_csv_column *c, bool may_be_empty, char *row)
{
    bool is_empty = **at == ',' || **at == '\0';
    int64_t count = 0;
    double number = NAN;
    char *end;

    if (c->kind == ADN_CSV_NUMBER) {
        if (!is_empty) {
            number = strtod(*at, &end);
            if (end == *at) return false;
            *at = end;
        }
        memcpy(row + c->at, &number, sizeof(number));
    } else {
        if (is_empty ? !may_be_empty
                     : !take_whole(at, c->kind == ADN_CSV_INT ? INT_MAX : INT64_MAX, &count))
            return false;
        int whole = (int)count;
        if (c->kind == ADN_CSV_INT)
            memcpy(row + c->at, &whole, sizeof(whole));
        else
            memcpy(row + c->at, &count, sizeof(count));
    }
    return **at == ',' || **at == '\0';
}

/* A line without its newline. */
static bool take_row(const adn_csv *t, const char *line, void *row)
{
    for (int i = 0; i < t->n_column; i++) {
        bool is_later = i >= t->n_first;
        if (!take_field(&line, &t->columns[i], is_later, row)) return false;
        if (*line == ',')
            line++; /* else the line has ended, and so it has for the columns behind: empty ones */
        else if (i + 1 < t->n_first)
            return false;
    }
    return true;
}

/* How many of our columns the first line names; 0: it is another file's. */
static int names_there(const adn_csv *t, const char *text)
{
    for (int i = 0; i < t->n_column; i++) {
        size_t n = strlen(t->columns[i].name);
        if (strncmp(text, t->columns[i].name, n) != 0) return 0;
        text += n;
        if (*text == '\n') return i + 1 >= t->n_first ? i + 1 : 0;
        if (*text++ != ',') return 0;
    }
    return t->n_column;
}

/* The file's text, its whole lines alone. */
static adn_status read_text(const adn_csv *t, const char *run_dir, char **out, size_t *out_n)
{
    char names[ADN_CSV_ROOM], *text, *path = adn_path_join(run_dir, t->file);

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", run_dir);
    adn_status st = adn_file_read(path, MAX_FILE, &text, out_n);
    if (st != ADN_OK) goto done;
    while (*out_n > 0 && text[*out_n - 1] != '\n') (*out_n)--;
    text[*out_n] = '\0';
    if (strlen(text) != *out_n) {
        st = ADN_FAIL(ADN_BADDATA, "%s: byte %zu: is zero, no text", path, strlen(text));
    } else if (names_there(t, text) == 0) {
        adn_csv_names(t, names);
        st = ADN_FAIL(ADN_BADDATA, "%s:1: does not start with the columns %.*s", path,
                      (int)strcspn(names, "\n"), names);
    }
    if (st == ADN_OK)
        *out = text;
    else
        adn_free(text);
done:
    adn_free(path);
    return st;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) n += *text == '\n';
    return n;
}

adn_status adn_csv_read(const adn_csv *t, const char *run_dir, void **out, int *out_n)
{
    char *text = NULL, *end, *rows = NULL;
    size_t n_text;
    int n = 0;
    adn_status st;

    ADN_TRY(st, read_text(t, run_dir, &text, &n_text), done);
    rows = adn_alloc(count_lines(text) * t->row_bytes);
    if (rows == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "%s/%s: no memory for its rows", run_dir, t->file);
        goto done;
    }
    for (char *line = strchr(text, '\n') + 1; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        if (!take_row(t, line, rows + (size_t)n++ * t->row_bytes)) {
            st = ADN_FAIL(ADN_BADDATA, "%s/%s:%d: is no row: %.80s", run_dir, t->file, n + 1, line);
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

/* --- The cut at a resume */

static int int_at(const adn_csv *t, int column, const char *row)
{
    int value;
    memcpy(&value, row + t->columns[column].at, sizeof(value));
    return value;
}

static bool stays(const adn_csv *t, const char *row, const int *epoch, int n)
{
    int whose = n > 0 ? int_at(t, 1, row) : 0;
    return (n == 0 || whose < n) && int_at(t, 0, row) <= epoch[whose];
}

/* A line of n characters with what it lacks of our columns, empty. Returns its length. */
static size_t put_line(const adn_csv *t, char *to, const char *line, size_t n)
{
    int n_column = 1;

    for (size_t i = 0; i < n; i++) n_column += line[i] == ',';
    memcpy(to, line, n);
    for (; n_column < t->n_column; n_column++) to[n++] = ',';
    to[n++] = '\n';
    return n;
}

/* The new text, into `to`; row: scratch. text is as it was when this returns. */
static size_t keep_lines(const adn_csv *t, char *text, const int *epoch, int n, char *row, char *to)
{
    bool has_all = names_there(t, text) == t->n_column; /* and perhaps those of later versions */
    char *line = strchr(text, '\n') + 1, *end;
    size_t n_to = has_all ? put_line(t, to, text, (size_t)(line - 1 - text)) : adn_csv_names(t, to);

    for (int number = 2; (end = strchr(line, '\n')) != NULL; line = end + 1, number++) {
        *end = '\0';
        bool is_row = take_row(t, line, row);
        if (!is_row) adn_warn("%s:%d: is no row, left out: %.80s", t->file, number, line);
        *end = '\n';
        if (is_row && stays(t, row, epoch, n))
            n_to += put_line(t, to + n_to, line, (size_t)(end - line));
    }
    return n_to;
}

adn_status adn_csv_cut(const adn_csv *t, const char *run_dir, const int *epoch, int n,
                       bool *out_is_replaced)
{
    char *text = NULL, *row = NULL, *kept = NULL, *path = adn_path_join(run_dir, t->file);
    size_t n_text, n_kept;
    adn_status st = ADN_NOMEM;

    *out_is_replaced = false;
    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", run_dir);
    ADN_TRY(st, read_text(t, run_dir, &text, &n_text), done);
    row = adn_alloc(t->row_bytes);
    kept = adn_alloc(ADN_CSV_ROOM + n_text + count_lines(text) * (size_t)t->n_column);
    if (row == NULL || kept == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "%s: no memory for its rows", path);
        goto done;
    }
    n_kept = keep_lines(t, text, epoch, n, row, kept);
    if (n_kept == n_text && memcmp(kept, text, n_kept) == 0) goto done;
    *out_is_replaced = true;
    st = adn_file_write(path, kept, n_kept);
done:
    adn_free(kept);
    adn_free(row);
    adn_free(text);
    adn_free(path);
    return st;
}
