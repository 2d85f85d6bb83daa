/* adonis: finds the command, runs it, and turns its status into the exit code. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/log.h"

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

/* Takes --debug out of the arguments before "--", wherever it stands: it is of every command. */
static void take_debug(int *argc, char **argv)
{
    int n = 1, i = 1;

    for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--debug") == 0)
            adn_log_level_set(ADN_LEVEL_DEBUG);
        else
            argv[n++] = argv[i];
    }
    while (i < *argc) argv[n++] = argv[i++];
    argv[n] = NULL;
    *argc = n;
}

static adn_status run(int argc, char **argv)
{
    take_debug(&argc, argv);
    if (argc < 2) return ADN_FAIL(ADN_USAGE, "no command given; `adonis help` lists them");
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) name = "version";
    const adn_cli_command *c = adn_cli_find(name);
    if (c == NULL) return adn_cli_unknown(name);
    if (c->run == NULL)
        return ADN_FAIL(ADN_USAGE, "%s: not yet in this version; `adonis help` lists what is",
                        c->name);
    argv[1] = (char *)c->name;
    if (asks_for_help(argc - 1, argv + 1)) {
        char help[] = "help";
        char *for_help[] = {help, argv[1], NULL};
        return cmd_help(2, for_help);
    }
    return c->run(argc - 1, argv + 1);
}

/* A team's threads spin while they wait for each other, by libgomp's default for milliseconds:
 * beside another program on the same cores a step then takes many times as long, and alone it is no
 * faster. libgomp asks the environment for how long when it is loaded, so the program starts once
 * more. */
static void spin_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") != NULL || getenv("GOMP_SPINCOUNT") != NULL) return;
    char path[4096] = ""; /* by its name, not as /proc/self/exe: other programs show it */
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n > 0 && setenv("GOMP_SPINCOUNT", "3000", 1) == 0) execv(path, argv);
}

int main(int argc, char **argv)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    spin_briefly(argv);
    sigaction(SIGPIPE, &ignore, NULL); /* a run outlives the reader of its progress */
    adn_status st = run(argc, argv);
    bool is_written = fflush(stdout) == 0 && ferror(stdout) == 0;
    if (!is_written && st == ADN_OK) /* a reader who had enough needs no message */
        st = errno == EPIPE ? ADN_IO : ADN_FAIL(ADN_IO, "stdout: could not be written");
    return adn_status_exit(st);
}
