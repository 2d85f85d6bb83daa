/* The documentation of every key, out of the schema. */
#include "config/load.h"

#include <string.h>

#include "core/json.h"

static void add_modes(const adn_key *key, adn_text *t)
{
    if (key->modes == 0) return;
    const char *between = " In mode ";
    for (unsigned m = ADN_MODE_BP; m <= ADN_MODE_ASYNC; m++) {
        if (!(key->modes & (1u << m))) continue;
        adn_text_add(t, "%s%s", between, adn_mode_name((adn_mode)m));
        between = ", ";
    }
    adn_text_add(t, ".");
}

static void add_later(const adn_key *key, adn_text *t)
{
    const char *between = " Not yet: ";
    if (key->type == ADN_KEY_LATER) {
        adn_text_add(t, key->def == NULL ? " Not yet." : " Not yet: only the default is taken.");
        return;
    }
    for (const adn_word *w = key->words; w != NULL && w->word != NULL; w++) {
        if (!w->is_later) continue;
        adn_text_add(t, "%s%s", between, w->word);
        between = ", ";
    }
    if (between[0] == ',') adn_text_add(t, ".");
}

adn_status adn_config_doc(char **out)
{
    adn_text t = {0};

    adn_text_add(&t, "Keys of a configuration, adonis " ADN_CONFIG_RELEASE
                     ". In a file as YAML, on the command line as key=value.\n");
    for (int i = 0; i < adn_schema_n; i++) {
        const adn_key *key = &adn_schema[i];
        bool is_section = key->type == ADN_KEY_SECTION;
        adn_text_add(&t, "%s%s\n", is_section && strchr(key->path, '.') == NULL ? "\n" : "",
                     key->path);
        if (!is_section && key->type != ADN_KEY_LATER) {
            adn_text_add(&t, "    ");
            adn_schema_expects(key, &t);
            if (key->def != NULL) adn_text_add(&t, "; default %s", key->def);
            adn_text_add(&t, "\n");
        } else if (key->def != NULL) {
            adn_text_add(&t, "    default %s\n", key->def);
        }
        adn_text_add(&t, "    %s.", key->help);
        add_modes(key, &t);
        add_later(key, &t);
        adn_text_add(&t, "\n");
    }
    return adn_text_finish(&t, out);
}

/* The range and kind of a key as one text; NULL: no memory. */
static char *expectation(const adn_key *key)
{
    adn_text t = {0};
    char *text = NULL;
    adn_schema_expects(key, &t);
    return adn_text_finish(&t, &text) == ADN_OK ? text : NULL;
}

adn_status adn_config_doc_json(char **out)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '[');
    for (int i = 0; i < adn_schema_n; i++) {
        const adn_key *key = &adn_schema[i];
        if (key->type == ADN_KEY_SECTION) continue;
        char *values = expectation(key);
        adn_json_newline(&j);
        adn_json_open(&j, NULL, '{');
        adn_json_string(&j, "key", key->path);
        adn_json_string(&j, "values", values);
        adn_json_string(&j, "default", key->def);
        adn_json_bool(&j, "later", key->type == ADN_KEY_LATER);
        adn_json_string(&j, "help", key->help);
        adn_json_close(&j, '}');
        if (values == NULL) j.failed = true;
        adn_free(values);
    }
    adn_json_close(&j, ']');
    if (j.failed) {
        adn_json_clear(&j);
        return ADN_FAIL(ADN_NOMEM, "config: no memory for the documentation");
    }
    *out = j.text;
    return ADN_OK;
}
