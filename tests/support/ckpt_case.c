/* Checkpoints of tests. */
#include "ckpt_case.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "suite.h"

char ckpt_run[300];

void ckpt_fresh(void)
{
    static const char *base;
    static int n;
    if (base == NULL) base = adn_test_dir();
    snprintf(ckpt_run, sizeof(ckpt_run), "%s/run%d", base, n++);
    ck_assert(adn_dir_make(ckpt_run) == ADN_OK);
    adn_test_log_clear();
}

adn_ckpt_info ckpt_at(int epoch, int batch, double score)
{
    return (adn_ckpt_info){
        .epoch = epoch, .batch = batch, .step = 100 * epoch + batch, .n_block = 2, .score = score};
}

adn_status ckpt_put(const char *dir, const char *name, const char *text)
{
    char *path = adn_path_join(dir, name);
    if (path == NULL) return ADN_NOMEM;
    adn_status st = adn_file_write(path, text, strlen(text));
    adn_free(path);
    return st;
}

adn_status ckpt_save(adn_ckpt_info info, int keep_last, int keep_best)
{
    char *dir, text[64];
    adn_status st = adn_ckpt_begin(ckpt_run, &info, &dir);

    if (st != ADN_OK) return st;
    snprintf(text, sizeof(text), "weights of epoch %d", info.epoch);
    ADN_TRY(st, ckpt_put(dir, "block0.safetensors", text), fail);
    ADN_TRY(st, ckpt_put(dir, "block0.optim.safetensors", "momentum"), fail);
    st = adn_ckpt_commit(ckpt_run, dir, &info, keep_last, keep_best);
    adn_free(dir);
    return st;
fail:
    adn_ckpt_abandon(dir);
    adn_free(dir);
    return st;
}

void ckpt_must_save(int epoch, double score, int keep_last, int keep_best)
{
    ck_assert(ckpt_save(ckpt_at(epoch, 0, score), keep_last, keep_best) == ADN_OK);
}

const char *ckpt_names(void)
{
    static char text[2000];
    adn_ckpt_info *list;
    int n;
    ck_assert(adn_ckpt_list(ckpt_run, &list, &n) == ADN_OK);
    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        strcat(text, list[i].name);
        strcat(text, list[i].is_whole ? " " : "* ");
    }
    adn_free(list);
    return text;
}

const char *ckpt_link(const char *link)
{
    static char to[64], path[400];
    snprintf(path, sizeof(path), "%s/ckpt/%s", ckpt_run, link);
    ssize_t n = readlink(path, to, sizeof(to) - 1);
    to[n > 0 ? n : 0] = '\0';
    return to;
}

const char *ckpt_file(const char *name, const char *file)
{
    static char path[500];
    snprintf(path, sizeof(path), "%s/ckpt/%s/%s", ckpt_run, name, file);
    return path;
}
