/* YAML text to a tree of nodes with places, by libfyaml's events. Aliases are resolved here, where
 * an anchor that is still open shows a loop; keys are compared by the reader of the tree. */
#include "config/parse.h"

#include <libfyaml.h>
#include <string.h>

enum { MAX_DEPTH = 16 }; /* the schema needs 5 */

typedef struct anchor {
    const char *name;
    adn_node *node;
    bool is_open; /* its value is still being read */
    struct anchor *before;
} anchor;

typedef struct builder {
    const adn_source *src;
    adn_pool *pool;
    struct fy_parser *fyp;
    struct fy_diag *diag;
    anchor *anchors;
} builder;

void adn_source_init(adn_source *src, adn_origin origin, const char *name, const char *text,
                     size_t n_text, int *n_error)
{
    *src = (adn_source){.origin = origin, .name = name, .text = text, .n_text = n_text};
    src->n_error = n_error;
    src->whole.src = src;
}

/* A config is UTF-8 without control characters: said with the byte's offset, before libfyaml, which
 * takes a zero byte for the end. */
static adn_status check_bytes(const adn_source *src)
{
    const unsigned char *s = (const unsigned char *)src->text;
    for (size_t i = 0; i < src->n_text;) {
        size_t more = s[i] < 0x80   ? 0
                      : s[i] < 0xc2 ? 9
                      : s[i] < 0xe0 ? 1
                      : s[i] < 0xf0 ? 2
                      : s[i] < 0xf5 ? 3
                                    : 9;
        bool is_good = more < src->n_text - i;
        if (more == 0)
            is_good =
                (s[i] >= 0x20 && s[i] != 0x7f) || s[i] == '\n' || s[i] == '\r' || s[i] == '\t';
        for (size_t k = 1; is_good && k <= more; k++) is_good = (s[i + k] & 0xc0) == 0x80;
        if (is_good && more == 1) is_good = s[i] != 0xc2 || s[i + 1] >= 0xa0; /* C1 controls */
        if (is_good && more == 2) /* too long a form; half of a surrogate pair */
            is_good = !(s[i] == 0xe0 && s[i + 1] < 0xa0) && !(s[i] == 0xed && s[i + 1] >= 0xa0);
        if (is_good && more == 3) /* too long a form; beyond the last character */
            is_good = !(s[i] == 0xf0 && s[i + 1] < 0x90) && !(s[i] == 0xf4 && s[i + 1] >= 0x90);
        if (!is_good)
            return adn_config_error(&src->whole,
                                    "byte 0x%02x at offset %zu is no text: expected YAML in UTF-8",
                                    s[i], i);
        i += more + 1;
    }
    return ADN_OK;
}

adn_status adn_yaml_scalar(const adn_source *src, adn_pool *pool, adn_node **out)
{
    adn_status st = check_bytes(src);
    if (st != ADN_OK) return st;
    adn_node *node = adn_pool_take(pool, sizeof(*node));
    if (node == NULL) return ADN_NOMEM;
    *node = (adn_node){.src = src, .text = src->text};
    *out = node;
    return ADN_OK;
}

static void no_output(struct fy_diag *diag, void *user, const char *text, size_t n)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)n;
}

/* libfyaml's first complaint as ours; those after it follow from it. */
static adn_status syntax_error(builder *b)
{
    void *at = NULL;
    const struct fy_diag_error *e;
    adn_node where = b->src->whole;

    while ((e = fy_diag_errors_iterate(b->diag, &at)) != NULL && e->type != FYET_ERROR) continue;
    if (e == NULL || e->msg == NULL) return adn_config_error(&where, "cannot be read as YAML");
    where.line = e->line;
    where.column = e->column;
    for (int line = 1; line < e->line && where.at < b->src->n_text; where.at++)
        if (b->src->text[where.at] == '\n') line++;
    for (int column = 1; column < e->column && where.at < b->src->n_text; where.at++)
        if (where.at + 1 < b->src->n_text &&
            ((unsigned char)b->src->text[where.at + 1] & 0xc0) != 0x80)
            column++;
    where.end = where.at + 1;
    return adn_config_error(&where, "%s", e->msg);
}

