/* The run directory: <runs>/<name>/. One process holds it; append-only files survive
 * a kill at any byte. Rows, events and status may come from any thread. */
#ifndef ADN_RUNDIR_H
#define ADN_RUNDIR_H

#include "adonis/train.h"
#include "core/core.h"

typedef enum adn_run_state { ADN_RUN_NEW, ADN_RUN_UNFINISHED, ADN_RUN_FINISHED } adn_run_state;
typedef struct adn_rundir adn_rundir;
typedef struct adn_rundir_conf {
    const char *runs, *name;
    const char *given;       /* adn_config_given: compared with the stored one, config.given */
    const char *config_path; /* copied as config.yaml; NULL: none */
    const char *resolved;    /* config.resolved.yaml */
    const char *command;     /* command.txt */
    const char *env_json;    /* env.json */
    const char *plan_json;   /* plan.json */
    bool fresh_suffix;       /* --new: name-2, name-3, ... */
    bool never_resume;       /* --resume never */
} adn_rundir_conf;
/* Makes the folder under a temporary name and renames it, or opens the one that is there: cuts torn
 * last lines and cleans its checkpoints' leftovers; what is stored stays as it is. Holds a lock
 * file while open (flock): a second process on the same run is refused with its pid, ADN_USAGE.
 * Another config under an existing name: ADN_BADCONF and the differing lines are logged ("-
 * data.batch = 128" / "+ data.batch = 64"). never_resume and unfinished: ADN_USAGE. */
adn_status adn_rundir_open(const adn_rundir_conf *conf, adn_rundir **out) ADN_MUST_USE;
void adn_rundir_close(adn_rundir *r); /* takes NULL; the log's tee is taken off before */
const char *adn_rundir_path(const adn_rundir *r);
adn_run_state adn_rundir_state(const adn_rundir *r); /* as it was when opened, from status.json */
int adn_rundir_log_fd(const adn_rundir *r);          /* log.txt, append */
/* status.json, replaced atomically. state: running | stopped | finished | failed | diverged.
 * blocks_json: an array, written as it is; NULL: none */
adn_status adn_rundir_status(adn_rundir *r, const char *state,
                             const char *blocks_json) ADN_MUST_USE;

/* Rows of epochs.csv and edges.csv (adonis/train.h); NaN is an empty field. Appended, one write,
 * synced. */
adn_status adn_rundir_row(adn_rundir *r, const adn_epoch_row *row) ADN_MUST_USE;
adn_status adn_rundir_edge_row(adn_rundir *r, const adn_edge_row *row) ADN_MUST_USE;
/* Reads the rows (torn last line skipped; later columns passed over; what an older file lacks is 0
 * or NaN). A run of before edges.csv has no rows of edges. Gives rows (adn_free; NULL where there
 * are none and no file). */
adn_status adn_rows_read(const char *run_dir, adn_epoch_row **out, int *out_n) ADN_MUST_USE;
adn_status adn_edge_rows_read(const char *run_dir, adn_edge_row **out, int *out_n) ADN_MUST_USE;
/* At resume: keeps the rows of epochs <= epoch, drops the rest; each file atomically. Columns that
 * an older file lacks are added, empty, so that names and fields agree in what follows. */
adn_status adn_rundir_cut_rows(adn_rundir *r, int epoch) ADN_MUST_USE;
/* The same where blocks have clocks of their own: keeps the rows of block j, and of the edge into
 * it, of epochs <= epoch[j]; epoch: [n_block]. */
adn_status adn_rundir_cut_block_rows(adn_rundir *r, const int *epoch, int n_block) ADN_MUST_USE;
/* One line of events.jsonl (versioned by its first line, {"version": 1}): json is an object without
 * newline. */
adn_status adn_rundir_event(adn_rundir *r, const char *json) ADN_MUST_USE;

#endif
