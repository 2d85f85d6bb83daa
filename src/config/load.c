/* adn_config_load: defaults, then the file, then the arguments, then what follows from them. And
 * the settings, which remember where each value came from. */
#include "config/load.h"

#include <string.h>

#include "core/file.h"

enum { MAX_FILE = 64 << 10 }; /* bytes; libfyaml needs seconds for hostile texts of more */

adn_setting *adn_config_find(const adn_config *conf, const char *path)
{
    for (adn_setting *s = conf->origins->settings; s != NULL; s = s->next)
        if (strcmp(s->path, path) == 0) return s;
    return NULL;
}

bool adn_config_is_given(const adn_config *conf, const char *path)
{
    const adn_setting *s = adn_config_find(conf, path);
    return s != NULL && (s->origin == ADN_FROM_FILE || s->origin == ADN_FROM_ARGUMENT);
}

/* path is inner itself, or a section around it. */
static bool is_around(const char *path, const char *inner)
{
    size_t n = strlen(path);
    return n == 0 || (strncmp(path, inner, n) == 0 && strchr(".[", inner[n]) != NULL);
}

const adn_setting *adn_config_given_in(const adn_config *conf, const char *path)
{
    for (const adn_setting *s = conf->origins->settings; s != NULL; s = s->next)
        if (is_around(path, s->path) &&
            (s->origin == ADN_FROM_FILE || s->origin == ADN_FROM_ARGUMENT))
            return s;
    return NULL;
}

bool adn_config_is_sure(const adn_config *conf, const char *path)
{
    for (const adn_setting *s = conf->origins->settings; s != NULL; s = s->next)
        if (s->is_bad && (is_around(s->path, path) || is_around(path, s->path))) return false;
    return true;
}

const adn_node *adn_config_node(const adn_config *conf, const char *path)
{
    const adn_setting *s = adn_config_find(conf, path);
    return s != NULL            ? s->node
           : conf->path != NULL ? &conf->origins->file.whole
                                : &conf->origins->defaults.whole;
}

adn_setting *adn_config_set(adn_config *conf, const char *path, const adn_key *key,
                            const adn_node *node, const char *value)
{
    adn_config_origins *o = conf->origins;
    adn_setting *s = adn_config_find(conf, path);
    char place[640];

    adn_config_where(node, place, sizeof(place));
    const char *kept = adn_pool_copy(&o->pool, place, strlen(place));
    if (kept == NULL) return NULL;
    if (s == NULL) {
        s = adn_pool_take(&o->pool, sizeof(*s));
        if (s == NULL) return NULL;
        s->path = path;
        if (o->last == NULL)
            o->settings = s;
        else
            o->last->next = s;
        o->last = s;
    }
    if (key != NULL) s->key = key;
    s->node = node;
    s->value = value;
    s->place = kept;
    s->origin = node->src->origin;
    s->is_bad = false;
    return s;
}

void adn_config_unset(adn_config *conf, const char *path)
{
    adn_config_origins *o = conf->origins;
    o->last = NULL;
    for (adn_setting **at = &o->settings; *at != NULL;) {
        if (is_around(path, (*at)->path)) {
            *at = (*at)->next;
        } else {
            o->last = *at;
            at = &(*at)->next;
        }
    }
}

/* The whole file into the pool, without the mark that some editors put in front of UTF-8. */
static adn_status read_file(adn_config *conf, const char *path)
{
    adn_config_origins *o = conf->origins;
    char *text = NULL;
    size_t n = 0;

    adn_status st = adn_file_read(path, MAX_FILE, &text, &n);
    if (st != ADN_OK) return st == ADN_NOMEM ? st : ADN_BADCONF;
    size_t mark = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    char *kept = adn_pool_copy(&o->pool, text + mark, n - mark);
    adn_free(text);
    if (kept == NULL) return ADN_NOMEM;
    adn_source_init(&o->file, ADN_FROM_FILE, conf->path, kept, n - mark, &o->n_error);
    return ADN_OK;
}

