/* What follows from other keys, once file and arguments are read. */
#include "config/load.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"

int adn_config_units(const adn_config *conf)
{
    int n = 0;
    if (conf->model.name != NULL)
        return adn_schema_word(adn_schema_find("model.name"), conf->model.name)->value;
    for (int i = 0; i < conf->model.n_unit; i++) n += conf->model.units[i].repeat;
    return n;
}

int adn_config_blocks(const adn_config *conf)
{
    if (conf->mode == ADN_MODE_BP) return 1;
    if (conf->model.cuts_kind == ADN_CUTS_AUTO) return conf->n_block;
    return conf->model.cuts_kind == ADN_CUTS_LIST ? conf->model.n_cut + 1 : adn_config_units(conf);
}

/* The file's name without folder and .yaml. */
static adn_status default_name(adn_config *conf)
{
    adn_pool *pool = &conf->origins->pool;
    const char *path = conf->path == NULL ? "run" : conf->path, *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    size_t n = strlen(base);
    adn_text quoted = {0};
    char *text = NULL;

    if (conf->name != NULL || !adn_config_is_sure(conf, "name")) return ADN_OK;
    if (n >= 5 && strcmp(base + n - 5, ".yaml") == 0)
        n -= 5;
    else if (n >= 4 && strcmp(base + n - 4, ".yml") == 0)
        n -= 4;
    char *name = adn_pool_copy(pool, base, n);
    if (name == NULL) return ADN_NOMEM;
    conf->name = name;
    adn_text_yaml(&quoted, name);
    adn_status st = adn_text_finish(&quoted, &text);
    if (st != ADN_OK) return st;
    const char *kept = adn_pool_copy(pool, text, strlen(text));
    adn_free(text);
    if (kept == NULL || adn_config_set(conf, "name", adn_schema_find("name"),
                                       &conf->origins->defaults.whole, kept) == NULL)
        return ADN_NOMEM;
    return ADN_OK;
}

/* A root in the file is relative to the file. */
static adn_status place_root(adn_config *conf)
{
    const adn_setting *s = adn_config_find(conf, "data.root");
    const char *slash = conf->path == NULL ? NULL : strrchr(conf->path, '/');

    if (s->origin != ADN_FROM_FILE || s->is_bad || slash == NULL || conf->data.root[0] == '/')
        return ADN_OK;
    conf->data.root = adn_pool_format(&conf->origins->pool, "%.*s/%s", (int)(slash - conf->path),
                                      conf->path, conf->data.root);
    return conf->data.root == NULL ? ADN_NOMEM : ADN_OK;
}

static void finish_units(adn_config *conf)
{
    char path[64];
    for (int i = 0; i < conf->model.n_unit; i++) {
        adn_unit_conf *u = &conf->model.units[i];
        snprintf(path, sizeof(path), "model.units[%d]", i);
        const adn_node *node = adn_config_node(conf, path);
        u->line = node->line;
        u->column = node->column;
        snprintf(path, sizeof(path), "model.units[%d].residual", i);
        u->is_residual = adn_config_find(conf, path) != NULL;
        if (!u->is_residual) continue;
        u->bias = false;
    }
    if (adn_config_is_given(conf, "model.units") && !adn_config_is_given(conf, "model.name")) {
        conf->model.name = NULL; /* the default network gives way */
        adn_config_unset(conf, "model.name");
    }
}

/* The number of convolutions that a kind of head has where none is given. */
static int default_convs(adn_head_kind kind)
{
    return kind == ADN_HEAD_CNN ? 2 : 3;
}

/* A block's head: its own keys, then those of aux, then the defaults. */
static void finish_heads(adn_config *conf)
{
    static const char *const keys[] = {"kind", "conv", "hidden", "label_smoothing"};
    bool has_conv = adn_config_is_given(conf, "aux.conv");
    char path[64];

    if (!has_conv && conf->aux.kind == ADN_HEAD_CNN) {
        conf->aux.conv = default_convs(conf->aux.kind);
        adn_config_find(conf, "aux.conv")->value = "2";
    }
    for (int i = 0; i < conf->n_block; i++) {
        adn_head_conf own = conf->blocks[i].aux, *aux = &conf->blocks[i].aux;
        bool has[ADN_COUNT(keys)];
        conf->blocks[i].has_aux = false;
        for (size_t k = 0; k < ADN_COUNT(keys); k++) {
            snprintf(path, sizeof(path), "blocks[%d].aux.%s", i, keys[k]);
            has[k] = adn_config_find(conf, path) != NULL;
            conf->blocks[i].has_aux = conf->blocks[i].has_aux || has[k];
        }
        *aux = conf->aux;
        if (has[0]) aux->kind = own.kind;
        if (!has_conv) aux->conv = default_convs(aux->kind);
        if (has[1]) aux->conv = own.conv;
        if (has[2]) aux->hidden = own.hidden;
        if (has[3]) aux->label_smoothing = own.label_smoothing;
    }
}

adn_status adn_config_finish(adn_config *conf)
{
    adn_status st;

    finish_units(conf);
    ADN_TRY(st, default_name(conf), fail);
    ADN_TRY(st, place_root(conf), fail);
    /* blocks that only arguments speak of: the others are there, with their defaults */
    bool is_list_given = adn_config_find(conf, "blocks") != NULL;
    int n = adn_config_blocks(conf);
    if (!is_list_given && conf->n_block > 0 && n <= ADN_MAX_SECTIONS &&
        adn_config_is_sure(conf, "model"))
        ADN_TRY(st, adn_config_grow(conf, adn_schema_find("blocks"), n), fail);
    finish_heads(conf);
    ADN_TRY(st, adn_config_finish_edges(conf), fail);
    return ADN_OK;
fail:
    return st;
}
