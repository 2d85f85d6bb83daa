/* Is a run that is there the one that is asked for: config.given against what the user gave now,
 * both lines of "key = value". */
#include <string.h>

#include "core/file.h"
#include "store/rundir_private.h"

enum { MAX_GIVEN = 1 << 20 };

static size_t line_length(const char *line)
{
    return strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
    line += line_length(line);
    return *line == '\n' ? line + 1 : line;
}

/* The line of text that has the same first n characters, NULL: none. */
static const char *find_line(const char *text, const char *start, size_t n)
{
    for (; *text != '\0'; text = next_line(text))
        if (strncmp(text, start, n) == 0) return text;
    return NULL;
}

/* The line's key with the " = " behind it. */
static size_t key_length(const char *line)
{
    size_t n = line_length(line);
    for (size_t i = 0; i + 3 <= n; i++)
        if (strncmp(line + i, " = ", 3) == 0) return i + 3;
    return n;
}

static void log_line(char sign, const char *line)
{
    adn_info("%c %.*s", sign, (int)line_length(line), line);
}

static void log_difference(const char *stored, const char *given)
{
    const char *line, *other;

    for (line = stored; *line != '\0'; line = next_line(line)) {
        other = find_line(given, line, key_length(line));
        if (other != NULL && line_length(other) == line_length(line) &&
            strncmp(other, line, line_length(line)) == 0)
            continue;
        log_line('-', line);
        if (other != NULL) log_line('+', other);
    }
    for (line = given; *line != '\0'; line = next_line(line))
        if (find_line(stored, line, key_length(line)) == NULL) log_line('+', line);
}

adn_status adn_given_compare(const char *dir, const char *given)
{
    char *stored = NULL, *path = adn_path_join(dir, ADN_GIVEN_FILE);
    size_t n;
    adn_status st;

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", dir);
    if (!adn_path_exists(path)) {
        st = ADN_FAIL(ADN_BADCONF, "%s: exists and is no run of adonis: it has no %s", dir,
                      ADN_GIVEN_FILE);
        goto done;
    }
    ADN_TRY(st, adn_file_read(path, MAX_GIVEN, &stored, &n), done);
    if (strcmp(stored, given) != 0) {
        st = ADN_FAIL(
            ADN_BADCONF,
            "%s: exists with another configuration (- there, + given now); --new starts a run of "
            "its own",
            dir);
        log_difference(stored, given);
    }
done:
    adn_free(stored);
    adn_free(path);
    return st;
}
