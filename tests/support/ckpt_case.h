/* Small checkpoints for tests, of two files that say which they are, in a run directory that is
 * fresh for each case. */
#ifndef ADN_TEST_CKPT_CASE_H
#define ADN_TEST_CKPT_CASE_H

#include "store/store.h"

enum { CKPT_ALL = 1000 };  /* as many as there will be */
extern char ckpt_run[300]; /* this case's run directory */

void ckpt_fresh(void); /* the case's first call; clears the log too */
adn_ckpt_info ckpt_at(int epoch, int batch, double score);
adn_status ckpt_put(const char *dir, const char *name, const char *text) ADN_MUST_USE;
adn_status ckpt_save(adn_ckpt_info info, int keep_last, int keep_best) ADN_MUST_USE;
void ckpt_must_save(int epoch, double score, int keep_last, int keep_best);

/* The names that are listed, joined: "e0001-b0000 e0002-b0000* ", * for one that is not whole; what
 * link `last` or `best` names; a file's path. Static memory each. */
const char *ckpt_names(void);
const char *ckpt_link(const char *link);
const char *ckpt_file(const char *name, const char *file);

#endif
