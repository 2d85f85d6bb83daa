/* A YAML text as a tree whose nodes know their place, and the messages that show such a place.
 * libfyaml stays behind parse.c. Everything lives in the pool it was read into. */
#ifndef ADN_CONFIG_PARSE_H
#define ADN_CONFIG_PARSE_H

#include "config/text.h"

typedef enum adn_origin {
    ADN_FROM_DEFAULT,
    ADN_FROM_FILE,
    ADN_FROM_ARGUMENT,
    ADN_FROM_AUTO
} adn_origin;

typedef enum adn_node_kind { ADN_NODE_SCALAR, ADN_NODE_LIST, ADN_NODE_MAP } adn_node_kind;

typedef struct adn_node {
    const struct adn_source *src;
    adn_node_kind kind;
    bool is_quoted;
    const char *text;       /* of a scalar, as decoded */
    struct adn_item *items; /* of a list or a map, in their order */
    int n_item;
    int line, column; /* from 1, the column in characters; line 0: no place of its own */
    size_t at, end;   /* bytes of the source */
} adn_node;

typedef struct adn_item {
    adn_node *key; /* NULL in a list */
    adn_node *value;
    struct adn_item *next;
} adn_item;

enum { ADN_MAX_ERRORS = 20 }; /* shown of one configuration */

typedef struct adn_source { /* a file, an argument, or the schema's defaults */
    adn_origin origin;
    const char *name; /* the file's path or the whole argument; NULL: none */
    const char *text;
    size_t n_text;
    adn_node whole; /* for messages about the source itself */
    int *n_error;   /* shared by the sources of one configuration */
} adn_source;

void adn_source_init(adn_source *src, adn_origin origin, const char *name, const char *text,
                     size_t n_text, int *n_error);
/* ADN_BADCONF (said) for what is no text, no YAML, or more than one document; *out NULL for an
 * empty one. */
adn_status adn_yaml_parse(const adn_source *src, adn_pool *pool, adn_node **out) ADN_MUST_USE;
/* The whole source as one plain scalar, taken as it is. ADN_BADCONF: it is no UTF-8. */
adn_status adn_yaml_scalar(const adn_source *src, adn_pool *pool, adn_node **out) ADN_MUST_USE;

/* "file:line:column: error: text", the line and a caret; "argument '...': error: text". Counts it,
 * and always gives ADN_BADCONF, so that a caller can return it. */
adn_status adn_config_error(const adn_node *where, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void adn_config_warn(const adn_node *where, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "exp.yaml:24:3", "argument 'a=b'" or "default", into room bytes. */
void adn_config_where(const adn_node *where, char *out, size_t room);

/* Adds " (did you mean 'x'?)" to a message being built. offer() is called with every candidate. */
typedef struct adn_guess {
    const char *wrong;
    const char *best;
    int distance;
} adn_guess;
void adn_guess_offer(adn_guess *g, const char *candidate);

#endif
