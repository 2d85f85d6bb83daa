/* Run directories of tests. */
#include "run_case.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "core/file.h"
#include "suite.h"

char run_folder[300];
adn_rundir *run;

adn_rundir_conf run_conf(const char *name)
{
    return (adn_rundir_conf){.runs = run_folder,
                             .name = name,
                             .given = "data.batch = 128\nmode = sync\n",
                             .resolved = "version: 1 # given\n",
                             .command = "adonis train a.yaml\n",
                             .env_json = "{\"cores\": 2}\n",
                             .plan_json = "{}\n"};
}

void run_fresh(void)
{
    static const char *base;
    static int n;
    if (base == NULL) base = adn_test_dir();
    snprintf(run_folder, sizeof(run_folder), "%s/deep/runs%d", base, n++);
    run = NULL;
    adn_test_log_clear();
}

const char *run_path(const char *name)
{
    static char path[500];
    snprintf(path, sizeof(path), "%s/a/%s", run_folder, name);
    return path;
}

const char *run_text(const char *name)
{
    static char text[10000];
    char *read;
    size_t n;
    ck_assert(adn_file_read(run_path(name), sizeof(text) - 1, &read, &n) == ADN_OK);
    strcpy(text, read);
    adn_free(read);
    return text;
}

void run_put(const char *name, const char *text)
{
    ck_assert(adn_file_write(run_path(name), text, strlen(text)) == ADN_OK);
}

void run_append(const char *name, const char *text)
{
    FILE *f = fopen(run_path(name), "a");
    ck_assert(f != NULL && fputs(text, f) >= 0);
    fclose(f);
}

adn_status run_open(void)
{
    adn_rundir_conf conf = run_conf("a");
    return adn_rundir_open(&conf, &run);
}

void run_reopen(void)
{
    adn_rundir_close(run);
    ck_assert(run_open() == ADN_OK);
}

void run_limit_files(int64_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes < 0 ? RLIM_INFINITY : (rlim_t)bytes;
    ck_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    if (bytes < 0) signal(SIGXFSZ, SIG_DFL);
}
