/* What lives on disk: safetensors files, checkpoints, the run directory. */
#ifndef ADN_STORE_H
#define ADN_STORE_H

#include <stdio.h>

#include "core/core.h"

/* --- safetensors.c: product.md, Formats. Little-endian, data from a multiple of 64. */
typedef enum adn_st_type { ADN_ST_F32, ADN_ST_F64, ADN_ST_I64 } adn_st_type;
enum { ADN_ST_DIMS = 4 };
typedef struct adn_st_tensor {
    const char *name;
    adn_st_type type;
    int n_dim;
    int64_t dim[ADN_ST_DIMS];
    void *data; /* written: borrowed for the call. read: inside the file's memory, 64-byte aligned start */
} adn_st_tensor;
typedef struct adn_st_meta {
    const char *key, *value;
} adn_st_meta;

/* Writes through adn_file_write (atomic). The same tensors and metadata are the same bytes. */
adn_status adn_st_write(const char *path, const adn_st_tensor *tensors, int n_tensor,
                        const adn_st_meta *meta, int n_meta) ADN_MUST_USE;
typedef struct adn_st_file {
    adn_st_tensor *tensors; /* in the order of their offsets */
    int n_tensor;
    adn_st_meta *meta;
    int n_meta;
    void *owned;
} adn_st_file;
/* Verifies everything in one pass before anything is used. ADN_BADCKPT with path and byte offset. */
adn_status adn_st_read(const char *path, adn_st_file *out) ADN_MUST_USE;
void adn_st_clear(adn_st_file *f);
const adn_st_tensor *adn_st_find(const adn_st_file *f, const char *name); /* NULL: not there */

/* --- checkpoint.c: <run>/ckpt/e0012-b0000/{block0.safetensors, block0.optim.safetensors, ..., manifest.json}.
 * A save is made in a folder ckpt/.<name>.tmp; block files may be written by several threads; the manifest
 * (sizes, SHA-256 of each file, position, block count) is written last, then the folder is renamed and
 * `last` (and `best`) replaced atomically. A folder without a whole manifest is never picked. */
typedef struct adn_ckpt_info {
    char name[32];       /* e0012-b0000: after epoch 12, batch 0 of the next */
    int epoch, batch;    /* epochs finished by the source, batches of the next already learned */
    int64_t step;        /* source steps finished */
    int n_block;
    double score;        /* last block's test top-1 in percent; NaN: not measured */
    bool is_whole;       /* manifest present and well-formed, files there with its sizes */
} adn_ckpt_info;

adn_status adn_ckpt_begin(const char *run_dir, const adn_ckpt_info *info, char **out_dir) ADN_MUST_USE;
/* Finishes: manifest, syncs, rename, links, then removes what keep_last and keep_best let go (never the last
 * whole one; best ranks by score, newest first among equals). Free space ran out: ADN_IO, the temporary folder is removed. */
adn_status adn_ckpt_commit(const char *run_dir, const char *dir, const adn_ckpt_info *info, int keep_last,
                           int keep_best) ADN_MUST_USE;
void adn_ckpt_abandon(const char *dir); /* removes the temporary folder */
/* The checkpoints of a run, oldest first; a damaged one has is_whole false. Gives list (adn_free). */
adn_status adn_ckpt_list(const char *run_dir, adn_ckpt_info **out, int *out_n) ADN_MUST_USE;
/* The newest whole one, or ADN_END when there is none; damaged newer ones are passed over with a warning. */
adn_status adn_ckpt_newest(const char *run_dir, adn_ckpt_info *out) ADN_MUST_USE;
/* Reads every file against its hash. ADN_BADCKPT names the file. */
adn_status adn_ckpt_verify(const char *run_dir, const char *name) ADN_MUST_USE;
/* "<run_dir>/ckpt/<name or last or best>"; checks that it is whole. Gives path (adn_free). */
adn_status adn_ckpt_path(const char *run_dir, const char *name, char **out) ADN_MUST_USE;

/* --- rundir.c: <runs>/<name>/ of product.md. */
typedef enum adn_run_state { ADN_RUN_NEW, ADN_RUN_UNFINISHED, ADN_RUN_FINISHED } adn_run_state;
typedef struct adn_rundir adn_rundir;
typedef struct adn_rundir_conf {
    const char *runs, *name;
    const char *given;          /* adn_config_given: compared with the stored one */
    const char *config_path;    /* copied as config.yaml; NULL: none */
    const char *resolved;       /* config.resolved.yaml */
    const char *command;        /* command.txt */
    const char *env_json;       /* env.json */
    const char *plan_json;      /* plan.json */
    bool fresh_suffix;          /* --new: name-2, name-3, ... */
    bool never_resume;          /* --resume never */
} adn_rundir_conf;
/* Makes the folder under a temporary name and renames it, or opens the one that is there. Holds a lock file while
 * open (flock): a second process on the same run is refused with its pid, ADN_USAGE. Another config under an existing name: ADN_BADCONF and
 * the differing lines are logged ("- data.batch = 128" / "+ data.batch = 64"). */
adn_status adn_rundir_open(const adn_rundir_conf *conf, adn_rundir **out) ADN_MUST_USE;
void adn_rundir_close(adn_rundir *r);
const char *adn_rundir_path(const adn_rundir *r);
adn_run_state adn_rundir_state(const adn_rundir *r); /* as it was when opened, from status.json */
int adn_rundir_log_fd(const adn_rundir *r);          /* log.txt, append */
/* status.json, replaced atomically. state: running | stopped | finished | failed | diverged */
adn_status adn_rundir_status(adn_rundir *r, const char *state, const char *blocks_json) ADN_MUST_USE;

/* A row of epochs.csv; NaN in a double is an empty field. */
typedef struct adn_epoch_row {
    int epoch, block;
    int64_t steps, samples;
    double lr, train_loss, train_top1, test_loss, test_top1, img_s, wait_in, wait_out, seconds;
} adn_epoch_row;
adn_status adn_rundir_row(adn_rundir *r, const adn_epoch_row *row) ADN_MUST_USE; /* appends, one write */
/* Reads the rows (torn last line skipped). Gives rows (adn_free). */
adn_status adn_rows_read(const char *run_dir, adn_epoch_row **out, int *out_n) ADN_MUST_USE;
/* At resume: keeps the rows of epochs <= epoch, drops the rest, atomically. */
adn_status adn_rundir_cut_rows(adn_rundir *r, int epoch) ADN_MUST_USE;
/* One line of events.jsonl (versioned by its first line, {"version": 1}): json is an object without newline. */
adn_status adn_rundir_event(adn_rundir *r, const char *json) ADN_MUST_USE;

#endif
