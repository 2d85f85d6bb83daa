/* The JSON writer. */
#include "core/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(adn_json *j, const char *s, size_t n)
{
    if (j->failed) return;
    if (j->n_text + n + 1 > j->room) {
        size_t room = ADN_MAX(j->room * 2, j->n_text + n + 256);
        char *text = adn_alloc(room);
        if (text == NULL) {
            j->failed = true;
            return;
        }
        if (j->text != NULL) memcpy(text, j->text, j->n_text);
        adn_free(j->text);
        j->text = text;
        j->room = room;
    }
    memcpy(j->text + j->n_text, s, n);
    j->n_text += n;
    j->text[j->n_text] = '\0';
}

static void puts_raw(adn_json *j, const char *s)
{
    put(j, s, strlen(s));
}

static void quoted(adn_json *j, const char *s)
{
    puts_raw(j, "\"");
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        char esc[8];
        if (c == '"' || c == '\\')
            snprintf(esc, sizeof(esc), "\\%c", c);
        else if (c == '\n')
            snprintf(esc, sizeof(esc), "\\n");
        else if (c < 0x20)
            snprintf(esc, sizeof(esc), "\\u%04x", c);
        else
            snprintf(esc, sizeof(esc), "%c", c);
        puts_raw(j, esc);
    }
    puts_raw(j, "\"");
}

static void begin(adn_json *j, const char *key)
{
    if (j->has_item) puts_raw(j, ", ");
    j->has_item = true;
    if (key != NULL) {
        quoted(j, key);
        puts_raw(j, ": ");
    }
}

void adn_json_open(adn_json *j, const char *key, char bracket)
{
    begin(j, key);
    put(j, &bracket, 1);
    j->has_item = false;
}

void adn_json_close(adn_json *j, char bracket)
{
    put(j, &bracket, 1);
    j->has_item = true;
}

void adn_json_string(adn_json *j, const char *key, const char *value)
{
    begin(j, key);
    if (value == NULL)
        puts_raw(j, "null");
    else
        quoted(j, value);
}

void adn_json_int(adn_json *j, const char *key, int64_t value)
{
    char text[32];
    begin(j, key);
    snprintf(text, sizeof(text), "%lld", (long long)value);
    puts_raw(j, text);
}

void adn_json_number(adn_json *j, const char *key, double value)
{
    char text[40];
    begin(j, key);
    if (!isfinite(value)) {
        puts_raw(j, "null");
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    puts_raw(j, text);
}

void adn_json_bool(adn_json *j, const char *key, bool value)
{
    begin(j, key);
    puts_raw(j, value ? "true" : "false");
}

void adn_json_newline(adn_json *j)
{
    if (j->has_item) puts_raw(j, ",");
    puts_raw(j, "\n");
    j->has_item = false;
}

adn_status adn_json_give(adn_json *j, char **out)
{
    if (j->failed) {
        adn_json_clear(j);
        return ADN_FAIL(ADN_NOMEM, "no memory for a report");
    }
    *out = j->text;
    return ADN_OK;
}

void adn_json_clear(adn_json *j)
{
    adn_free(j->text);
    *j = (adn_json){0};
}
