/* What every call of the library returns, and the exit code the program turns it into.
 * The place that sees a failure logs it once (core/log.h, ADN_FAIL); callers pass the status on. */
#ifndef ADONIS_STATUS_H
#define ADONIS_STATUS_H

/* name, exit code of the program, text */
#define ADN_STATUSES(X)                                                                            \
    X(OK, 0, "ok")                                                                                 \
    X(FAILED, 1, "run-time failure")                                                               \
    X(IO, 1, "file or directory could not be read or written")                                     \
    X(USAGE, 2, "wrong usage")                                                                     \
    X(BADCONF, 2, "wrong configuration")                                                           \
    X(BADDATA, 3, "wrong or missing data")                                                         \
    X(NOMEM, 4, "out of memory")                                                                   \
    X(DEVICE, 4, "device failure")                                                                 \
    X(DIVERGED, 5, "training diverged")                                                            \
    X(BADCKPT, 6, "damaged or incompatible checkpoint")                                            \
    X(NET, 7, "network or peers")                                                                  \
    X(STOPPED, 75, "stopped on request; the same command resumes")                                 \
    /* Of an edge or a list, never the program's: */                                               \
    X(END, 1, "no more items")                                                                     \
    X(AGAIN, 1, "nothing to do yet")

typedef enum adn_status {
#define X(name, exit_code, text) ADN_##name,
    ADN_STATUSES(X)
#undef X
} adn_status;

#define ADN_MUST_USE __attribute__((warn_unused_result))

const char *adn_status_name(adn_status st); /* "OK", "IO", ... */
const char *adn_status_text(adn_status st);
int adn_status_exit(adn_status st); /* exit code of the program */

#endif
