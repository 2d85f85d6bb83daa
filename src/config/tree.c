/* From a tree of YAML nodes to fields and settings, by the schema's rows. */
#include "config/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "blocks[3].aux" to "blocks[].aux": a section as the table spells it. */
static void row_path(const char *path, char *out, size_t room)
{
    size_t n = 0;
    for (; *path != '\0' && n < room - 1; path++)
        if (*path < '0' || *path > '9' || strchr("[0123456789", path[-1]) == NULL) out[n++] = *path;
    out[n] = '\0';
}

int adn_config_count(const adn_config *conf, const adn_key *list)
{
    return *(const int *)((const char *)conf + list->at_n);
}

/* Binds the value to the fields that its row and path name; keys without a field go to scratch. */
static void bind(adn_config *conf, adn_value *v)
{
    char *base = (char *)conf;
    const char *open = strchr(v->path, '[');

    v->field = v->field_n = v->field_auto = v->scratch;
    if (!v->key->has_field) return;
    if (open != NULL) {
        char list[64];
        snprintf(list, sizeof(list), "%.*s", (int)(open - v->path), v->path);
        const adn_key *row = adn_schema_find(list);
        int i = atoi(open + 1);
        ADN_ASSERT(row != NULL && i < adn_config_count(conf, row));
        memcpy(&base, (char *)conf + row->at, sizeof(base));
        base += (size_t)i * row->element;
    }
    v->field = base + v->key->at;
    v->field_n = base + v->key->at_n;
    v->field_auto = base + v->key->at_auto;
}

static adn_status read_value(adn_config *conf, const adn_key *key, const char *path,
                             const adn_node *node, const char **out_text)
{
    adn_pool *pool = &conf->origins->pool;
    adn_value v = {.pool = pool, .key = key, .path = path, .node = node};
    char *text = NULL;

    bind(conf, &v);
    adn_status st = adn_value_read(&v);
    if (st != ADN_OK) {
        adn_text_clear(&v.canon);
        return st;
    }
    st = adn_text_finish(&v.canon, &text);
    if (st != ADN_OK) return st;
    *out_text = adn_pool_copy(pool, text, strlen(text));
    adn_free(text);
    return *out_text == NULL ? ADN_NOMEM : ADN_OK;
}

adn_status adn_config_read_leaf(adn_config *conf, const adn_key *key, const char *path,
                                const adn_node *node)
{
    const char *text = NULL;
    adn_status st = read_value(conf, key, path, node, &text);

    if (st == ADN_NOMEM) return st;
    adn_setting *s = adn_config_set(conf, path, key, node, text);
    if (s == NULL) return ADN_NOMEM;
    s->is_bad = st != ADN_OK;
    return st;
}

/* A default of the table, as it would stand in a file; quiet ones only fill the field. */
static adn_status read_default(adn_config *conf, const adn_key *key, const char *path)
{
    adn_pool *pool = &conf->origins->pool;
    const char *text = NULL;
    adn_node *node = NULL;
    adn_source *src = adn_pool_take(pool, sizeof(*src));

    if (src == NULL) return ADN_NOMEM;
    adn_source_init(src, ADN_FROM_DEFAULT, conf->path, key->def, strlen(key->def),
                    &conf->origins->n_error);
    adn_status st =
        key->def[0] == '[' ? adn_yaml_parse(src, pool, &node) : adn_yaml_scalar(src, pool, &node);
    if (st == ADN_OK)
        st = key->is_quiet ? read_value(conf, key, path, node, &text)
                           : adn_config_read_leaf(conf, key, path, node);
    ADN_ASSERT(st == ADN_OK || st == ADN_NOMEM);
    return st;
}

/* The defaults of all rows under `prefix` ("" or "blocks[]"), whose entry is called `path`. */
adn_status adn_config_read_defaults(adn_config *conf, const char *prefix, const char *path)
{
    size_t n = strlen(prefix);
    for (int i = 0; i < adn_schema_n; i++) {
        const adn_key *key = &adn_schema[i];
        bool is_inside =
            n == 0 ? strchr(key->path, '[') == NULL : strncmp(key->path, prefix, n) == 0;
        if (key->def == NULL || !is_inside) continue;
        const char *full =
            n == 0 ? key->path : adn_pool_format(&conf->origins->pool, "%s%s", path, key->path + n);
        adn_status st = full == NULL ? ADN_NOMEM : read_default(conf, key, full);
        if (st != ADN_OK) return st;
    }
    return ADN_OK;
}

