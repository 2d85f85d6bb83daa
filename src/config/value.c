/* Scalar values: words, texts, booleans, numbers; and what is said of a value that is refused. */
#include "config/load.h"

#include <string.h>

adn_status adn_value_refuse(const adn_value *v, const adn_node *node, const char *reason)
{
    adn_text expects = {0};
    adn_guess guess = {.wrong = node->text};
    const char *open = reason != NULL ? " (" : "", *close = reason != NULL ? ")" : "";
    char *text;

    adn_schema_expects(v->key, &expects);
    adn_status st = adn_text_finish(&expects, &text);
    if (st != ADN_OK) return st;
    if (reason == NULL) reason = "";
    bool is_empty =
        node->kind == ADN_NODE_SCALAR && !node->is_quoted &&
        (node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
    for (const adn_word *w = v->key->words; w != NULL && w->word != NULL && node->text != NULL; w++)
        adn_guess_offer(&guess, w->word);
    if (is_empty)
        st = adn_config_error(node, "'%s' has no value: expected %s", v->path, text);
    else if (node->kind != ADN_NODE_SCALAR)
        st = adn_config_error(node, "'%s' cannot be %s: expected %s", v->path,
                              node->kind == ADN_NODE_LIST ? "a list" : "a section", text);
    else if (guess.best != NULL && guess.distance > 0)
        st = adn_config_error(node, "'%s' cannot be '%s' (did you mean '%s'?): expected %s",
                              v->path, adn_show(node->text).s, guess.best, text);
    else
        st = adn_config_error(node, "'%s' cannot be '%s'%s%s%s: expected %s", v->path,
                              adn_show(node->text).s, open, reason, close, text);
    adn_free(text);
    return st;
}

adn_status adn_value_later(const adn_value *v, const adn_node *node)
{
    adn_text now = {0};
    char *text, *what = NULL;

    if (v->key->type != ADN_KEY_LATER || v->key->def != NULL) adn_text_add(&now, "; now: ");
    if (v->key->type != ADN_KEY_LATER || v->key->def != NULL) adn_schema_expects(v->key, &now);
    adn_status st = adn_text_finish(&now, &text);
    if (st != ADN_OK) return st;
    if (node->kind == ADN_NODE_SCALAR)
        what = adn_format(": %s", adn_show(node->text).s);
    else
        what = adn_strdup("");
    if (what == NULL)
        st = ADN_FAIL(ADN_NOMEM, "config: no memory");
    else
        st = adn_config_error(node, "'%s%s' is not yet in adonis " ADN_CONFIG_RELEASE "%s", v->path,
                              what, text);
    adn_free(what);
    adn_free(text);
    return st;
}

static adn_status read_word(adn_value *v)
{
    const adn_word *w =
        v->node->kind == ADN_NODE_SCALAR ? adn_schema_word(v->key, v->node->text) : NULL;

    if (w == NULL) return adn_value_refuse(v, v->node, NULL);
    if (w->is_later) return adn_value_later(v, v->node);
    if (v->key->type == ADN_KEY_NAME)
        *(const char **)v->field = w->word;
    else if (v->key->type == ADN_KEY_FLAG)
        *(bool *)v->field = w->value != 0;
    else
        *(int *)v->field = w->value;
    adn_text_add(&v->canon, "%s", w->word);
    return ADN_OK;
}

static adn_status read_text(adn_value *v)
{
    const char *s = v->node->text;

    if (v->node->kind != ADN_NODE_SCALAR || s[0] == '\0') return adn_value_refuse(v, v->node, NULL);
    if (!v->node->is_quoted && v->node->line > 0 && (strcmp(s, "~") == 0 || strcmp(s, "null") == 0))
        return adn_value_refuse(v, v->node, NULL);
    for (const char *p = s; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return adn_value_refuse(v, v->node, "a control character");
    char *copy = adn_pool_copy(v->pool, s, strlen(s));
    if (copy == NULL) return ADN_NOMEM;
    *(const char **)v->field = copy;
    adn_text_yaml(&v->canon, s);
    return ADN_OK;
}

static adn_status read_number(adn_value *v)
{
    const adn_key *key = v->key;
    const adn_word *w =
        v->node->kind == ADN_NODE_SCALAR ? adn_schema_word(key, v->node->text) : NULL;
    int64_t whole = 0;
    double real = 0;
    adn_status st;

    if (w != NULL) {
        *(int *)v->field = w->value;
        adn_text_add(&v->canon, "%s", w->word);
        return ADN_OK;
    }
    if (key->type == ADN_KEY_REAL) {
        st = adn_value_real(v, v->node, &real);
        if (st != ADN_OK) return st;
        *(double *)v->field = real;
        adn_text_number(&v->canon, real);
        return ADN_OK;
    }
    bool is_seed = key->type == ADN_KEY_SEED;
    st = adn_value_int(v, v->node, is_seed ? 0 : (int64_t)key->lo,
                       is_seed ? INT64_MAX : (int64_t)key->hi, &whole);
    if (st != ADN_OK) return st;
    if (is_seed)
        *(uint64_t *)v->field = (uint64_t)whole;
    else
        *(int *)v->field = (int)whole;
    adn_text_add(&v->canon, "%lld", (long long)whole);
    return ADN_OK;
}

static adn_status read_bool(adn_value *v)
{
    bool is_true = v->node->kind == ADN_NODE_SCALAR && strcmp(v->node->text, "true") == 0;
    bool is_false = v->node->kind == ADN_NODE_SCALAR && strcmp(v->node->text, "false") == 0;

    if (v->node->kind == ADN_NODE_SCALAR && v->node->is_quoted)
        return adn_value_refuse(v, v->node, "a quoted text");
    if (!is_true && !is_false) return adn_value_refuse(v, v->node, NULL);
    *(bool *)v->field = is_true;
    adn_text_add(&v->canon, is_true ? "true" : "false");
    return ADN_OK;
}

/* A key of a later issue: its default is taken as written, all else is refused by name. */
static adn_status read_later(adn_value *v)
{
    const char *def = v->key->def == NULL ? "" : v->key->def;
    bool is_default =
        v->node->kind == ADN_NODE_SCALAR && def[0] != '\0' && strcmp(v->node->text, def) == 0;

    if (!is_default) return adn_value_later(v, v->node);
    adn_text_add(&v->canon, "%s", def);
    return ADN_OK;
}

adn_status adn_value_read(adn_value *v)
{
    adn_duration time = {0};
    adn_status st;

    switch (v->key->type) {
    case ADN_KEY_WORD:
    case ADN_KEY_FLAG:
    case ADN_KEY_NAME:
        return read_word(v);
    case ADN_KEY_TEXT:
    case ADN_KEY_PATH:
        return read_text(v);
    case ADN_KEY_BOOL:
        return read_bool(v);
    case ADN_KEY_INT:
    case ADN_KEY_SEED:
    case ADN_KEY_REAL:
        return read_number(v);
    case ADN_KEY_LATER:
        return read_later(v);
    case ADN_KEY_DURATION:
    case ADN_KEY_SECONDS:
        st = adn_value_duration(v, v->node, &time, &v->canon);
        if (st == ADN_OK && v->key->type == ADN_KEY_SECONDS)
            *(double *)v->field = time.value;
        else if (st == ADN_OK)
            *(adn_duration *)v->field = time;
        return st;
    case ADN_KEY_BITRATE:
    case ADN_KEY_BYTES:
        return adn_value_amount(v, (double *)v->field);
    default:
        return adn_value_read_list(v);
    }
}
