/* adonis completion: a script for bash, from the command table and the config's schema. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "config/schema.h"

static void print_commands(void)
{
    for (int i = 0; i < adn_cli_n_command; i++)
        if (adn_cli_commands[i].run != NULL) printf(" %s", adn_cli_commands[i].name);
}

static void print_keys(void)
{
    for (const adn_key *k = adn_schema; k < adn_schema + adn_schema_n; k++) {
        bool is_leaf =
            k->type != ADN_KEY_SECTION && k->type != ADN_KEY_SECTIONS && k->type != ADN_KEY_LATER;
        if (is_leaf && strchr(k->path, '[') == NULL) printf(" %s=", k->path);
    }
}

/* Sets opts, first (words of the first argument) and from (where key=value arguments may begin; 0:
 * nowhere). */
static void print_case(const adn_cli_command *c)
{
    const char *first = c->words != NULL ? c->words : "";
    int from = 0;

    printf("    %s) opts=\"--debug --help", c->name);
    for (const adn_cli_option *o = c->options; o != NULL && o->name != NULL; o++)
        printf(" %s", o->name);
    if (strcmp(c->name, "help") == 0) first = "$commands";
    if (c->has_keys) from = c->words != NULL ? 4 : 3; /* behind the word and the CONFIG */
    printf("\" first=\"%s\" from=%d ;;\n", first, from);
}

adn_status cmd_completion(int argc, char **argv)
{
    adn_cli_args args;
    adn_status st = adn_cli_read(argc, argv, 0, 1, &args);

    if (st != ADN_OK) return st;
    if (args.n_word > 0 && strcmp(args.words[0], "bash") != 0)
        return ADN_FAIL(ADN_USAGE, "completion: '%s' is not known, expected bash", args.words[0]);
    printf("# bash completion of adonis: eval \"$(adonis completion bash)\"\n"
           "_adonis() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} opts='' first='' from=0 words=''\n"
           "    local commands=\"");
    print_commands();
    printf("\"\n    local keys=\"");
    print_keys();
    printf("\"\n    case \"${COMP_WORDS[1]}\" in\n");
    for (int i = 0; i < adn_cli_n_command; i++)
        if (adn_cli_commands[i].run != NULL) print_case(&adn_cli_commands[i]);
    printf("    esac\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then words=$commands\n"
           "    elif [[ $cur == -* ]]; then words=$opts\n"
           "    elif [ \"$COMP_CWORD\" -eq 2 ]; then words=$first\n"
           "    elif [ \"$from\" -gt 0 ] && [ \"$COMP_CWORD\" -ge \"$from\" ]; then words=$keys\n"
           "    fi\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
           "    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace\n"
           "}\n"
           "complete -o default -F _adonis adonis\n");
    return ADN_OK;
}