/* The place of an event; `near` where libfyaml has none (a value that is not there). A quoted
 * scalar or an alias begins one byte before its mark. */
static void place(builder *b, struct fy_event *e, const adn_node *near, adn_node *node)
{
    const struct fy_mark *from = fy_event_start_mark(e), *to = fy_event_end_mark(e);
    node->src = b->src;
    if (from == NULL || to == NULL || from->input_pos > b->src->n_text) {
        node->line = near->line;
        node->column = near->column;
        node->at = near->at;
        node->end = near->end;
        return;
    }
    node->line = from->line + 1;
    node->column = from->column + 1;
    node->at = from->input_pos;
    node->end = ADN_MAX(to->input_pos, node->at + 1);
    char before = (char)(node->at > 0 ? b->src->text[node->at - 1] : '\n');
    bool is_opened = (node->is_quoted && (before == '"' || before == '\'')) ||
                     (e->type == FYET_ALIAS && before == '*');
    if (is_opened && node->column > 1) {
        node->column--;
        node->at--;
        if (node->is_quoted) node->end++;
    }
}

static adn_status next(builder *b, struct fy_event **out)
{
    *out = fy_parser_parse(b->fyp);
    return *out != NULL ? ADN_OK : syntax_error(b);
}

static const char *token_text(builder *b, struct fy_token *token)
{
    size_t n = 0;
    const char *s = fy_token_get_text(token, &n);
    return adn_pool_copy(b->pool, s == NULL ? "" : s, s == NULL ? 0 : n);
}

/* Takes what a value's first event says; the event is freed by the caller. */
static adn_status open_node(builder *b, struct fy_event *e, const adn_node *near, adn_node *node,
                            anchor **out_anchor)
{
    struct fy_token *tag = NULL, *name = NULL;

    if (e->type == FYET_SCALAR) {
        node->is_quoted = fy_token_scalar_style(e->scalar.value) != FYSS_PLAIN;
        node->text = token_text(b, e->scalar.value);
        if (node->text == NULL) return ADN_NOMEM;
        tag = e->scalar.tag;
        name = e->scalar.anchor;
    } else if (e->type == FYET_SEQUENCE_START) {
        node->kind = ADN_NODE_LIST;
        tag = e->sequence_start.tag;
        name = e->sequence_start.anchor;
    } else {
        node->kind = ADN_NODE_MAP;
        tag = e->mapping_start.tag;
        name = e->mapping_start.anchor;
    }
    place(b, e, near, node);
    if (tag != NULL) return adn_config_error(node, "tags ('!...') have no meaning here");
    if (name == NULL) return ADN_OK;
    anchor *a = adn_pool_take(b->pool, sizeof(*a));
    if (a == NULL || (a->name = token_text(b, name)) == NULL) return ADN_NOMEM;
    a->node = node;
    a->is_open = true;
    a->before = b->anchors;
    b->anchors = *out_anchor = a;
    return ADN_OK;
}

static adn_status follow_alias(builder *b, struct fy_event *e, const adn_node *near, adn_node **out)
{
    adn_node where = {0};
    const char *name = token_text(b, e->alias.anchor);

    if (name == NULL) return ADN_NOMEM;
    place(b, e, near, &where);
    for (const anchor *a = b->anchors; a != NULL; a = a->before) {
        if (strcmp(a->name, name) != 0) continue;
        if (a->is_open)
            return adn_config_error(&where, "alias '*%s' stands inside its own anchor: a loop",
                                    adn_show(name).s);
        *out = a->node;
        return ADN_OK;
    }
    return adn_config_error(&where, "alias '*%s' has no anchor '&%s' before it", adn_show(name).s,
                            adn_show(name).s);
}