adn_status adn_config_grow(adn_config *conf, const adn_key *list, int n)
{
    adn_pool *pool = &conf->origins->pool;
    char *array = (char *)conf + list->at, *old, prefix[64];
    int *count = (int *)(void *)((char *)conf + list->at_n), had = *count;

    if (n <= had) return ADN_OK;
    char *grown = adn_pool_take(pool, (size_t)n * list->element);
    if (grown == NULL) return ADN_NOMEM;
    memcpy(&old, array, sizeof(old)); /* a pointer to another type: not through a char ** */
    if (had > 0) memcpy(grown, old, (size_t)had * list->element);
    memcpy(array, &grown, sizeof(grown));
    *count = n;
    snprintf(prefix, sizeof(prefix), "%s[]", list->path);
    for (int i = had; i < n; i++) {
        const char *path = adn_pool_format(pool, "%s[%d]", list->path, i);
        adn_status st = path == NULL ? ADN_NOMEM : adn_config_read_defaults(conf, prefix, path);
        if (st != ADN_OK) return st;
    }
    return ADN_OK;
}

/* A section that holds an error is not sure: what depends on its keys is not checked. */
static adn_status mark_bad(adn_config *conf, const char *path, const adn_node *node)
{
    adn_setting *s = adn_config_set(conf, path, NULL, node, NULL);
    if (s == NULL) return ADN_NOMEM;
    s->is_bad = true;
    return ADN_BADCONF;
}

adn_status adn_config_unknown(adn_config *conf, const adn_node *where, const char *name,
                              const char *section)
{
    char row[64], hint[128] = "";
    const char *key;
    adn_guess guess = {.wrong = name};

    row_path(section, row, sizeof(row));
    for (int i = 0; i < adn_schema_n; i++)
        if (adn_schema_is_child(&adn_schema[i], row, &key)) adn_guess_offer(&guess, key);
    const char *dot_at = strrchr(name, '.');
    if (dot_at != NULL && adn_schema_find(name) != NULL)
        snprintf(hint, sizeof(hint), ": write '%s' inside '%.*s'", dot_at + 1, (int)(dot_at - name),
                 name);
    else if (guess.best != NULL)
        snprintf(hint, sizeof(hint), " (did you mean '%s'?)", guess.best);
    for (int i = 0; i < adn_schema_n && hint[0] == '\0';
         i++) { /* the right key in the wrong section */
        const char *dot = strrchr(adn_schema[i].path, '.');
        if (strchr(adn_schema[i].path, '[') == NULL &&
            strcmp(dot == NULL ? adn_schema[i].path : dot + 1, name) == 0)
            snprintf(hint, sizeof(hint), " (did you mean '%s'?)", adn_schema[i].path);
    }
    if (section[0] == '\0')
        (void)adn_config_error(where, "unknown key '%s'%s", adn_show(name).s, hint);
    else
        (void)adn_config_error(where, "unknown key '%s' in '%s'%s", adn_show(name).s, section,
                               hint);
    return mark_bad(conf, section, where);
}

static adn_status read_listed(adn_config *conf, const adn_key *key, const char *list, int i,
                              const adn_node *node)
{
    const char *path = adn_pool_format(&conf->origins->pool, "%s[%d]", list, i);

    if (path == NULL || adn_config_set(conf, path, key, node, NULL) == NULL) return ADN_NOMEM;
    if (node->kind == ADN_NODE_MAP) return adn_config_read_map(conf, node, path);
    (void)adn_config_error(node, "'%s' must be a section of keys", path);
    return mark_bad(conf, path, node);
}

