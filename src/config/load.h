/* What the parts of this folder share while a configuration is read and afterwards: its settings,
 * each with where it came from. */
#ifndef ADN_CONFIG_LOAD_H
#define ADN_CONFIG_LOAD_H

#include "config/parse.h"
#include "config/schema.h"

typedef struct adn_setting { /* one key that has a value, or one section that was given */
    const char *path;        /* "blocks[1].threads" */
    const adn_key *key;
    const adn_node *node; /* the value as given; never NULL */
    const char *value;    /* as it is written in a file, normalised; NULL: of a section */
    const char *resolved; /* what auto became; NULL: nothing yet */
    const char *place;    /* "exp.yaml:24:3" */
    adn_origin origin;
    const char *unused_in; /* "mode bp"; NULL: it is used */
    bool is_bad;           /* refused: what depends on it is not checked */
    struct adn_setting *next;
} adn_setting;

typedef struct adn_config_origins {
    adn_pool pool; /* all that this configuration points to */
    adn_setting *settings, *last;
    adn_source file, defaults; /* the file's text NULL: there is none */
    int n_error;
} adn_config_origins;

adn_setting *adn_config_find(const adn_config *conf, const char *path); /* NULL: has no value */
bool adn_config_is_given(const adn_config *conf, const char *path);     /* by file or argument */
/* False when this key or a section around it had an error that was said. */
bool adn_config_is_sure(const adn_config *conf, const char *path);
/* Where to point for a key: its value, or the configuration as a whole. */
const adn_node *adn_config_node(const adn_config *conf, const char *path);
/* Records a setting (origin, place: the node's), or replaces it. NULL: no memory. */
adn_setting *adn_config_set(adn_config *conf, const char *path, const adn_key *key,
                            const adn_node *node, const char *value);
/* Forgets the setting and all inside it: "model.units" takes "model.units[0].conv" along. */
void adn_config_unset(adn_config *conf, const char *path);

/* Reads one value by its row into the field of `path`, and records the setting. ADN_BADCONF: said.
 */
adn_status adn_config_read_leaf(adn_config *conf, const adn_key *key, const char *path,
                                const adn_node *node) ADN_MUST_USE;
/* The same for what may be a section. */
adn_status adn_config_read_entry(adn_config *conf, const adn_key *key, const char *path,
                                 const adn_node *node) ADN_MUST_USE;
adn_status adn_config_read_map(adn_config *conf, const adn_node *map,
                               const char *section) ADN_MUST_USE;
/* "unknown key 'momentun' in 'optim' (did you mean 'momentum'?)" */
adn_status adn_config_unknown(adn_config *conf, const adn_node *where, const char *name,
                              const char *section) ADN_MUST_USE;
/* The defaults of all rows under `prefix` ("" or "blocks[]"), whose entry is called `path`. */
adn_status adn_config_read_defaults(adn_config *conf, const char *prefix,
                                    const char *path) ADN_MUST_USE;
/* Makes a list of sections n entries long, new ones with their defaults. */
adn_status adn_config_grow(adn_config *conf, const adn_key *list, int n) ADN_MUST_USE;
int adn_config_count(const adn_config *conf, const adn_key *list);
/* The first setting that was given at or inside `path`: what a message about the whole points to.
 * NULL: none. */
const adn_setting *adn_config_given_in(const adn_config *conf, const char *path);
/* override.c: one "key=value". */
adn_status adn_config_override(adn_config *conf, const char *argument) ADN_MUST_USE;

/* A value being read into its field. */
typedef struct adn_value {
    adn_pool *pool;
    const adn_key *key;
    const char *path;
    const adn_node *node;
    void *field, *field_n, *field_auto;
    adn_text canon;      /* the value as written in a file, normalised */
    uint64_t scratch[8]; /* where keys without a field go */
} adn_value;

/* Reads v->node into the field by the key's row. ADN_BADCONF: said. */
adn_status adn_value_read(adn_value *v) ADN_MUST_USE;
adn_status adn_value_read_list(adn_value *v) ADN_MUST_USE; /* the types that may be lists */
/* "'optim.lr' cannot be '3k' (reason): expected ..."; reason NULL: none to add. */
adn_status adn_value_refuse(const adn_value *v, const adn_node *node,
                            const char *reason) ADN_MUST_USE;
adn_status adn_value_later(const adn_value *v, const adn_node *node) ADN_MUST_USE;
adn_status adn_value_int(const adn_value *v, const adn_node *node, int64_t lo, int64_t hi,
                         int64_t *out) ADN_MUST_USE;
adn_status adn_value_real(const adn_value *v, const adn_node *node, double *out) ADN_MUST_USE;
adn_status adn_value_duration(const adn_value *v, const adn_node *node, adn_duration *out,
                              adn_text *canon) ADN_MUST_USE;
adn_status adn_value_amount(adn_value *v, double *out) ADN_MUST_USE;
/* What is wrong with a decimal number; NULL: nothing, and *out is it. */
const char *adn_number_fault(const char *s, double *out);

/* finish.c: what follows from other keys (defaults of heads, the name, blocks named by arguments).
 */
adn_status adn_config_finish(adn_config *conf) ADN_MUST_USE;
/* check.c: what the keys say about each other; errors and warnings are said. */
adn_status adn_config_check(adn_config *conf) ADN_MUST_USE;
/* edges.c: what `auto` became and what each block's own edge is; and what such keys say about each
 * other. */
adn_status adn_config_finish_edges(adn_config *conf) ADN_MUST_USE;
void adn_config_check_edges(const adn_config *conf);
/* chaos.c: n_block 0: not known. */
void adn_config_check_chaos(const adn_config *conf, int n_block);
/* unused.c: marks the keys that this configuration does not read, and warns of those that were
 * given. */
void adn_config_mark_unused(adn_config *conf);

#endif