/* Reads the value that begins with event e (taken: freed here), and all in it. */
static adn_status read_value(builder *b, struct fy_event *e, const adn_node *near, int depth,
                             adn_node **out)
{
    adn_status st;
    anchor *open = NULL;

    if (e->type == FYET_ALIAS) {
        st = follow_alias(b, e, near, out);
        fy_parser_event_free(b->fyp, e);
        return st;
    }
    adn_node *node = adn_pool_take(b->pool, sizeof(*node));
    st = node == NULL ? ADN_NOMEM : open_node(b, e, near, node, &open);
    fy_parser_event_free(b->fyp, e);
    if (st != ADN_OK) return st;
    if (node->kind != ADN_NODE_SCALAR && depth >= MAX_DEPTH)
        return adn_config_error(node, "nested deeper than %d levels", MAX_DEPTH);

    adn_item **tail = &node->items;
    while (node->kind != ADN_NODE_SCALAR) {
        ADN_TRY(st, next(b, &e), fail);
        if (e->type == FYET_SEQUENCE_END || e->type == FYET_MAPPING_END) {
            fy_parser_event_free(b->fyp, e);
            break;
        }
        adn_item *item = adn_pool_take(b->pool, sizeof(*item));
        if (item == NULL) {
            fy_parser_event_free(b->fyp, e);
            return ADN_NOMEM;
        }
        if (node->kind == ADN_NODE_MAP) {
            ADN_TRY(st, read_value(b, e, node, depth + 1, &item->key), fail);
            ADN_TRY(st, next(b, &e), fail);
        }
        ADN_TRY(st, read_value(b, e, item->key != NULL ? item->key : node, depth + 1, &item->value),
                fail);
        *tail = item;
        tail = &item->next;
        node->n_item++;
    }
    if (open != NULL) open->is_open = false;
    *out = node;
    return ADN_OK;
fail:
    return st;
}

static adn_status read_stream(builder *b, adn_node **out)
{
    adn_status st;
    adn_node *root = NULL;

    for (;;) {
        struct fy_event *e = NULL;
        ADN_TRY(st, next(b, &e), fail);
        if (e->type == FYET_STREAM_END) {
            fy_parser_event_free(b->fyp, e);
            break;
        }
        if (e->type == FYET_STREAM_START || e->type == FYET_DOCUMENT_END ||
            (e->type == FYET_DOCUMENT_START && root == NULL)) {
            fy_parser_event_free(b->fyp, e);
        } else if (root == NULL) {
            ADN_TRY(st, read_value(b, e, &b->src->whole, 0, &root), fail);
        } else {
            adn_node where = {0};
            place(b, e, &b->src->whole, &where);
            fy_parser_event_free(b->fyp, e);
            return adn_config_error(&where, "a second document begins here: expected one");
        }
    }
    if (fy_parser_get_stream_error(b->fyp)) return syntax_error(b);
    *out = root;
    return ADN_OK;
fail:
    return st;
}

adn_status adn_yaml_parse(const adn_source *src, adn_pool *pool, adn_node **out)
{
    builder b = {.src = src, .pool = pool};
    struct fy_diag_cfg said;
    adn_status st = check_bytes(src);

    if (st != ADN_OK) return st;
    fy_diag_cfg_default(&said);
    said.fp = NULL;
    said.output_fn = no_output;
    b.diag = fy_diag_create(&said);
    if (b.diag != NULL) {
        fy_diag_set_collect_errors(b.diag, true);
        b.fyp = fy_parser_create(&(struct fy_parse_cfg){.flags = FYPCF_QUIET, .diag = b.diag});
    }
    if (b.fyp == NULL || fy_parser_set_string(b.fyp, src->text, src->n_text) != 0)
        st = ADN_FAIL(ADN_NOMEM, "config: libfyaml has no memory");
    else
        st = read_stream(&b, out);
    if (b.fyp != NULL) fy_parser_destroy(b.fyp);
    if (b.diag != NULL) fy_diag_destroy(b.diag);
    return st;
}
