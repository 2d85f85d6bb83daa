/* Reads options, key=value arguments and words. */
#include "cli/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/parse.h"
#include "core/file.h"

static int find_option(const adn_cli_command *c, const char *name, size_t n_name)
{
    for (int i = 0; c->options != NULL && c->options[i].name != NULL; i++)
        if (strlen(c->options[i].name) == n_name && strncmp(c->options[i].name, name, n_name) == 0)
            return i;
    return -1;
}

static adn_status unknown_option(const adn_cli_command *c, const char *arg, size_t n_name)
{
    char name[64];
    adn_guess guess = {.wrong = name};

    if (n_name >= sizeof(name)) n_name = sizeof(name) - 1;
    memcpy(name, arg, n_name);
    name[n_name] = '\0';
    for (int i = 0; c->options != NULL && c->options[i].name != NULL; i++)
        adn_guess_offer(&guess, c->options[i].name);
    adn_guess_offer(&guess, "--help");
    if (guess.best != NULL)
        return ADN_FAIL(ADN_USAGE, "%s: unknown option '%s' (did you mean '%s'?)", c->name, name,
                        guess.best);
    return ADN_FAIL(ADN_USAGE, "%s: unknown option '%s'; `adonis help %s` lists them", c->name,
                    name, c->name);
}

/* --name, --name=value or --name value. *at is the argument's index, moved to the last one used. */
static adn_status read_option(int argc, char **argv, int *at, adn_cli_args *out)
{
    const char *arg = argv[*at], *equals = strchr(arg, '=');
    size_t n_name = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
    int i = find_option(out->command, arg, n_name);

    if (i < 0) return unknown_option(out->command, arg, n_name);
    const adn_cli_option *o = &out->command->options[i];
    if (o->value == NULL) {
        if (equals != NULL) return ADN_FAIL(ADN_USAGE, "%s: %s takes no value", argv[0], o->name);
        out->options[i] = "";
        return ADN_OK;
    }
    if (equals == NULL && *at + 1 >= argc)
        return ADN_FAIL(ADN_USAGE, "%s: %s needs a value: %s %s", argv[0], o->name, o->name,
                        o->value);
    out->options[i] = equals != NULL ? equals + 1 : argv[++*at];
    return ADN_OK;
}

/* A file's path may hold '=' too, but not before its first slash: ./a=b is a path. */
static bool is_override(const char *arg)
{
    const char *equals = strchr(arg, '='), *slash = strchr(arg, '/');
    return equals != NULL && equals != arg && (slash == NULL || equals < slash);
}

adn_status adn_cli_read(int argc, char **argv, int min_word, int max_word, adn_cli_args *out)
{
    bool has_options = true; /* until "--" */
    adn_status st;

    *out = (adn_cli_args){.command = adn_cli_find(argv[0]),
                          .overrides = (const char *const *)(argv + 1)};
    ADN_ASSERT(out->command != NULL && max_word <= ADN_CLI_MAX_WORDS);
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        if (has_options && strcmp(arg, "--") == 0) {
            has_options = false;
        } else if (has_options && arg[0] == '-' && arg[1] != '\0') {
            st = read_option(argc, argv, &i, out);
            if (st != ADN_OK) return st;
        } else if (out->command->has_keys && is_override(arg)) {
            argv[1 + out->n_override++] = arg; /* never behind the one being read */
        } else if (out->n_word < max_word) {
            out->words[out->n_word++] = arg;
        } else {
            return ADN_FAIL(ADN_USAGE, "%s: '%s' is one argument too many; usage: adonis %s %s",
                            argv[0], arg, argv[0], out->command->usage);
        }
    }
    if (out->n_word < min_word)
        return ADN_FAIL(ADN_USAGE, "%s: something is missing; usage: adonis %s %s", argv[0],
                        argv[0], out->command->usage);
    return ADN_OK;
}

const char *adn_cli_value(const adn_cli_args *args, const char *option)
{
    int i = find_option(args->command, option, strlen(option));
    ADN_ASSERT(i >= 0 && i < ADN_CLI_MAX_OPTIONS);
    return args->options[i];
}

bool adn_cli_has(const adn_cli_args *args, const char *option)
{
    return adn_cli_value(args, option) != NULL;
}

adn_status adn_cli_count(const adn_cli_args *args, const char *option, int lo, int hi, int *out)
{
    const char *text = adn_cli_value(args, option);
    char *end;

    if (text == NULL) return ADN_OK;
    errno = 0;
    long value = strtol(text, &end, 10);
    bool is_plain = text[0] >= '0' && text[0] <= '9' && (text[0] != '0' || text[1] == '\0');
    if (!is_plain || *end != '\0' || errno != 0 || value < lo || value > hi)
        return ADN_FAIL(ADN_USAGE, "%s: %s cannot be '%s': expected a whole number from %d to %d",
                        args->command->name, option, text, lo, hi);
    *out = (int)value;
    return ADN_OK;
}

static bool is_run(const char *path)
{
    char *config = adn_path_join(path, "config.resolved.yaml");
    bool is = config != NULL && adn_path_exists(config);
    adn_free(config);
    return is;
}

adn_status adn_cli_find_run(const char *run, char **out)
{
    char *path = is_run(run) ? adn_strdup(run) : adn_path_join("runs", run);

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", run);
    if (!is_run(path)) {
        adn_free(path);
        return ADN_FAIL(ADN_USAGE, "%s: is no run's folder, nor is runs/%s", run, run);
    }
    *out = path;
    return ADN_OK;
}
