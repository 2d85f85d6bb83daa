/* adonis bench: rates of a config's network on this machine. */
#include <stdio.h>
#include <string.h>

#include "adonis/train.h"
#include "core/core.h"
#include "cli/args.h"

static adn_status bench_net(const adn_cli_args *args)
{
    adn_bench_options options = {
        .n_step = 40, .n_warmup = 5, .as_json = adn_cli_has(args, "--json")};
    adn_config *conf = NULL;
    char *text = NULL;
    adn_status st;

    ADN_TRY(st, adn_cli_count(args, "--steps", 1, 1000000, &options.n_step), done);
    ADN_TRY(st, adn_cli_count(args, "--warmup", 0, 1000000, &options.n_warmup), done);
    ADN_TRY(st, adn_config_load(args->words[1], args->overrides, args->n_override, &conf), done);
    adn_info("bench: %d steps after %d of warm-up", options.n_step, options.n_warmup);
    ADN_TRY(st, adn_bench_net(conf, &options, &text), done);
    size_t n = strlen(text);
    printf("%s%s", text, n > 0 && text[n - 1] == '\n' ? "" : "\n");
done:
    adn_free(text);
    adn_config_free(conf);
    return st;
}

adn_status cmd_bench(int argc, char **argv)
{
    adn_cli_args args;
    adn_status st = adn_cli_read(argc, argv, 1, 2, &args);

    if (st != ADN_OK) return st;
    const char *what = args.words[0];
    if (strcmp(what, "data") == 0 || strcmp(what, "edge") == 0)
        return ADN_FAIL(ADN_USAGE, "bench %s: not yet in this version; bench net is", what);
    if (strcmp(what, "net") != 0)
        return ADN_FAIL(ADN_USAGE, "bench: unknown '%s', expected net, data or edge", what);
    if (args.n_word < 2)
        return ADN_FAIL(ADN_USAGE, "bench net: CONFIG is missing; usage: adonis bench %s",
                        args.command->usage);
    return bench_net(&args);
}
