/* A test program in Check, one process: a suite of cases, and 77 when it can only skip. */
#ifndef ADN_TEST_SUITE_H
#define ADN_TEST_SUITE_H

#include <check.h>
#include <stdbool.h>

/* Runs the suite without forking (sanitizers and debuggers see one process). Returns for main:
 * 0 all passed, 1 some failed, 77 when every case was skipped. */
int adn_suite_run(Suite *suite);

/* Says why a test is skipped, once, and counts it; the test then returns. */
void adn_test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The folder of real data `name` (cifar-10-batches-bin, hostile, ...): in $ADONIS_DATA, then in
 * ../shared/data beside the source tree. NULL where there is none. Static memory. */
const char *adn_test_data(const char *name);

/* A fresh empty folder under $TMPDIR; removed when the program ends. Static memory, one a call (at
 * most 256). */
const char *adn_test_dir(void);

/* Log lines since the last call of adn_test_log_clear, joined by newlines. The suite keeps them and
 * prints them only when a test fails. */
const char *adn_test_log(void);
void adn_test_log_clear(void);

#endif
