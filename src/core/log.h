/* The log: one line an event, to stderr and, once a run is open, to its log.txt too.
 * The one mutable global of the program: where lines go. Metrics are never parsed from it. */
#ifndef ADN_LOG_H
#define ADN_LOG_H

#include "adonis/status.h"

typedef enum adn_level {
    ADN_LEVEL_ERROR,
    ADN_LEVEL_WARN,
    ADN_LEVEL_INFO,
    ADN_LEVEL_DEBUG
} adn_level;

/* A line as it is logged: `text` without a trailing newline. Called with the log's lock held. */
typedef void (*adn_log_sink)(void *user, adn_level level, const char *text);

void adn_log_level_set(adn_level level); /* default: info */
/* Replaces stderr (NULL: back to stderr). The progress display uses it to clear its lines first. */
void adn_log_sink_set(adn_log_sink sink, void *user);
/* A second file descriptor that gets every line with a time stamp; -1: none. Borrowed. */
void adn_log_tee_set(int fd);

void adn_log(adn_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A finished text of that level, without a prefix: messages with a place and a caret have a form of
 * their own. */
void adn_log_text(adn_level level, const char *text);
#define adn_info(...)  adn_log(ADN_LEVEL_INFO, __VA_ARGS__)
#define adn_warn(...)  adn_log(ADN_LEVEL_WARN, __VA_ARGS__)
#define adn_debug(...) adn_log(ADN_LEVEL_DEBUG, __VA_ARGS__)

/* Logs an error once, where it is seen, and gives the status: return ADN_FAIL(ADN_IO, "%s: ...").
 * The message names the object (file, line, byte offset) itself; the C place shows at debug level.
 */
#define ADN_FAIL(st, ...) adn_fail((st), __FILE__, __LINE__, __VA_ARGS__)
adn_status adn_fail(adn_status st, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
