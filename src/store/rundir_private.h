/* Inside of src/store only: an open run directory, for rundir.c, which opens it, given.c, lines.c
 * and rows.c. */
#ifndef ADN_RUNDIR_PRIVATE_H
#define ADN_RUNDIR_PRIVATE_H

#include <pthread.h>

#include "store/rundir.h"

struct adn_rundir {
    char *path;
    adn_run_state state;
    int lock_fd, log_fd, rows_fd, events_fd; /* -1: not open */
    pthread_mutex_t mutex;                   /* status, rows and events come from any thread */
};

#define ADN_ROWS_FILE "epochs.csv"
#define ADN_ROWS_HEADER                                                                            \
    "epoch,block,steps,samples,lr,train_loss,train_top1,test_loss,test_top1,"                      \
    "img_s,wait_in,wait_out,seconds"

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
