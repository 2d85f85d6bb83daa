/* A run is killed at every change of its folder, and meets a disk that is full after any number of
 * bytes: no completed checkpoint is lost, no half-written one is picked, the next save works. */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash_save.h"
#include "suite.h"

typedef struct outcome {
    bool is_killed;
    int exit_code;
    int last_ok;  /* number of the last save that said ok; 0: none */
    int n_failed; /* saves that said failed */
} outcome;

static const char *base; /* this case's folder */
static char runs[300];

static void fresh_folder(void)
{
    if (base == NULL) base = adn_test_dir();
    snprintf(runs, sizeof(runs), "%s/runs", base);
    if (adn_path_exists(runs)) ck_assert(adn_dir_remove(runs) == ADN_OK);
}

static void set_number(const char *name, long value)
{
    char text[32];
    snprintf(text, sizeof(text), "%ld", value);
    setenv(name, text, 1);
}

/* The child's side of the fork. */
static void become_saver(int out_fd, long crash_at, bool is_half, long full_after)
{
    const char *asan = getenv("ASAN_OPTIONS");
    char options[512];

    snprintf(options, sizeof(options), "%s%sverify_asan_link_order=0", asan != NULL ? asan : "",
             asan != NULL ? ":" : "");
    setenv("ASAN_OPTIONS", options, 1);
    setenv("LD_PRELOAD", ADN_CRASH_SHIM, 1);
    setenv("ADN_CRASH_DIR", base, 1);
    if (crash_at > 0) set_number("ADN_CRASH_AT", crash_at);
    if (is_half) setenv("ADN_CRASH_AFTER", "half", 1);
    if (full_after >= 0) set_number("ADN_FULL_AFTER", full_after);
    dup2(out_fd, 1);
    if (freopen("/dev/null", "w", stderr) == NULL) _exit(99);
    execl(ADN_CRASH_SAVE, ADN_CRASH_SAVE, runs, (char *)NULL);
    _exit(98);
}

