/* adonis config: checks a config, shows all of it with origins, documents the keys. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"

static adn_status print(adn_status st, char *text)
{
    if (st != ADN_OK) return st;
    size_t n = strlen(text);
    printf("%s%s", text, n > 0 && text[n - 1] == '\n' ? "" : "\n");
    adn_free(text);
    return ADN_OK;
}

static adn_status doc(bool is_json)
{
    char *text = NULL;
    adn_status st = is_json ? adn_config_doc_json(&text) : adn_config_doc(&text);
    return print(st, text);
}

adn_status cmd_config(int argc, char **argv)
{
    adn_cli_args args;
    adn_config *conf = NULL;
    char *text = NULL;
    adn_status st = adn_cli_read(argc, argv, 1, 2, &args);

    if (st != ADN_OK) return st;
    const char *verb = args.words[0], *path = args.n_word > 1 ? args.words[1] : NULL;
    bool is_doc = strcmp(verb, "doc") == 0, is_check = strcmp(verb, "check") == 0;
    bool is_json = adn_cli_has(&args, "--json");
    if (!is_doc && !is_check && strcmp(verb, "show") != 0)
        return ADN_FAIL(ADN_USAGE, "config: '%s' is none of check, show, doc", verb);
    if (is_doc && (path != NULL || args.n_override > 0))
        return ADN_FAIL(ADN_USAGE, "config: doc takes no more arguments");
    if (is_doc) return doc(is_json);
    if (path == NULL) return ADN_FAIL(ADN_USAGE, "config: %s needs a CONFIG", verb);
    ADN_TRY(st, adn_config_load(path, args.overrides, args.n_override, &conf), done);
    if (is_check)
        printf(is_json ? "{\"ok\": true}\n" : "%s: ok\n", path);
    else if (is_json)
        st = adn_config_dump_json(conf, &text);
    else
        st = adn_config_dump(conf, &text);
    if (!is_check) st = print(st, text);
done:
    adn_config_free(conf);
    return st;
}
