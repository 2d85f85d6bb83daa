/* The configuration as text: YAML that loads again, JSON with flat keys, and what was given. */
#include "config/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"

enum { COMMENT_AT = 44, MAX_PATH = 96 };

/* Entries of a list of sections that have a value: given ones, and those that auto resolved. */
static int count_entries(const adn_config *conf, const adn_key *list)
{
    size_t n_path = strlen(list->path);
    int n = 0;
    for (const adn_setting *s = conf->origins->settings; s != NULL; s = s->next)
        if (strncmp(s->path, list->path, n_path) == 0 && s->path[n_path] == '[' && s->value != NULL)
            n = ADN_MAX(n, atoi(s->path + n_path + 1) + 1);
    return ADN_MAX(n, adn_config_count(conf, list));
}

static const char *file_line(const adn_setting *s, char *out, size_t room)
{
    snprintf(out, room, "%s", s->place);
    char *colon = strrchr(out, ':');
    if (s->node->line > 0 && colon != NULL) *colon = '\0'; /* the column is for messages */
    return out;
}

static void add_origin(adn_text *t, const adn_setting *s, size_t line_start)
{
    char place[640];
    const char *from = s->resolved != NULL              ? "auto"
                       : s->origin == ADN_FROM_ARGUMENT ? "argument"
                       : s->origin == ADN_FROM_FILE     ? file_line(s, place, sizeof(place))
                                                        : "default";
    size_t width = t->n - line_start;
    adn_text_add(t, "%*s# %s", (int)(width < COMMENT_AT ? COMMENT_AT - width : 1), "", from);
    if (s->unused_in != NULL) adn_text_add(t, ", unused in %s", s->unused_in);
    adn_text_add(t, "\n");
}

/* The value of a leaf; a data root as an absolute path, because a dump is read from another folder.
 */
static void add_value(adn_text *t, const adn_config *conf, const adn_setting *s)
{
    char here[4096];
    adn_text path = {0};

    if (s->key->type != ADN_KEY_PATH) {
        adn_text_add(t, "%s", s->resolved != NULL ? s->resolved : s->value);
        return;
    }
    if (conf->data.root[0] != '/' && getcwd(here, sizeof(here)) != NULL)
        adn_text_add(&path, "%s/", here);
    adn_text_add(&path, "%s", conf->data.root);
    t->failed = t->failed || path.failed;
    if (!path.failed) adn_text_yaml(t, path.s);
    adn_text_clear(&path);
}

/* True when a key at this path or inside it is read; such lines stand, the others are comments. */
static bool is_live(const adn_config *conf, const char *path)
{
    size_t n = strlen(path);
    for (const adn_setting *s = conf->origins->settings; s != NULL; s = s->next)
        if (s->value != NULL && s->unused_in == NULL && strncmp(s->path, path, n) == 0 &&
            strchr(".[", s->path[n]) != NULL)
            return true;
    return false;
}

static bool has_value(const adn_config *conf, const char *path)
{
    size_t n = strlen(path);
    for (const adn_setting *s = conf->origins->settings; s != NULL; s = s->next)
        if (s->value != NULL && strncmp(s->path, path, n) == 0 && strchr(".[", s->path[n]) != NULL)
            return true;
    return false;
}

/* The begin of a line. `lead` is "- " until it was written before an entry's first key that stands.
 */
static void add_head(adn_text *t, bool is_standing, bool is_leading, int indent, const char **lead,
                     const char *name)
{
    adn_text_add(t, "%s%*s%s%s:", is_standing ? "" : "# ", indent - (int)strlen(*lead), "",
                 is_leading         ? *lead
                 : *lead[0] != '\0' ? "  "
                                    : "",
                 name);
    if (is_leading) *lead = "";
}

/* A unit on one line: only what was given. */
static void add_unit(adn_text *t, const adn_config *conf, const char *path, int indent)
{
    static const char *const keys[] = {"pool", "conv", "residual", "stride", "bias", "repeat"};
    size_t start = t->n;
    int n = 0;

    adn_text_add(t, "%*s- {", indent, "");
    for (size_t i = 0; i < ADN_COUNT(keys); i++) {
        char full[MAX_PATH + 16];
        snprintf(full, sizeof(full), "%s.%s", path, keys[i]);
        const adn_setting *s = adn_config_find(conf, full);
        if (s != NULL) adn_text_add(t, "%s%s: %s", n++ > 0 ? ", " : "", keys[i], s->value);
    }
    adn_text_add(t, "}");
    add_origin(t, adn_config_find(conf, path), start);
}

static void add_section(adn_text *t, const adn_config *conf, const char *row, const char *path,
                        int indent, const char *lead);

static void add_list(adn_text *t, const adn_config *conf, const adn_key *list, const char *name,
                     int indent)
{
    int n = count_entries(conf, list);
    bool is_units = strcmp(list->path, "model.units") == 0;

    if (n == 0) return;
    adn_text_add(t, "%s%*s%s:\n", is_live(conf, list->path) ? "" : "# ", indent, "", name);
    for (int i = 0; i < n; i++) {
        char path[MAX_PATH], row[MAX_PATH];
        snprintf(path, sizeof(path), "%s[%d]", list->path, i);
        snprintf(row, sizeof(row), "%s[]", list->path);
        if (is_units)
            add_unit(t, conf, path, indent + 2);
        else
            add_section(t, conf, row, path, indent + 4, "- ");
    }
}

