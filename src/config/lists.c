/* Values that are lists, and the device's cores. */
#include "config/load.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ITEMS = ADN_MAX_SECTIONS - 1 /* cuts of as many blocks */,
    MAX_AUGMENT = 16 /* a draw's counter holds sample x 16 + transform */
};

/* An array for the list's items, in the pool; refuses what is no list, or too long. */
static adn_status take_array(adn_value *v, int max, size_t item, void *out_array)
{
    if (v->node->kind != ADN_NODE_LIST) return adn_value_refuse(v, v->node, NULL);
    if (v->node->n_item > max)
        return adn_config_error(v->node, "'%s' has %d entries: expected at most %d", v->path,
                                v->node->n_item, max);
    void *array = adn_pool_take(v->pool, ADN_MAX((size_t)v->node->n_item, 1) * item);
    if (array == NULL) return ADN_NOMEM;
    memcpy(out_array, &array, sizeof(array));
    return ADN_OK;
}

/* "crop 4": a word and, where it has one, a number behind one space. */
static adn_status read_transform(adn_value *v, const adn_node *node, adn_aug_conf *out)
{
    char word[32];
    adn_node number = *node;
    int64_t size = 0;

    if (node->kind != ADN_NODE_SCALAR) return adn_value_refuse(v, node, NULL);
    size_t n = strcspn(node->text, " ");
    if (n >= sizeof(word)) return adn_value_refuse(v, node, NULL);
    memcpy(word, node->text, n);
    word[n] = '\0';
    const adn_word *w = adn_schema_word(v->key, word);
    if (w == NULL) {
        number.text = word; /* the guess is about the word alone */
        return adn_value_refuse(v, &number, NULL);
    }
    if (w->is_later) return adn_value_later(v, node);
    *out = (adn_aug_conf){.kind = (adn_aug_kind)w->value};
    const char *rest = node->text + n + strspn(node->text + n, " ");
    if (w->value == ADN_AUG_FLIP) {
        if (*rest != '\0') return adn_value_refuse(v, node, "flip has no number");
        adn_text_add(&v->canon, "flip");
        return ADN_OK;
    }
    if (*rest == '\0') return adn_value_refuse(v, node, "a number is missing");
    number.text = rest;
    number.is_quoted = false;
    adn_status st = adn_value_int(v, &number, (int64_t)v->key->lo, (int64_t)v->key->hi, &size);
    if (st != ADN_OK) return st;
    out->size = (int)size;
    adn_text_add(&v->canon, "%s %d", w->word, out->size);
    return ADN_OK;
}

/* "0-3" or "2": cores from 0. The machine's number of them is not this file's matter. */
static bool read_cores(const char *s, int *first, int *last)
{
    size_t n = strspn(s, "0123456789"), m = s[n] == '-' ? strspn(s + n + 1, "0123456789") : 0;
    bool has_last = s[n] == '-';

    if (n < 1 || n > 4 || s[n + has_last + m] != '\0' || (has_last && (m < 1 || m > 4)))
        return false;
    *first = atoi(s);
    *last = has_last ? atoi(s + n + 1) : *first;
    return *first <= *last;
}

/* "2": a GPU's number, from 0. */
static bool read_ordinal(const char *s, int *out)
{
    size_t n = strspn(s, "0123456789");

    if (n < 1 || n > 3 || s[n] != '\0') return false;
    *out = atoi(s);
    return true;
}

static adn_status read_device(adn_value *v)
{
    const char *s = v->node->text;
    adn_block_conf *block =
        (adn_block_conf *)(void *)((char *)v->field - offsetof(adn_block_conf, device));

    if (v->node->kind != ADN_NODE_SCALAR) return adn_value_refuse(v, v->node, NULL);
    block->place = strcmp(s, "auto") == 0       ? ADN_PLACE_AUTO
                   : strncmp(s, "cuda", 4) == 0 ? ADN_PLACE_GPU
                                                : ADN_PLACE_CPU;
    block->first_core = block->last_core = block->gpu = -1;
    if (strncmp(s, "cpu:", 4) == 0) {
        if (!read_cores(s + 4, &block->first_core, &block->last_core))
            return adn_value_refuse(v, v->node, "cores are cpu:FIRST-LAST, from 0");
    } else if (block->place == ADN_PLACE_GPU) {
        if (strncmp(s, "cuda:", 5) != 0 || !read_ordinal(s + 5, &block->gpu))
            return adn_value_refuse(v, v->node, "a GPU is cuda:NUMBER, from 0");
    } else if (block->place == ADN_PLACE_CPU && strcmp(s, "cpu") != 0) {
        return adn_value_refuse(v, v->node, NULL);
    }
    block->device = adn_pool_copy(v->pool, s, strlen(s));
    if (block->device == NULL) return ADN_NOMEM;
    adn_text_add(&v->canon, "%s", s);
    return ADN_OK;
}