static adn_status apply_file(adn_config *conf, const char *path)
{
    adn_config_origins *o = conf->origins;
    adn_node *root = NULL;
    adn_status st;

    ADN_TRY(st, read_file(conf, path), fail);
    ADN_TRY(st, adn_yaml_parse(&o->file, &o->pool, &root), fail);
    if (root != NULL && root->kind == ADN_NODE_SCALAR && root->text[0] == '\0') root = NULL;
    if (root == NULL)
        return adn_config_error(&o->file.whole, "is empty: expected at least 'version: 1'");
    if (root->kind != ADN_NODE_MAP)
        return adn_config_error(root, "expected keys and values, such as 'version: 1', not a %s",
                                root->kind == ADN_NODE_LIST ? "list" : "single text");
    for (const adn_item *i = root->items; i != NULL;
         i = i->next) /* another format: no use in reading on */
        if (i->key->text != NULL && strcmp(i->key->text, "version") == 0 &&
            !(i->value->kind == ADN_NODE_SCALAR && !i->value->is_quoted &&
              strcmp(i->value->text, "1") == 0))
            return adn_config_read_leaf(conf, adn_schema_find("version"), "version", i->value);
    st = adn_config_read_map(conf, root, "");
    if (st != ADN_NOMEM && !adn_config_is_given(conf, "version"))
        st = adn_config_error(&o->file.whole, "'version: 1' is missing");
fail:
    return st;
}

static adn_status load(adn_config *conf, const char *path, const char *const *overrides,
                       int n_override)
{
    adn_config_origins *o = conf->origins;
    adn_status st;

    if (path != NULL && (conf->path = adn_pool_copy(&o->pool, path, strlen(path))) == NULL)
        return ADN_NOMEM;
    adn_source_init(&o->file, ADN_FROM_FILE, conf->path, "", 0, &o->n_error);
    adn_source_init(&o->defaults, ADN_FROM_DEFAULT, conf->path, "", 0, &o->n_error);
    ADN_TRY(st, adn_config_read_defaults(conf, "", ""), fail);
    if (path != NULL) {
        st = apply_file(conf, path);
        bool is_readable = adn_config_is_given(conf, "version");
        if (st == ADN_NOMEM || (st != ADN_OK && !is_readable)) return st;
    }
    for (int i = 0; i < n_override; i++) {
        st = adn_config_override(conf, overrides[i]);
        if (st == ADN_NOMEM) return st;
    }
    ADN_TRY(st, adn_config_finish(conf), fail);
    ADN_TRY(st, adn_config_check(conf), fail);
    if (o->n_error > 0) return ADN_BADCONF;
    adn_config_mark_unused(conf);
    return ADN_OK;
fail:
    return st;
}

adn_status adn_config_load(const char *path, const char *const *overrides, int n_override,
                           adn_config **out)
{
    struct whole { /* one block: what the struct shows and what stands behind it */
        adn_config conf;
        adn_config_origins origins;
    } *w = adn_alloc(sizeof(*w));

    if (w == NULL) return ADN_FAIL(ADN_NOMEM, "config: no memory");
    w->conf.origins = &w->origins;
    adn_status st = load(&w->conf, path, overrides, n_override);
    if (st == ADN_OK)
        *out = &w->conf;
    else
        adn_config_free(&w->conf);
    return st;
}

void adn_config_free(adn_config *conf)
{
    if (conf == NULL) return;
    adn_pool_clear(&conf->origins->pool);
    adn_free(conf);
}

const char *adn_config_place(const adn_config *conf, const char *key)
{
    const adn_setting *s = adn_config_find(conf, key);
    return s == NULL || s->origin == ADN_FROM_DEFAULT ? "default" : s->place;
}

adn_status adn_config_resolve(adn_config *conf, const char *key, const char *value)
{
    adn_pool *pool = &conf->origins->pool;
    const adn_key *row = adn_schema_find(key);
    ADN_ASSERT(row != NULL);
    const char *path = adn_pool_copy(pool, key, strlen(key));
    const char *kept = adn_pool_copy(pool, value, strlen(value));
    if (path == NULL || kept == NULL) return ADN_NOMEM;
    adn_setting *s = adn_config_find(conf, path);
    if (s == NULL) { /* of a block that nobody spoke of */
        s = adn_config_set(conf, path, row, &conf->origins->defaults.whole, kept);
        if (s == NULL) return ADN_NOMEM;
        s->origin = ADN_FROM_AUTO;
    }
    s->resolved = kept;
    s->unused_in = NULL;
    return ADN_OK;
}
