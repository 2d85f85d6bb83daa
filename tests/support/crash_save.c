/* crash_save RUNS: a run under RUNS with every save of crash_save.h, to be killed at any moment or
 * to meet a full disk. Says on stdout "ok N" or "failed N" after each save; a save that fails is no
 * reason to end. */
#include "crash_save.h"

#include <unistd.h>

static void say(const char *what, int n)
{
    char line[32];
    int n_line = snprintf(line, sizeof(line), "%s %d\n", what, n);
    if (write(1, line, (size_t)n_line) != n_line) fprintf(stderr, "crash_save: stdout is gone\n");
}

int main(int argc, char **argv)
{
    adn_rundir *run;

    if (argc != 2) return 2;
    adn_rundir_conf conf = crash_conf(argv[1]);
    if (adn_rundir_open(&conf, &run) != ADN_OK) return 3;
    for (int i = 0; i < CRASH_SAVES; i++) {
        const adn_ckpt_info *save = &crash_saves[i];
        adn_epoch_row row = {.epoch = save->epoch, .steps = save->step, .test_top1 = save->score};
        adn_status noted = adn_rundir_row(run, &row);
        if (noted == ADN_OK) noted = adn_rundir_status(run, "running", NULL);
        adn_status saved = crash_save(adn_rundir_path(run), save, (float)(i + 1));
        say(saved == ADN_OK ? "ok" : "failed", i + 1);
        if (noted != ADN_OK) adn_warn("row or status of save %d is lost", i + 1);
    }
    adn_rundir_close(run);
    return 0;
}
