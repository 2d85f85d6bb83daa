/* One argument "optim.lr=0.05" or "blocks[1].threads=2": found in the same table, read by the same
 * code. */
#include "config/load.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Words, dots, and indices of one to four digits in brackets. */
static bool is_path(const char *s)
{
    if (!isalpha((unsigned char)*s)) return false;
    for (; *s != '\0'; s++) {
        if (*s == '[') {
            size_t digits = strspn(s + 1, "0123456789");
            if (digits < 1 || digits > 4 || s[digits + 1] != ']') return false;
            s += digits + 1;
            if (s[1] != '\0' && s[1] != '.') return false;
        } else if (*s == '.' ? !isalpha((unsigned char)s[1])
                             : !isalnum((unsigned char)*s) && *s != '_') {
            return false;
        }
    }
    return true;
}

/* Says which part of an unknown key is the wrong one: "optm" of "optm.lr", "lrr" in "optim". */
static adn_status explain_unknown(adn_config *conf, const adn_source *src, const char *path)
{
    adn_pool *pool = &conf->origins->pool;
    const char *section = "";
    const adn_key *parent = NULL;

    for (const char *from = path;;) {
        size_t n = strcspn(from, ".");
        const char *prefix = adn_pool_copy(pool, path, (size_t)(from - path) + n);
        char *name = adn_pool_copy(pool, from, strcspn(from, ".["));
        if (prefix == NULL || name == NULL) return ADN_NOMEM;
        char *stem = adn_pool_copy(pool, path, (size_t)(from - path) + strlen(name));
        if (stem == NULL) return ADN_NOMEM;
        const adn_key *key = adn_schema_find(stem);
        if (parent != NULL && parent->type != ADN_KEY_SECTION && parent->type != ADN_KEY_SECTIONS)
            return adn_config_error(&src->whole, "'%s' has no keys inside", section);
        if (parent != NULL && parent->type == ADN_KEY_SECTIONS &&
            section[strlen(section) - 1] != ']')
            return adn_config_error(&src->whole, "'%s' is a list: expected '%s[0].%s'", section,
                                    section, from);
        if (key == NULL) return adn_config_unknown(conf, &src->whole, name, section);
        if (from[strlen(name)] == '[' && key->type != ADN_KEY_SECTIONS)
            return adn_config_error(&src->whole, "'%s' has no numbered entries: give it as a whole",
                                    stem);
        if (from[n] == '\0')
            return adn_config_error(&src->whole, "'%s' is no key", adn_show(path).s);
        section = prefix;
        parent = key;
        from += n + 1;
    }
}

/* "chaos.slow.factor" to "chaos.slow[0].factor": of the one entry of a list that takes one section
 * as such. Leaves other paths alone, and those of lists with more entries. */
static adn_status name_entry(adn_config *conf, char **path)
{
    for (int i = 0; i < adn_schema_n; i++) {
        const adn_key *list = &adn_schema[i];
        size_t n = strlen(list->path);
        if (!list->takes_one || strncmp(*path, list->path, n) != 0 || (*path)[n] != '.' ||
            adn_config_count(conf, list) > 1)
            continue;
        *path = adn_pool_format(&conf->origins->pool, "%s[0]%s", list->path, *path + n);
        return *path == NULL ? ADN_NOMEM : ADN_OK;
    }
    return ADN_OK;
}

/* Makes sure that the list entry the path names is there: units alone do not grow. */
static adn_status reach_entry(adn_config *conf, const adn_source *src, const char *path)
{
    const char *open = strchr(path, '[');
    if (open == NULL) return ADN_OK;
    char *stem = adn_pool_copy(&conf->origins->pool, path, (size_t)(open - path));
    if (stem == NULL) return ADN_NOMEM;
    const adn_key *list = adn_schema_find(stem);
    int i = atoi(open + 1), n = adn_config_count(conf, list);
    if (i < n) return ADN_OK;
    if (strcmp(stem, "model.units") == 0)
        return adn_config_error(&src->whole, "'%s' has %d entries, counted from 0", stem, n);
    if (i >= ADN_MAX_SECTIONS)
        return adn_config_error(&src->whole, "'%s' has at most %d entries", stem, ADN_MAX_SECTIONS);
    return adn_config_grow(conf, list, i + 1);
}

adn_status adn_config_override(adn_config *conf, const char *argument)
{
    adn_pool *pool = &conf->origins->pool;
    const char *equals = strchr(argument, '=');
    adn_source *src = adn_pool_take(pool, sizeof(*src));
    const char *name = adn_pool_copy(pool, argument, strlen(argument));
    adn_node *node = NULL;
    adn_status st;

    if (src == NULL || name == NULL) return ADN_NOMEM;
    const char *value = equals == NULL ? "" : name + (equals - argument) + 1;
    adn_source_init(src, ADN_FROM_ARGUMENT, name, value, strlen(value), &conf->origins->n_error);
    if (equals == NULL)
        return adn_config_error(&src->whole, "expected key=value, such as optim.lr=0.05");
    char *path = adn_pool_copy(pool, argument, (size_t)(equals - argument));
    if (path == NULL) return ADN_NOMEM;
    if (!is_path(path))
        return adn_config_error(
            &src->whole, "'%s' is no key, such as optim.lr or blocks[0].threads", adn_show(path).s);

    ADN_TRY(st, name_entry(conf, &path), fail);
    const adn_key *key = adn_schema_find(path);
    size_t n = strlen(path);
    bool is_entry = path[n - 1] == ']' && (key == NULL || key->type != ADN_KEY_SECTION);
    if (is_entry) { /* blocks[1]={threads: 2} */
        char *stem = adn_pool_copy(pool, path, strcspn(path, "["));
        if (stem == NULL) return ADN_NOMEM;
        key = adn_schema_find(stem);
        if (key != NULL &&
            (key->type != ADN_KEY_SECTIONS || strchr(strchr(path, '['), '.') != NULL))
            key = NULL;
    }
    if (key == NULL) return explain_unknown(conf, src, path);
    ADN_TRY(st, reach_entry(conf, src, path), fail);
    bool is_text = key->type == ADN_KEY_TEXT || key->type == ADN_KEY_PATH;
    if (!is_text && (value[0] == '[' || value[0] == '{'))
        st = adn_yaml_parse(src, pool, &node);
    else
        st = adn_yaml_scalar(src, pool, &node);
    if (st != ADN_OK) return st;
    if (!is_entry) return adn_config_read_entry(conf, key, path, node);
    if (node->kind != ADN_NODE_MAP)
        return adn_config_error(node, "'%s' must be a section of keys", path);
    return adn_config_read_map(conf, node, path);
fail:
    return st;
}
