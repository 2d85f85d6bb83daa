/* adonis plan: blocks, edges and memory of a config; trains nothing. */
#include <stdio.h>
#include <string.h>

#include "adonis/train.h"
#include "core/core.h"
#include "cli/args.h"

adn_status cmd_plan(int argc, char **argv)
{
    adn_cli_args args;
    adn_config *conf = NULL;
    char *text = NULL;
    adn_status st = adn_cli_read(argc, argv, 1, 1, &args);

    if (st != ADN_OK) return st;
    ADN_TRY(st, adn_config_load(args.words[0], args.overrides, args.n_override, &conf), done);
    const char *gpu = adn_cli_value(&args, "--gpu");
    bool as_json = adn_cli_has(&args, "--json");
    st = gpu != NULL ? adn_plan_text_for(conf, gpu, as_json, &text)
                     : adn_plan_text(conf, as_json, &text);
    size_t n = text != NULL ? strlen(text) : 0;
    if (n > 0) printf("%s%s", text, text[n - 1] == '\n' ? "" : "\n");
done:
    adn_free(text);
    adn_config_free(conf);
    return st;
}
