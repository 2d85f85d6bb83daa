/* The log's lines and where they go. */
#include "core/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    adn_level level;
    adn_log_sink sink;
    void *user;
    int tee;
} log_state = {PTHREAD_MUTEX_INITIALIZER, ADN_LEVEL_INFO, NULL, NULL, -1};

static const char *const prefix[] = {"error: ", "warning: ", "", "debug: "};

void adn_log_level_set(adn_level level)
{
    pthread_mutex_lock(&log_state.lock);
    log_state.level = level;
    pthread_mutex_unlock(&log_state.lock);
}

void adn_log_sink_set(adn_log_sink sink, void *user)
{
    pthread_mutex_lock(&log_state.lock);
    log_state.sink = sink;
    log_state.user = user;
    pthread_mutex_unlock(&log_state.lock);
}

void adn_log_tee_set(int fd)
{
    pthread_mutex_lock(&log_state.lock);
    log_state.tee = fd;
    pthread_mutex_unlock(&log_state.lock);
}

static void tee(const char *text)
{
    char line[2200], when[32];
    time_t now = time(NULL);
    struct tm tm;

    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
    int n = snprintf(line, sizeof(line), "%s %s\n", when, text);
    if (n > (int)sizeof(line) - 1) n = (int)sizeof(line) - 1;
    if (write(log_state.tee, line, (size_t)n) < 0)
        log_state.tee = -1; /* a full disk must not end the run: stderr still has the line */
}

static void deliver(adn_level level, const char *program, const char *text)
{
    pthread_mutex_lock(&log_state.lock);
    if (level <= log_state.level) {
        if (log_state.sink != NULL)
            log_state.sink(log_state.user, level, text);
        else
            fprintf(stderr, "%s%s\n", program, text);
        if (log_state.tee >= 0) tee(text);
    }
    pthread_mutex_unlock(&log_state.lock);
}

void adn_log_text(adn_level level, const char *text)
{
    deliver(level, "", text);
}

static void emit(adn_level level, const char *fmt, va_list args)
{
    char text[2048];
    int at = snprintf(text, sizeof(text), "%s", prefix[level]);

    vsnprintf(text + at, sizeof(text) - (size_t)at, fmt, args);
    deliver(level, "adonis: ", text);
}

void adn_log(adn_level level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    emit(level, fmt, args);
    va_end(args);
}

adn_status adn_fail(adn_status st, const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    emit(ADN_LEVEL_ERROR, fmt, args);
    va_end(args);
    adn_debug("%s, seen at %s:%d", adn_status_name(st), file, line);
    return st;
}