static adn_status read_no_decay(adn_value *v)
{
    bool has[2] = {false, false};

    if (v->node->kind != ADN_NODE_LIST) return adn_value_refuse(v, v->node, NULL);
    for (const adn_item *i = v->node->items; i != NULL; i = i->next) {
        const adn_word *w =
            i->value->kind == ADN_NODE_SCALAR ? adn_schema_word(v->key, i->value->text) : NULL;
        if (w == NULL) return adn_value_refuse(v, i->value, NULL);
        if (has[w->value]) return adn_value_refuse(v, i->value, "given twice");
        has[w->value] = true;
    }
    *(bool *)v->field = has[0];
    *(bool *)v->field_n = has[1];
    adn_text_add(&v->canon, "[%s%s%s]", has[0] ? "bias" : "", has[0] && has[1] ? ", " : "",
                 has[1] ? "norm" : "");
    return ADN_OK;
}

/* auto for mean and std, every or auto for cuts; false: something else stands there. */
static bool take_word(adn_value *v, adn_status *st)
{
    const adn_node *node = v->node;
    if (node->kind != ADN_NODE_SCALAR) return false;
    if (v->key->type == ADN_KEY_CHANNELS && strcmp(node->text, "auto") == 0) {
        *(bool *)v->field_auto = true;
        *(int *)v->field_n = 0;
        adn_text_add(&v->canon, "auto");
        *st = ADN_OK;
        return true;
    }
    const adn_word *w = v->key->type == ADN_KEY_CUTS ? adn_schema_word(v->key, node->text) : NULL;
    if (w == NULL) return false;
    if (w->is_later) {
        *st = adn_value_later(v, node);
        return true;
    }
    *(adn_cuts_kind *)v->field_auto = (adn_cuts_kind)w->value;
    *(int *)v->field_n = 0;
    adn_text_add(&v->canon, "%s", w->word);
    *st = ADN_OK;
    return true;
}

static adn_status read_item(adn_value *v, const adn_node *node, void *array, int i)
{
    int64_t whole = 0;
    double real = 0;
    adn_status st;

    switch (v->key->type) {
    case ADN_KEY_AUGMENT:
        return read_transform(v, node, (adn_aug_conf *)array + i);
    case ADN_KEY_TIMES:
        return adn_value_duration(v, node, (adn_duration *)array + i, &v->canon);
    case ADN_KEY_CUTS:
        st = adn_value_int(v, node, (int64_t)v->key->lo, (int64_t)v->key->hi, &whole);
        if (st != ADN_OK) return st;
        ((int *)array)[i] = (int)whole;
        adn_text_add(&v->canon, "%d", (int)whole);
        return ADN_OK;
    default:
        st = adn_value_real(v, node, &real);
        if (st != ADN_OK) return st;
        ((double *)array)[i] = real;
        adn_text_number(&v->canon, real);
        return ADN_OK;
    }
}

adn_status adn_value_read_list(adn_value *v)
{
    adn_status st = ADN_OK, bad = ADN_OK;
    void *array = NULL;
    int n = 0;

    if (v->key->type == ADN_KEY_DEVICE) return read_device(v);
    if (v->key->type == ADN_KEY_NO_DECAY) return read_no_decay(v);
    if (take_word(v, &st)) return st;
    bool is_pair = v->key->type == ADN_KEY_PAIR;
    bool is_fixed = is_pair || v->key->type == ADN_KEY_CHANNELS; /* an array inside the struct */
    int max = v->key->type == ADN_KEY_AUGMENT ? MAX_AUGMENT
              : is_pair                       ? 2
              : is_fixed                      ? ADN_MAX_CHANNELS
                                              : MAX_ITEMS;
    ADN_TRY(st, take_array(v, max, ADN_MAX(sizeof(double), sizeof(adn_duration)), &array), fail);
    if (is_pair && v->node->n_item < 2)
        return adn_config_error(v->node, "'%s' has %d of its 2 entries", v->path, v->node->n_item);
    if (is_fixed && v->node->n_item == 0) return adn_value_refuse(v, v->node, NULL);
    adn_text_add(&v->canon, "[");
    for (const adn_item *i = v->node->items; i != NULL; i = i->next, n++) {
        adn_text_add(&v->canon, "%s", n > 0 ? ", " : "");
        st = read_item(v, i->value, array, n);
        if (st == ADN_NOMEM) return st;
        if (st != ADN_OK) bad = st; /* the other items are looked at too */
    }
    adn_text_add(&v->canon, "]");
    if (bad != ADN_OK) return bad;
    if (is_fixed) {
        memcpy(v->field, array, (size_t)n * sizeof(double));
        if (is_pair) return ADN_OK;
        *(bool *)v->field_auto = false;
    } else {
        memcpy(v->field, &array, sizeof(array));
        if (v->key->type == ADN_KEY_CUTS) *(adn_cuts_kind *)v->field_auto = ADN_CUTS_LIST;
    }
    *(int *)v->field_n = n;
    return ADN_OK;
fail:
    return st;
}
