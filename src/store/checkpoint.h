/* Checkpoints: <run>/ckpt/e0012-b0000/{block0.safetensors, block0.optim.safetensors, ...,
 * manifest.json}. A save is made in a folder ckpt/.<name>.tmp; block files may be written by
 * several threads; the manifest (sizes, SHA-256 of each file, position, block count; no time, host
 * or path) is written last, then the folder is renamed and `last` (and `best`) replaced atomically.
 * A folder without a whole manifest is never picked. Two saves of one run may be open at once;
 * begin, commit and clean are called by one thread at a time. */
#ifndef ADN_CHECKPOINT_H
#define ADN_CHECKPOINT_H

#include "core/core.h"

typedef struct adn_ckpt_info {
    char name[32];    /* e0012-b0000: after epoch 12, batch 0 of the next. Follows from epoch and
                         batch: not read */
    int epoch, batch; /* epochs finished by the source, batches of the next already learned */
    int64_t step;     /* source steps finished */
    int n_block;
    double seconds; /* trained so far, of a run that ends by time; else 0: the same state is the
                       same bytes */
    double score;   /* last block's test top-1 in percent; NaN: not measured */
    bool is_whole;  /* manifest present and well-formed, files there with its sizes */
    /* filled by list and newest: */
    int64_t bytes;         /* of all its files, by the manifest */
    bool is_last, is_best; /* the links point to it */
} adn_ckpt_info;

typedef struct adn_ckpt_file { /* a line of the manifest */
    char name[128];
    int64_t bytes;
    char sha256[65];
} adn_ckpt_file;

/* An empty folder to write the files into; a leftover of this very name is removed. Gives out_dir
 * (adn_free), which the caller frees after commit or abandon. */
adn_status adn_ckpt_begin(const char *run_dir, const adn_ckpt_info *info,
                          char **out_dir) ADN_MUST_USE;
/* Finishes: manifest, syncs, rename, links, then removes what keep_last and keep_best let go (never
 * the last whole one, nor that at which the newest order of events begins, order.h; best ranks by
 * score, newest first among equals; a damaged one is left to the user). Replaces one of the same
 * name. Free space ran out: ADN_IO, the temporary folder is removed. */
adn_status adn_ckpt_commit(const char *run_dir, const char *dir, const adn_ckpt_info *info,
                           int keep_last, int keep_best) ADN_MUST_USE;
void adn_ckpt_abandon(const char *dir); /* removes the temporary folder; one that is gone is fine */
/* What a killed process left: temporary folders go, an interrupted replacement is undone, `last`
 * and `best` are brought up to date. adn_rundir_open calls it; no save may be open. */
adn_status adn_ckpt_clean(const char *run_dir) ADN_MUST_USE;

/* The checkpoints of a run, oldest first; a damaged one has is_whole false. Gives list (adn_free).
 */
adn_status adn_ckpt_list(const char *run_dir, adn_ckpt_info **out, int *out_n) ADN_MUST_USE;
/* The newest whole one, every file read against its hash, or ADN_END when there is none; damaged
 * newer ones are passed over with a warning. */
adn_status adn_ckpt_newest(const char *run_dir, adn_ckpt_info *out) ADN_MUST_USE;
/* Reads every file against its hash. ADN_BADCKPT names the file. */
adn_status adn_ckpt_verify(const char *run_dir, const char *name) ADN_MUST_USE;
/* "<run_dir>/ckpt/<name>", where `last` and `best` are followed to the checkpoint's own name;
 * verified. No such checkpoint: ADN_USAGE. Gives path (adn_free). */
adn_status adn_ckpt_path(const char *run_dir, const char *name, char **out) ADN_MUST_USE;
/* The manifest's files, sorted by name; sizes and hashes as it says them. Gives list (adn_free). */
adn_status adn_ckpt_files(const char *run_dir, const char *name, adn_ckpt_file **out,
                          int *out_n) ADN_MUST_USE;

#endif
