/* Two small stores of text for this folder: a pool that is freed as a whole (what lives as long as
 * a configuration), and a growing text (dumps, values being put together). */
#ifndef ADN_CONFIG_TEXT_H
#define ADN_CONFIG_TEXT_H

#include "core/core.h"

typedef struct adn_pool { /* zeroed: empty */
    struct adn_chunk *last;
} adn_pool;

/* Zeroed, aligned for any type. Logs and gives NULL when there is no memory. */
void *adn_pool_take(adn_pool *pool, size_t bytes);
char *adn_pool_copy(adn_pool *pool, const char *s, size_t n); /* with a 0 behind it */
char *adn_pool_format(adn_pool *pool, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void adn_pool_clear(adn_pool *pool);

typedef struct adn_text { /* zeroed: empty */
    char *s;              /* NULL or ends in 0 */
    size_t n, room;
    bool failed; /* no memory, ever: asked once, by adn_text_finish */
} adn_text;

void adn_text_add(adn_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void adn_text_number(adn_text *t, double value); /* the shortest decimal that reads back as value */
void adn_text_yaml(adn_text *t, const char *s);  /* as a YAML scalar, quoted where it must be */
void adn_text_clear(adn_text *t);
/* Gives the text (adn_free) and leaves t empty; logs ADN_NOMEM. An empty text is "". */
adn_status adn_text_finish(adn_text *t, char **out) ADN_MUST_USE;

/* A user's text made fit for a message: control bytes become '?', what is too long is cut with
 * "...". */
typedef struct adn_shown {
    char s[72];
} adn_shown;
adn_shown adn_show(const char *s);

#endif
