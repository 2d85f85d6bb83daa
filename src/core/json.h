/* Writes JSON into a growing text: objects, arrays, escaped strings. Reading is jansson's. */
#ifndef ADN_JSON_H
#define ADN_JSON_H

#include "core/core.h"

typedef struct adn_json { /* zeroed: an empty text. text is NULL or ends in 0 */
    char *text;
    size_t n_text, room;
    bool has_item; /* a comma is due before the next item */
    bool failed;   /* no memory, ever: checked once, at the end */
} adn_json;

void adn_json_open(adn_json *j, const char *key,
                   char bracket);               /* '{' or '['; key NULL in an array */
void adn_json_close(adn_json *j, char bracket); /* '}' or ']' */
void adn_json_string(adn_json *j, const char *key, const char *value); /* NULL value: null */
void adn_json_int(adn_json *j, const char *key, int64_t value);
void adn_json_number(adn_json *j, const char *key,
                     double value); /* shortest exact; non-finite: null */
void adn_json_bool(adn_json *j, const char *key, bool value);
void adn_json_newline(adn_json *j);                             /* between items, for readers */
adn_status adn_json_give(adn_json *j, char **out) ADN_MUST_USE; /* gives the text (adn_free) */
void adn_json_clear(adn_json *j);                               /* frees the text */

#endif
