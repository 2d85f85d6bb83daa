/* adonis help and version: from the command table. */
#include <stdio.h>

#include "adonis/train.h"
#include "core/core.h"
#include "cli/args.h"
#include "core/json.h"
#include "device/cuda.h"

static void print_overview(void)
{
    printf(
        "adonis trains image networks block by block: each block learns from a loss of its own.\n\n"
        "usage: adonis COMMAND ...\n\n");
    for (int i = 0; i < adn_cli_n_command; i++)
        if (adn_cli_commands[i].run != NULL)
            printf("  %-12s %s\n", adn_cli_commands[i].name, adn_cli_commands[i].summary);
    printf("\nnot yet in this version:");
    for (int i = 0; i < adn_cli_n_command; i++)
        if (adn_cli_commands[i].run == NULL) printf(" %s", adn_cli_commands[i].name);
    printf("\n\n`adonis help COMMAND` has usage and options, `adonis config doc` the keys of a "
           "config.\n");
}

/* Each exit code with the statuses that lead to it. END and AGAIN are never the program's. */
static void print_exit_codes(void)
{
    static const struct {
        adn_status st;
        const char *text;
    } rows[] = {
#define X(name, exit_code, text) {ADN_##name, text},
        ADN_STATUSES(X)
#undef X
    };
    int last = -1;

    printf("\nexit codes:");
    for (size_t i = 0; i < ADN_COUNT(rows); i++) {
        int code = adn_status_exit(rows[i].st);
        if (rows[i].st == ADN_END || rows[i].st == ADN_AGAIN) continue;
        if (code == last)
            printf("; %s", rows[i].text);
        else
            printf("\n  %3d  %s", code, rows[i].text);
        last = code;
    }
    printf("\n");
}

static void print_options(const adn_cli_command *c)
{
    printf("\noptions:\n");
    for (const adn_cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
        char name[48];
        snprintf(name, sizeof(name), "%s%s%s", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
        printf("  %-20s %s\n", name, o->help);
    }
    printf("  %-20s %s\n", "--debug",
           "say more: what is tried and passed over, where failures are");
    printf("  %-20s %s\n", "--help", "this text");
    if (c->has_keys)
        printf("\nkey=value: a key of the config (`adonis config doc`), such as optim.lr=0.05 or "
               "blocks[1].threads=1\n");
}

static adn_status print_command(const char *name)
{
    const adn_cli_command *c = adn_cli_find(name);

    if (c == NULL) return adn_cli_unknown(name);
    printf("usage: adonis %s %s%s\n%s%s\n", c->name, c->usage,
           c->options != NULL ? " [options]" : "", c->summary,
           c->run == NULL ? " (not yet in this version)" : "");
    if (c->text != NULL) printf("\n%s", c->text);
    print_options(c);
    print_exit_codes();
    return ADN_OK;
}

adn_status cmd_help(int argc, char **argv)
{
    adn_cli_args args;
    adn_status st = adn_cli_read(argc, argv, 0, 1, &args);

    if (st != ADN_OK) return st;
    if (args.n_word > 0) return print_command(args.words[0]);
    print_overview();
    print_exit_codes();
    return ADN_OK;
}

adn_status cmd_version(int argc, char **argv)
{
    adn_cli_args args;
    adn_json j = {0};
    char onednn[32], cuda[160];
    const char *isa = NULL;
    int lanes = 0;
    adn_status st = adn_cli_read(argc, argv, 0, 0, &args);

    if (st == ADN_OK) st = adn_cpu_isa_name(&isa, &lanes);
    if (st != ADN_OK) return st;
    adn_dnnl_version(onednn, sizeof(onednn));
    adn_cuda_versions(cuda, sizeof(cuda));
    if (!adn_cli_has(&args, "--json")) {
        printf("adonis %s\ncompiler %s\noneDNN %s\nprocessor code %s (%d floats a vector)\nGPUs by "
               "%s\n",
               adn_version(), __VERSION__, onednn, isa, lanes, cuda);
        return ADN_OK;
    }
    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "adonis", adn_version());
    adn_json_string(&j, "compiler", __VERSION__);
    adn_json_string(&j, "onednn", onednn);
    adn_json_string(&j, "isa", isa);
    adn_json_int(&j, "lanes", lanes);
    adn_json_string(&j, "cuda", cuda);
    adn_json_close(&j, '}');
    st = j.failed ? ADN_FAIL(ADN_NOMEM, "version: no memory") : ADN_OK;
    if (st == ADN_OK) printf("%s\n", j.text);
    adn_json_clear(&j);
    return st;
}