static outcome run_saver(long crash_at, bool is_half, long full_after)
{
    outcome o = {0};
    int pipe_fd[2], status, n;
    char line[64], word[16];

    ck_assert(pipe(pipe_fd) == 0);
    pid_t child = fork();
    ck_assert(child >= 0);
    if (child == 0) become_saver(pipe_fd[1], crash_at, is_half, full_after);
    close(pipe_fd[1]);
    FILE *said = fdopen(pipe_fd[0], "r");
    while (fgets(line, sizeof(line), said) != NULL) {
        ck_assert(sscanf(line, "%15s %d", word, &n) == 2);
        if (strcmp(word, "ok") == 0)
            o.last_ok = n;
        else
            o.n_failed++;
    }
    fclose(said);
    ck_assert(waitpid(child, &status, 0) == child);
    o.is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    o.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ck_assert_msg(o.is_killed || o.exit_code == 0 || o.exit_code == 3,
                  "the saver ended with %d, signal %d", o.exit_code,
                  WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return o;
}

/* Which save a checkpoint is of, by the numbers in all its files. */
static int mark_of(const char *run_dir, const char *name)
{
    char *dir, file[64];
    int mark = -1;

    ck_assert(adn_ckpt_path(run_dir, name, &dir) == ADN_OK);
    for (int b = 0; b < CRASH_BLOCKS; b++) {
        adn_st_file f;
        snprintf(file, sizeof(file), "block%d.safetensors", b);
        char *path = adn_path_join(dir, file);
        ck_assert(adn_st_read(path, &f) == ADN_OK);
        const float *x = f.tensors[0].data;
        for (int i = 0; i < CRASH_NUMBERS; i++) ck_assert(x[i] == x[0]);
        ck_assert(b == 0 || mark == (int)x[0]);
        mark = (int)x[0];
        adn_st_clear(&f);
        adn_free(path);
    }
    adn_free(dir);
    return mark;
}

/* Every checkpoint that can be seen is whole. */
static void all_are_whole(const char *run_dir)
{
    adn_ckpt_info *list;
    int n;
    ck_assert(adn_ckpt_list(run_dir, &list, &n) == ADN_OK);
    for (int i = 0; i < n; i++) {
        ck_assert_msg(list[i].is_whole, "%s is seen half-made", list[i].name);
        ck_assert(adn_ckpt_verify(run_dir, list[i].name) == ADN_OK);
    }
    adn_free(list);
}

static void nothing_is_hidden(const char *run_dir)
{
    char *ckpt = adn_path_join(run_dir, "ckpt");
    DIR *d = opendir(ckpt);
    struct dirent *e;
    ck_assert(d != NULL);
    while ((e = readdir(d)) != NULL)
        ck_assert_msg(e->d_name[0] != '.' || e->d_name[1] == '\0' || e->d_name[1] == '.',
                      "%s is left", e->d_name);
    closedir(d);
    adn_free(ckpt);
}

/* What a trainer does after a death: opens the run again, looks for its newest checkpoint, and
 * saves. */
static void resume_and_check(int at_least, int at_most)
{
    adn_rundir *run;
    adn_ckpt_info newest, next = {.epoch = 4, .step = 40, .n_block = CRASH_BLOCKS, .score = NAN};
    adn_epoch_row *rows;
    int n_rows;
    adn_rundir_conf conf = crash_conf(runs);

    char *there = adn_path_join(runs, "run");
    if (adn_path_exists(there)) all_are_whole(there);
    if (at_least > 0 && at_most != CRASH_REPLACING) { /* the link is never missing nor behind */
        int last = mark_of(there, "last");
        ck_assert(last >= at_least && last <= at_most);
    }
    adn_free(there);
    ck_assert(adn_rundir_open(&conf, &run) == ADN_OK);
    const char *dir = adn_rundir_path(run);
    nothing_is_hidden(dir);
    adn_status st = adn_ckpt_newest(dir, &newest);
    ck_assert(st == ADN_OK || (st == ADN_END && at_least == 0));
    if (st == ADN_OK) {
        int mark = mark_of(dir, newest.name);
        ck_assert_msg(mark >= at_least && mark <= at_most,
                      "save %d is the newest, expected %d to %d", mark, at_least, at_most);
        ck_assert_int_eq(mark_of(dir, "last"), mark);
    }
    if (at_least > 0) { /* the first save has the best score until the last one */
        int best = mark_of(dir, "best");
        ck_assert(best == 1 || (best == CRASH_SAVES && at_most == CRASH_SAVES));
    }
    ck_assert(adn_rows_read(dir, &rows, &n_rows) == ADN_OK);
    adn_free(rows);
    ck_assert(crash_save(dir, &next, 9.0f) == ADN_OK);
    ck_assert(adn_ckpt_newest(dir, &newest) == ADN_OK);
    ck_assert_int_eq(newest.epoch, 4);
    ck_assert_int_eq(mark_of(dir, newest.name), 9);
    nothing_is_hidden(dir);
    adn_rundir_close(run);
}

static int kill_everywhere(bool is_half)
{
    for (int n = 1;; n++) {
        fresh_folder();
        outcome o = run_saver(n, is_half, -1);
        resume_and_check(o.last_ok, ADN_MIN(o.last_ok + 1, CRASH_SAVES));
        if (!o.is_killed) {
            ck_assert_int_eq(o.last_ok, CRASH_SAVES);
            return n - 1;
        }
    }
}

START_TEST(a_kill_at_any_change_loses_no_completed_checkpoint)
{
    int n = kill_everywhere(false);
    ck_assert_msg(n > 100, "only %d changes were seen: does the shim work?", n);
}
END_TEST

START_TEST(a_kill_inside_any_write_loses_no_completed_checkpoint)
{
    int n = kill_everywhere(true);
    ck_assert_msg(n > 30, "only %d writes were seen: does the shim work?", n);
}
END_TEST

START_TEST(a_full_disk_leaves_the_old_checkpoints_and_no_temporary_folder)
{
    bool is_enough = false;
    int n_refused = 0;

    for (long bytes = 0; !is_enough; bytes += 250) {
        fresh_folder();
        outcome o = run_saver(0, false, bytes);
        ck_assert(!o.is_killed);
        is_enough = o.exit_code == 0 && o.n_failed == 0;
        n_refused += o.n_failed;
        char *ckpt = adn_path_join(runs, "run/ckpt");
        if (adn_path_exists(ckpt)) {
            char *dir = adn_path_join(runs, "run");
            nothing_is_hidden(dir);
            adn_free(dir);
        }
        adn_free(ckpt);
        resume_and_check(o.last_ok, o.last_ok);
    }
    ck_assert_int_gt(n_refused, 0);
}
END_TEST

int main(void)
{
    /* A kill leaves what the kernel has, synced or not: memory will do, and hundreds of runs sync
     * fast. */
    if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
    Suite *suite = suite_create("store_crash");
    TCase *kills = tcase_create("kills"), *full = tcase_create("full disk");

    tcase_set_timeout(kills, 0);
    tcase_add_test(kills, a_kill_at_any_change_loses_no_completed_checkpoint);
    tcase_add_test(kills, a_kill_inside_any_write_loses_no_completed_checkpoint);
    tcase_add_test(full, a_full_disk_leaves_the_old_checkpoints_and_no_temporary_folder);
    suite_add_tcase(suite, kills);
    suite_add_tcase(suite, full);
    return adn_suite_run(suite);
}
