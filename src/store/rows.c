/* epochs.csv, a row a block and epoch, and edges.csv, a row an edge and epoch. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "store/rundir_private.h"

#define COLUMN(row, kind, field)                                                                   \
    {                                                                                              \
#field, ADN_CSV_##kind, offsetof(row, field)                                               \
    }
#define EPOCHS(kind, field) COLUMN(adn_epoch_row, kind, field)
#define EDGES(kind, field)  COLUMN(adn_edge_row, kind, field)

/* Columns are appended here, never moved. */
static const adn_csv_column epoch_columns[] = {
    EPOCHS(INT, epoch),         EPOCHS(INT, block),        EPOCHS(COUNT, steps),
    EPOCHS(COUNT, samples),     EPOCHS(NUMBER, lr),        EPOCHS(NUMBER, train_loss),
    EPOCHS(NUMBER, train_top1), EPOCHS(NUMBER, test_loss), EPOCHS(NUMBER, test_top1),
    EPOCHS(NUMBER, img_s),      EPOCHS(NUMBER, wait_in),   EPOCHS(NUMBER, wait_out),
    EPOCHS(NUMBER, seconds),    EPOCHS(COUNT, reread),     EPOCHS(NUMBER, span_s),
    EPOCHS(NUMBER, busy),
};
static const adn_csv_column edge_columns[] = {
    EDGES(INT, epoch),          EDGES(INT, edge),         EDGES(COUNT, pushed),
    EDGES(COUNT, pulled),       EDGES(COUNT, dropped),    EDGES(COUNT, reused),
    EDGES(NUMBER, starved_s),   EDGES(NUMBER, occupancy), EDGES(COUNT, age_p50),
    EDGES(COUNT, age_p99),      EDGES(COUNT, age_max),    EDGES(COUNT, bytes),
    EDGES(NUMBER, codec_error), EDGES(COUNT, lost),       EDGES(NUMBER, age_mean),
};

const adn_csv adn_run_tables[ADN_N_TABLE] = {
    [ADN_TABLE_EPOCHS] = {"epochs.csv", epoch_columns, (int)ADN_COUNT(epoch_columns), 13,
                          sizeof(adn_epoch_row)},
    [ADN_TABLE_EDGES] = {"edges.csv", edge_columns, (int)ADN_COUNT(edge_columns),
                         (int)ADN_COUNT(edge_columns), sizeof(adn_edge_row)},
};

static adn_status append(adn_rundir *r, adn_run_table table, const void *row)
{
    char line[ADN_CSV_ROOM];
    const adn_csv *t = &adn_run_tables[table];
    size_t n = adn_csv_line(t, row, line);

    pthread_mutex_lock(&r->mutex);
    adn_status st = adn_lines_append(r->table_fds[table], t->file, line, n, true);
    pthread_mutex_unlock(&r->mutex);
    return st;
}

adn_status adn_rundir_row(adn_rundir *r, const adn_epoch_row *row)
{
    return append(r, ADN_TABLE_EPOCHS, row);
}

adn_status adn_rundir_edge_row(adn_rundir *r, const adn_edge_row *row)
{
    return append(r, ADN_TABLE_EDGES, row);
}

adn_status adn_rows_read(const char *run_dir, adn_epoch_row **out, int *out_n)
{
    void *rows;
    adn_status st = adn_csv_read(&adn_run_tables[ADN_TABLE_EPOCHS], run_dir, &rows, out_n);
    if (st == ADN_OK) *out = rows;
    return st;
}

adn_status adn_edge_rows_read(const char *run_dir, adn_edge_row **out, int *out_n)
{
    const adn_csv *t = &adn_run_tables[ADN_TABLE_EDGES];
    void *rows = NULL;
    char *path = adn_path_join(run_dir, t->file);

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", run_dir);
    bool is_there = adn_path_exists(path);
    adn_free(path);
    if (!is_there) *out_n = 0;
    adn_status st = is_there ? adn_csv_read(t, run_dir, &rows, out_n) : ADN_OK;
    if (st == ADN_OK) *out = rows;
    return st;
}

/* Locked. */
static adn_status cut_table(adn_rundir *r, adn_run_table table, const int *epoch, int n_block)
{
    const adn_csv *t = &adn_run_tables[table];
    bool is_replaced;
    char *path = adn_path_join(r->path, t->file);

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", r->path);
    adn_status st = adn_csv_cut(t, r->path, epoch, n_block, &is_replaced);
    if (is_replaced) {
        close(r->table_fds[table]); /* of the file before, most likely so even if it failed */
        r->table_fds[table] = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
        if (r->table_fds[table] < 0 && st == ADN_OK)
            st = ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", path, strerror(errno));
    }
    adn_free(path);
    return st;
}

/* n_block 0: epoch[0] counts for every block. Of two files a kill may leave one uncut; the next
 * resume, from the same checkpoint or an older one, cuts it. */
static adn_status cut(adn_rundir *r, const int *epoch, int n_block)
{
    adn_status st = ADN_OK;

    pthread_mutex_lock(&r->mutex);
    for (int i = 0; i < ADN_N_TABLE && st == ADN_OK; i++)
        st = cut_table(r, (adn_run_table)i, epoch, n_block);
    pthread_mutex_unlock(&r->mutex);
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
