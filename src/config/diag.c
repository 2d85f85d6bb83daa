/* Messages about a place in a config, and guesses by edit distance. */
#include "config/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_CHARS = 110, LEAD_CHARS = 80 }; /* of a source line that is shown; before its caret */

static bool is_char_start(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80; /* of UTF-8 */
}

void adn_config_where(const adn_node *where, char *out, size_t room)
{
    const adn_source *src = where->src;
    char name[512];
    size_t n = 0;

    for (const char *s = src->name == NULL ? "" : src->name; *s != '\0' && n < sizeof(name) - 1;
         s++)
        name[n++] = (char)((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
    name[n] = '\0';
    if (src->origin == ADN_FROM_ARGUMENT)
        snprintf(out, room, "argument '%s'", name);
    else if (src->origin != ADN_FROM_FILE)
        snprintf(out, room, "default");
    else if (where->line > 0)
        snprintf(out, room, "%s:%d:%d", name, where->line, where->column);
    else
        snprintf(out, room, "%s", name);
}

/* "\n<source line>\n   ^~~~" for a node of a file; nothing for others. */
static void excerpt(const adn_node *where, char *out, size_t room)
{
    const char *text = where->src->text;
    size_t n_text = where->src->n_text, start = where->at, lead = 0, shown = 0, marked = 0;
    char line[4 * LINE_CHARS + 1], caret[LINE_CHARS + 2];
    size_t n_line = 0, n_caret;

    out[0] = '\0';
    if (where->src->origin != ADN_FROM_FILE || where->line == 0 || where->at >= n_text) return;
    for (; start > 0 && text[start - 1] != '\n'; start--)
        if (is_char_start(text[start - 1])) lead++;
    for (; lead > LEAD_CHARS; lead--) /* a long line is shown from nearer its caret */
        do start++;
        while (!is_char_start(text[start]));
    for (size_t i = start; i < n_text && text[i] != '\n' && text[i] != '\r'; i++) {
        if (is_char_start(text[i]) && ++shown > LINE_CHARS) break;
        if (is_char_start(text[i]) && i >= where->at && i < where->end) marked++;
        line[n_line++] = (char)(text[i] == '\t' ? ' ' : text[i]);
    }
    line[n_line] = '\0';
    if (n_line == 0) return;
    for (n_caret = 0; n_caret < lead; n_caret++) caret[n_caret] = ' ';
    caret[n_caret++] = '^';
    for (; marked > 1 && n_caret <= LINE_CHARS; marked--) caret[n_caret++] = '~';
    caret[n_caret] = '\0';
    snprintf(out, room, "\n%s\n%s", line, caret);
}

static void say(const adn_node *where, const char *kind, bool has_excerpt, const char *fmt,
                va_list args)
{
    char place[600], text[700], source[4 * LINE_CHARS + LINE_CHARS + 8] = "";
    char all[sizeof(place) + sizeof(text) + sizeof(source) + 32];

    adn_config_where(where, place, sizeof(place));
    vsnprintf(text, sizeof(text), fmt, args);
    if (has_excerpt) excerpt(where, source, sizeof(source));
    if (where->src->origin == ADN_FROM_DEFAULT && where->src->name == NULL)
        snprintf(all, sizeof(all), "%s: %s", kind, text);
    else if (where->src->origin == ADN_FROM_DEFAULT)
        snprintf(all, sizeof(all), "%s: %s: %s", where->src->name, kind, text);
    else
        snprintf(all, sizeof(all), "%s: %s: %s%s", place, kind, text, source);
    adn_log_text(strcmp(kind, "error") == 0 ? ADN_LEVEL_ERROR : ADN_LEVEL_WARN, all);
}

adn_status adn_config_error(const adn_node *where, const char *fmt, ...)
{
    va_list args;
    int *n = where->src->n_error;

    if (++*n <= ADN_MAX_ERRORS) {
        va_start(args, fmt);
        say(where, "error", true, fmt, args);
        va_end(args);
    } else if (*n == ADN_MAX_ERRORS + 1) {
        adn_log(ADN_LEVEL_ERROR, "more than %d errors: the others are not shown", ADN_MAX_ERRORS);
    }
    return ADN_BADCONF;
}

void adn_config_warn(const adn_node *where, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(where, "warning", false, fmt, args);
    va_end(args);
}

enum { GUESS_CHARS = 32 }; /* no key or word is longer */

/* Insertions, deletions, replacements and swaps of neighbours between a and b. */
static int distance(const char *a, const char *b)
{
    int row[3][GUESS_CHARS + 1];
    int n_a = (int)strlen(a), n_b = (int)strlen(b);

    if (n_a > GUESS_CHARS || n_b > GUESS_CHARS) return GUESS_CHARS;
    for (int j = 0; j <= n_b; j++) row[0][j] = j;
    for (int i = 1; i <= n_a; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n_b; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = ADN_MIN(best, ADN_MIN(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = ADN_MIN(best, before[j - 2] + 1);
            now[j] = best;
        }
    }
    return row[n_a % 3][n_b];
}

void adn_guess_offer(adn_guess *g, const char *candidate)
{
    int d = distance(g->wrong, candidate);
    int limit =
        ADN_MAX(1, ((int)strlen(candidate) + 1) / 3); /* further away is no slip of the finger */
    if (d <= limit && (g->best == NULL || d < g->distance)) {
        g->best = candidate;
        g->distance = d;
    }
}
