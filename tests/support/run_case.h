/* A run directory for tests: the run "a" in a folder of runs that is fresh for each case. */
#ifndef ADN_TEST_RUN_CASE_H
#define ADN_TEST_RUN_CASE_H

#include "store/store.h"

extern char run_folder[300]; /* this case's folder of runs */
extern adn_rundir *run;      /* "a", once it is open */

void run_fresh(void); /* the case's first call; clears the log too */
adn_rundir_conf run_conf(const char *name);
adn_status run_open(void) ADN_MUST_USE;
void run_reopen(void); /* closes first, as a process that ends */

/* A file of "a": its path, its text until the next call (both in static memory); writes it, or
 * behind its end. */
const char *run_path(const char *name);
const char *run_text(const char *name);
void run_put(const char *name, const char *text);
void run_append(const char *name, const char *text);

/* How large this process may make a file: what a full disk is to a single write. -1: no limit. */
void run_limit_files(int64_t bytes);

#endif