/* A list of sections; or one, which is a list of one. */
static adn_status read_sections(adn_config *conf, const adn_key *key, const char *path,
                                const adn_node *node)
{
    adn_status st, bad = ADN_OK;
    bool is_one = node->kind == ADN_NODE_MAP;
    int i = 0;

    if (!is_one && node->n_item > ADN_MAX_SECTIONS) {
        (void)adn_config_error(node, "'%s' has %d entries: expected at most %d", path, node->n_item,
                               ADN_MAX_SECTIONS);
        return mark_bad(conf, path, node);
    }
    adn_config_unset(conf, path); /* an argument's list replaces the file's */
    *(int *)(void *)((char *)conf + key->at_n) = 0;
    if (adn_config_set(conf, path, key, node, NULL) == NULL) return ADN_NOMEM;
    ADN_TRY(st, adn_config_grow(conf, key, is_one ? 1 : node->n_item), fail);
    if (is_one) return read_listed(conf, key, path, 0, node);
    for (const adn_item *item = node->items; item != NULL; item = item->next) {
        st = read_listed(conf, key, path, i++, item->value);
        if (st == ADN_NOMEM) return st;
        if (st != ADN_OK) bad = st;
    }
    return bad;
fail:
    return st;
}

adn_status adn_config_read_entry(adn_config *conf, const adn_key *key, const char *path,
                                 const adn_node *node)
{
    adn_value v = {.key = key, .path = path, .node = node};
    bool is_list = key->type == ADN_KEY_SECTIONS;

    if (key->type != ADN_KEY_SECTION && !is_list)
        return adn_config_read_leaf(conf, key, path, node);
    bool is_one = key->takes_one && node->kind == ADN_NODE_MAP;
    if (!is_one && node->kind != (is_list ? ADN_NODE_LIST : ADN_NODE_MAP)) {
        adn_status st = adn_value_refuse(&v, node, is_list ? "no list" : "no section");
        return st == ADN_NOMEM ? st : mark_bad(conf, path, node);
    }
    return is_list ? read_sections(conf, key, path, node) : adn_config_read_map(conf, node, path);
}

static adn_status read_item(adn_config *conf, const adn_node *map, const adn_item *item,
                            const char *section)
{
    const adn_node *key_node = item->key;
    const char *name = key_node->text;

    if (key_node->kind != ADN_NODE_SCALAR || name[0] == '\0')
        return adn_config_error(key_node, "a key must be a word");
    if (strcmp(name, "<<") == 0)
        return adn_config_error(key_node, "merge keys ('<<') are not read: write the keys out");
    for (const adn_item *i = map->items; i != item; i = i->next)
        if (i->key->text != NULL && strcmp(i->key->text, name) == 0)
            return adn_config_error(key_node, "duplicate key '%s'%s%s%s, first in line %d",
                                    adn_show(name).s, section[0] != '\0' ? " in '" : "", section,
                                    section[0] != '\0' ? "'" : "", i->key->line);
    if (strpbrk(name, ".[]") != NULL || strlen(name) > 48)
        return adn_config_unknown(conf, key_node, name, section);
    const char *path = adn_pool_format(&conf->origins->pool, "%s%s%s", section,
                                       section[0] != '\0' ? "." : "", name);
    if (path == NULL) return ADN_NOMEM;
    const adn_key *key = adn_schema_find(path);
    if (key == NULL) return adn_config_unknown(conf, key_node, name, section);
    bool points_at_key = key->type == ADN_KEY_LATER && key->def == NULL;
    if (points_at_key) {
        adn_value v = {.key = key, .path = path, .node = item->value};
        adn_node where = *item->value;
        where.line = key_node->line;
        where.column = key_node->column;
        where.at = key_node->at;
        where.end = key_node->end;
        return adn_value_later(&v, &where);
    }
    return adn_config_read_entry(conf, key, path, item->value);
}

adn_status adn_config_read_map(adn_config *conf, const adn_node *map, const char *section)
{
    adn_status bad = ADN_OK;
    for (const adn_item *item = map->items; item != NULL; item = item->next) {
        if (conf->origins->n_error > ADN_MAX_ERRORS) return ADN_BADCONF;
        adn_status st = read_item(conf, map, item, section);
        if (st == ADN_NOMEM) return st;
        if (st != ADN_OK) bad = st;
    }
    return bad;
}
