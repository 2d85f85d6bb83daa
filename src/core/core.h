/* Core: what every folder may use and nothing about machine learning.
 * Status helpers, asserts, counted memory. */
#ifndef ADN_CORE_H
#define ADN_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adonis/status.h"
#include "core/log.h"

/* Assigns, then branches: the one way a status travels up. */
#define ADN_TRY(st, call, label)                                                                   \
    do {                                                                                           \
        (st) = (call);                                                                             \
        if ((st) != ADN_OK) goto label;                                                            \
    } while (0)

/* A broken invariant of ours: a bug, never the world's fault. On in every build. */
#define ADN_ASSERT(cond)                                                                           \
    do {                                                                                           \
        if (!(cond)) adn_assert_failed(#cond, __FILE__, __LINE__);                                 \
    } while (0)
_Noreturn void adn_assert_failed(const char *cond, const char *file, int line);

#define ADN_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ADN_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define ADN_MAX(a, b)    ((a) > (b) ? (a) : (b))

/* Host memory of ours goes through these, so that a test can count it and let the n-th call fail.
 * Zeroed, 64-byte aligned; NULL when there is none. adn_free takes NULL. Any thread. */
void *adn_alloc(size_t bytes);
void adn_free(void *p);
char *adn_strdup(const char *s);
char *adn_format(const char *fmt, ...)
    __attribute__((format(printf, 1, 2))); /* gives; NULL: no memory */

uint64_t adn_alloc_calls(void);    /* calls of adn_alloc so far */
int64_t adn_alloc_live(void);      /* blocks given and not yet freed */
void adn_alloc_fail_at(int64_t n); /* tests: the n-th call from now fails; 0: none */

/* Seconds of a clock that only goes forward. */
double adn_now(void);
/* Where time may be modelled: NULL is that clock. */
typedef struct adn_clock {
    double (*now)(void *user);
    void *user;
} adn_clock;
double adn_clock_now(const adn_clock *clock);

#endif
