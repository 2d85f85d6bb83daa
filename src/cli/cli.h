/* The program's commands: one table (commands.c) drives dispatch, options, help and completion.
 * A command prints results on stdout, logs its failures, and returns a status; main makes it an
 * exit code. */
#ifndef ADN_CLI_H
#define ADN_CLI_H

#include "core/core.h"

typedef struct adn_cli_option {
    const char *name;  /* "--steps" */
    const char *value; /* "N"; NULL: a flag */
    const char *help;
} adn_cli_option;

typedef struct adn_cli_command {
    const char *name;
    /* argv[0] is the command's name. NULL: of a later version */
    adn_status (*run)(int argc, char **argv);
    const char *usage;   /* what follows the name, without options */
    const char *summary; /* half a line */
    const char *words;   /* of the first argument, separated by blanks; NULL: it is free */
    bool has_keys;       /* takes key=value arguments */
    const adn_cli_option *options; /* ends with name NULL; NULL: none */
    const char *text;              /* for `help COMMAND`; NULL: none */
} adn_cli_command;

extern const adn_cli_command adn_cli_commands[];
extern const int adn_cli_n_command;
const adn_cli_command *adn_cli_find(const char *name); /* NULL: there is none */
/* Logs that `wrong` is no command, with the nearest one that is. Gives ADN_USAGE. */
adn_status adn_cli_unknown(const char *wrong);

adn_status cmd_train(int argc, char **argv);
adn_status cmd_eval(int argc, char **argv);
adn_status cmd_replay(int argc, char **argv);
adn_status cmd_plan(int argc, char **argv);
adn_status cmd_bench(int argc, char **argv);
adn_status cmd_config(int argc, char **argv);
adn_status cmd_data(int argc, char **argv);
adn_status cmd_ckpt(int argc, char **argv);
adn_status cmd_compare(int argc, char **argv);
adn_status cmd_help(int argc, char **argv);
adn_status cmd_version(int argc, char **argv);
adn_status cmd_devices(int argc, char **argv);
adn_status cmd_doctor(int argc, char **argv);
adn_status cmd_completion(int argc, char **argv);

#endif