/* All rows of a section that have a value. */
static void add_section(adn_text *t, const adn_config *conf, const char *row, const char *path,
                        int indent, const char *lead)
{
    bool is_all_unused = path[0] != '\0' && !is_live(conf, path);
    const char *name;
    for (int i = 0; i < adn_schema_n; i++) {
        const adn_key *key = &adn_schema[i];
        char full[MAX_PATH];
        if (!adn_schema_is_child(key, row, &name)) continue;
        snprintf(full, sizeof(full), "%s%s%s", path, path[0] != '\0' ? "." : "", name);
        const adn_setting *s = adn_config_find(conf, full);
        size_t start = t->n;
        if (key->type == ADN_KEY_SECTIONS) {
            add_list(t, conf, key, name, indent);
        } else if (key->type == ADN_KEY_SECTION && has_value(conf, full)) {
            add_head(t, is_live(conf, full), is_live(conf, full) || is_all_unused, indent, &lead,
                     name);
            adn_text_add(t, "\n");
            add_section(t, conf, key->path, full, indent + 2, "");
        } else if (key->type != ADN_KEY_SECTION && s != NULL && s->value != NULL) {
            add_head(t, s->unused_in == NULL, s->unused_in == NULL || is_all_unused, indent, &lead,
                     name);
            adn_text_add(t, " ");
            add_value(t, conf, s);
            add_origin(t, s, start);
        }
    }
}

adn_status adn_config_dump(const adn_config *conf, char **out)
{
    adn_text t = {0};
    add_section(&t, conf, "", "", 0, "");
    return adn_text_finish(&t, out);
}

/* A scalar as JSON: numbers and booleans as such, all else as text. */
static void add_json(adn_json *j, const char *key, const adn_key *row, const char *value)
{
    bool is_text =
        row->type == ADN_KEY_TEXT || row->type == ADN_KEY_PATH || row->type == ADN_KEY_NAME;
    double number;

    if (!is_text && adn_number_fault(value, &number) == NULL) {
        if (strpbrk(value, ".eE") == NULL)
            adn_json_int(j, key, strtoll(value, NULL, 10));
        else
            adn_json_number(j, key, number);
    } else if (row->type == ADN_KEY_BOOL) {
        adn_json_bool(j, key, strcmp(value, "true") == 0);
    } else {
        adn_json_string(j, key, value);
    }
}

static void add_json_leaf(adn_json *j, const adn_config *conf, const adn_setting *s)
{
    const char *value = s->resolved != NULL ? s->resolved : s->value;
    if (s->key->type == ADN_KEY_TEXT)
        value = strcmp(s->path, "name") == 0 ? conf->name : conf->runs;
    if (s->key->type == ADN_KEY_PATH) value = conf->data.root;
    adn_json_newline(j);
    if (value[0] != '[' || s->key->type == ADN_KEY_TEXT || s->key->type == ADN_KEY_PATH) {
        add_json(j, s->path, s->key, value);
        return;
    }
    adn_json_open(j, s->path, '[');
    for (value++; *value != ']' && *value != '\0';) {
        char item[64];
        size_t n = strcspn(value, ",]");
        snprintf(item, sizeof(item), "%.*s", (int)n, value);
        add_json(j, NULL, s->key, item);
        value += n;
        value += strspn(value, ", ");
    }
    adn_json_close(j, ']');
}

adn_status adn_config_dump_json(const adn_config *conf, char **out)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '{');
    for (int i = 0; i < adn_schema_n; i++) { /* in the table's order, entry by entry */

        for (const adn_setting *s = conf->origins->settings; s != NULL; s = s->next)
            if (s->key == &adn_schema[i] && s->value != NULL) add_json_leaf(&j, conf, s);
    }
    adn_json_close(&j, '}');
    if (j.failed) {
        adn_json_clear(&j);
        return ADN_FAIL(ADN_NOMEM, "config: no memory for a dump");
    }
    *out = j.text;
    return ADN_OK;
}

static int by_path(const void *a, const void *b)
{
    const adn_setting *const *x = a, *const *y = b;
    return strcmp((*x)->path, (*y)->path);
}

static bool is_given(const adn_setting *s)
{
    return s->origin == ADN_FROM_FILE || s->origin == ADN_FROM_ARGUMENT;
}

static bool is_used(const adn_setting *s)
{
    return s->unused_in == NULL;
}

/* "key = value" lines of the settings that are in, sorted. */
static adn_status dump_lines(const adn_config *conf, bool (*is_in)(const adn_setting *),
                             bool with_auto, char **out)
{
    adn_text t = {0};
    size_t n = 0;

    for (const adn_setting *s = conf->origins->settings; s != NULL; s = s->next) n++;
    const adn_setting **sorted = adn_alloc(n * sizeof(*sorted));
    if (sorted == NULL) return ADN_FAIL(ADN_NOMEM, "config: no memory");
    n = 0;
    for (const adn_setting *s = conf->origins->settings; s != NULL; s = s->next)
        if (s->value != NULL && is_in(s) && strcmp(s->path, "name") != 0 &&
            strcmp(s->path, "runs") != 0)
            sorted[n++] = s;
    qsort(sorted, n, sizeof(*sorted), by_path);
    for (size_t i = 0; i < n; i++)
        adn_text_add(&t, "%s = %s\n", sorted[i]->path,
                     with_auto && sorted[i]->resolved != NULL ? sorted[i]->resolved
                                                              : sorted[i]->value);
    adn_free(sorted);
    return adn_text_finish(&t, out);
}

adn_status adn_config_given(const adn_config *conf, char **out)
{
    return dump_lines(conf, is_given, false, out);
}

adn_status adn_config_settings(const adn_config *conf, char **out)
{
    return dump_lines(conf, is_used, true, out);
}
