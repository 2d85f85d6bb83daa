/* Inside of src/store only: an open run directory, for rundir.c, which opens it, given.c, lines.c
 * and rows.c. */
#ifndef ADN_RUNDIR_PRIVATE_H
#define ADN_RUNDIR_PRIVATE_H

#include <pthread.h>

#include "store/csv.h"
#include "store/rundir.h"

typedef enum adn_run_table { ADN_TABLE_EPOCHS, ADN_TABLE_EDGES, ADN_N_TABLE } adn_run_table;
extern const adn_csv adn_run_tables[ADN_N_TABLE];

struct adn_rundir {
    char *path;
    adn_run_state state;
    int lock_fd, log_fd, table_fds[ADN_N_TABLE], events_fd; /* -1: not open */
    pthread_mutex_t mutex; /* status, rows and events come from any thread */
};

#define ADN_GIVEN_FILE "config.given"

/* ADN_BADCONF with the differing lines logged, where dir's stored configuration is another. */
adn_status adn_given_compare(const char *dir, const char *given) ADN_MUST_USE;

/* An append-only text file: its torn last line is cut, its first line written where it is empty
 * (NULL: none). */
adn_status adn_lines_open(const char *dir, const char *name, const char *first_line,
                          int *out_fd) ADN_MUST_USE;
/* A whole line, its newline included, or none of it. */
adn_status adn_lines_append(int fd, const char *what, const char *line, size_t n,
                            bool with_sync) ADN_MUST_USE;

#endif
