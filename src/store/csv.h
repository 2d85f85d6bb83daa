/* The tables of a run's folder, epochs.csv and edges.csv: a line of names, then a row a line. One
 * description of the columns serves writing, reading and the cut at a resume. Inside of src/store
 * only. */
#ifndef ADN_CSV_H
#define ADN_CSV_H

#include "core/core.h"

typedef enum adn_csv_kind {
    ADN_CSV_INT,   /* int, from 0 */
    ADN_CSV_COUNT, /* int64_t, from 0 */
    ADN_CSV_NUMBER /* double; NaN is an empty field */
} adn_csv_kind;
typedef struct adn_csv_column {
    const char *name;
    adn_csv_kind kind;
    size_t at; /* in the row's struct */
} adn_csv_column;
typedef struct adn_csv {
    const char *file;
    const adn_csv_column *columns; /* the first two, ints: the epoch, and whose row it is */
    int n_column;
    int n_first; /* columns of its first version. Rows of older files may end behind any from there
                    on: the rest is 0 or NaN */
    size_t row_bytes;
} adn_csv;
enum { ADN_CSV_ROOM = 512 }; /* a line: 15 columns of at most 25 characters or of short names */

/* The line of names; a row's line. Both with a newline and a 0; its length without the 0. */
size_t adn_csv_names(const adn_csv *t, char out[ADN_CSV_ROOM]);
size_t adn_csv_line(const adn_csv *t, const void *row, char out[ADN_CSV_ROOM]);

/* Torn last line skipped, columns of later versions passed over. ADN_BADDATA with the line. Gives
 * rows (adn_free). */
adn_status adn_csv_read(const adn_csv *t, const char *run_dir, void **out, int *out_n) ADN_MUST_USE;
/* Keeps the rows of epochs <= epoch[whose]; n 0: <= epoch[0], whosever. Lines that are no rows go,
 * with a warning; columns that the file lacks are added, empty. Replaces the file atomically, and
 * only where something changes. */
adn_status adn_csv_cut(const adn_csv *t, const char *run_dir, const int *epoch, int n,
                       bool *out_is_replaced) ADN_MUST_USE;

#endif
