/* Inside of src/store only: what checkpoint.c and retention.c ask of each other. */
#ifndef ADN_STORE_FOLDER_H
#define ADN_STORE_FOLDER_H

#include <limits.h>

#include "store/manifest.h"

/* A checkpoint's folder against its manifest. ADN_BADCKPT fills why and logs nothing; out keeps
 * what the manifest said where there is one. */
adn_status adn_ckpt_inspect(const char *dir, const char *name, bool with_hashes, adn_ckpt_info *out,
                            char why[ADN_WHY]) ADN_MUST_USE;
/* The checkpoint's name that the link ckpt/<link> holds; false and "" where there is none. */
bool adn_ckpt_follow(const char *ckpt, const char *link, char out[32]);
/* Brings `last` and `best` up to date, then removes what is kept by neither count and is not where
 * the newest order of events begins. Whatever is newer than `base` was not written by this process:
 * it counts only if its hashes agree. */
adn_status adn_ckpt_settle(const char *run_dir, const char *base, int keep_last,
                           int keep_best) ADN_MUST_USE;

#endif
