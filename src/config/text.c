/* The pool and the growing text. */
#include "config/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct adn_chunk {
    struct adn_chunk *before;
    size_t used, room;
    max_align_t bytes[];
};

enum { CHUNK_BYTES = 16 << 10 }; /* a usual config fits into two */

void *adn_pool_take(adn_pool *pool, size_t bytes)
{
    size_t align = sizeof(max_align_t);
    bytes = (bytes + align - 1) / align * align;
    struct adn_chunk *c = pool->last;
    if (c == NULL || c->room - c->used < bytes) {
        size_t room = ADN_MAX(bytes, (size_t)CHUNK_BYTES);
        c = adn_alloc(sizeof(*c) + room);
        if (c == NULL) {
            (void)ADN_FAIL(ADN_NOMEM, "config: no memory for %zu bytes", room);
            return NULL;
        }
        c->room = room;
        c->before = pool->last;
        pool->last = c;
    }
    void *p = (char *)c->bytes + c->used;
    c->used += bytes;
    return p;
}

char *adn_pool_copy(adn_pool *pool, const char *s, size_t n)
{
    char *copy = adn_pool_take(pool, n + 1);
    if (copy != NULL) memcpy(copy, s, n);
    return copy;
}

char *adn_pool_format(adn_pool *pool, const char *fmt, ...)
{
    va_list args, again;
    char *text = NULL;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n >= 0) text = adn_pool_take(pool, (size_t)n + 1);
    if (text != NULL) vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

void adn_pool_clear(adn_pool *pool)
{
    while (pool->last != NULL) {
        struct adn_chunk *c = pool->last;
        pool->last = c->before;
        adn_free(c);
    }
}

void adn_text_add(adn_text *t, const char *fmt, ...)
{
    va_list args;
    if (t->failed) return;
    va_start(args, fmt);
    int n = vsnprintf(t->s == NULL ? NULL : t->s + t->n, t->room - t->n, fmt, args);
    va_end(args);
    if ((size_t)n + 1 > t->room - t->n) {
        size_t room = ADN_MAX(t->room * 2, t->n + (size_t)n + 256);
        char *s = adn_alloc(room);
        if (s == NULL) {
            t->failed = true;
            return;
        }
        if (t->s != NULL) memcpy(s, t->s, t->n);
        adn_free(t->s);
        t->s = s;
        t->room = room;
        va_start(args, fmt);
        vsnprintf(s + t->n, room - t->n, fmt, args);
        va_end(args);
    }
    t->n += (size_t)n;
}

void adn_text_number(adn_text *t, double value)
{
    char s[40];
    for (int digits = 15; digits <= 17; digits++) { /* what a person typed has fewer */
        snprintf(s, sizeof(s), "%.*g", digits, value);
        if (strtod(s, NULL) == value) break;
    }
    adn_text_add(t, "%s", s);
}

void adn_text_yaml(adn_text *t, const char *s)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    if (s[0] != '\0' && s[0] != '-' && s[strspn(s, plain)] == '\0') {
        adn_text_add(t, "%s", s);
        return;
    }
    adn_text_add(t, "\"");
    for (; *s != '\0'; s++) adn_text_add(t, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    adn_text_add(t, "\"");
}

void adn_text_clear(adn_text *t)
{
    adn_free(t->s);
    *t = (adn_text){0};
}

adn_status adn_text_finish(adn_text *t, char **out)
{
    adn_text_add(t, "%s", "");
    if (t->failed) {
        adn_text_clear(t);
        return ADN_FAIL(ADN_NOMEM, "config: no memory for a text");
    }
    *out = t->s;
    *t = (adn_text){0};
    return ADN_OK;
}

adn_shown adn_show(const char *s)
{
    adn_shown shown = {{0}};
    size_t room = sizeof(shown.s) - 4, n = 0;

    while (s[n] != '\0' && n < room) {
        unsigned char c = (unsigned char)s[n];
        shown.s[n++] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    if (s[n] != '\0') {
        while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
            n--; /* not inside a UTF-8 character */
        memcpy(shown.s + n, "...", 4);
    }
    return shown;
}
