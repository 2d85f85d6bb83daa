/* What the program crash_save does, shared with the test that watches it: a run of a few saves,
 * each with two block files whose numbers say which save they are of. */
#ifndef ADN_TEST_CRASH_SAVE_H
#define ADN_TEST_CRASH_SAVE_H

#include <math.h>
#include <stdio.h>

#include "core/file.h"
#include "store/store.h"

enum { CRASH_BLOCKS = 2, CRASH_NUMBERS = 300 };

/* In order: the third replaces the second; with one kept by age and one by score the second and the
 * first go in the end. */
static const adn_ckpt_info crash_saves[] = {
    {.epoch = 1, .step = 10, .n_block = CRASH_BLOCKS, .score = 90.0},
    {.epoch = 2, .step = 20, .n_block = CRASH_BLOCKS, .score = 80.0},
    {.epoch = 2, .step = 20, .n_block = CRASH_BLOCKS, .score = 81.0},
    {.epoch = 3, .step = 30, .n_block = CRASH_BLOCKS, .score = 95.0},
};
enum { CRASH_SAVES = 4, CRASH_REPLACING = 3 }; /* counted from 1 */

static inline adn_rundir_conf crash_conf(const char *runs)
{
    return (adn_rundir_conf){.runs = runs,
                             .name = "run",
                             .given = "data.batch = 128\n",
                             .resolved = "version: 1\n",
                             .command = "adonis train\n",
                             .env_json = "{}\n",
                             .plan_json = "{}\n"};
}

/* One checkpoint, its numbers all `mark`. The step a trainer does at a marker. */
static inline adn_status crash_save(const char *run_dir, const adn_ckpt_info *info, float mark)
{
    float numbers[CRASH_NUMBERS];
    char file[64], *dir = NULL, *path = NULL;
    adn_status st;

    for (int i = 0; i < CRASH_NUMBERS; i++) numbers[i] = mark;
    const adn_st_tensor t = {"unit1.weight", ADN_ST_F32, 1, {CRASH_NUMBERS}, numbers};
    st = adn_ckpt_begin(run_dir, info, &dir);
    if (st != ADN_OK) return st;
    for (int b = 0; b < CRASH_BLOCKS && st == ADN_OK; b++) {
        snprintf(file, sizeof(file), "block%d.safetensors", b);
        path = adn_path_join(dir, file);
        st = path == NULL ? ADN_NOMEM : adn_st_write(path, &t, 1, NULL, 0);
        adn_free(path);
    }
    if (st == ADN_OK)
        st = adn_ckpt_commit(run_dir, dir, info, 1, 1);
    else
        adn_ckpt_abandon(dir);
    adn_free(dir);
    return st;
}

#endif
