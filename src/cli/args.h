/* A command's arguments, read by its row of the command table. */
#ifndef ADN_CLI_ARGS_H
#define ADN_CLI_ARGS_H

#include "cli/cli.h"
#include "adonis/config.h"
#include "core/core.h"

enum { ADN_CLI_MAX_OPTIONS = 8, ADN_CLI_MAX_WORDS = 16 };

typedef struct adn_cli_args {
    const adn_cli_command *command;
    const char
        *options[ADN_CLI_MAX_OPTIONS];    /* in the table's order, "" of a flag; NULL: not given */
    const char *words[ADN_CLI_MAX_WORDS]; /* neither options nor key=value */
    int n_word;
    const char *const *overrides; /* key=value */
    int n_override;
} adn_cli_args;

/* Reads argv by the row of command argv[0]. Moves the key=value arguments to the front of argv: out
 * points into it. Fewer than min_word or more than max_word words, an unknown option (with a
 * guess): ADN_USAGE. */
adn_status adn_cli_read(int argc, char **argv, int min_word, int max_word,
                        adn_cli_args *out) ADN_MUST_USE;
const char *adn_cli_value(const adn_cli_args *args, const char *option); /* NULL: not given */
bool adn_cli_has(const adn_cli_args *args, const char *option);
/* A whole number from lo to hi; *out stays where the option was not given. */
adn_status adn_cli_count(const adn_cli_args *args, const char *option, int lo, int hi,
                         int *out) ADN_MUST_USE;
/* The folder of a run: RUN itself, or runs/RUN. Gives (adn_free). */
adn_status adn_cli_find_run(const char *run, char **out) ADN_MUST_USE;

#endif
