/* What a user sees while a run trains: on a terminal a block that is redrawn in place, elsewhere
 * plain lines. All on stderr. Takes the log over while it lives, so that log lines stand above the
 * block. Any thread. */
#ifndef ADN_CLI_PROGRESS_H
#define ADN_CLI_PROGRESS_H

#include "adonis/train.h"
#include "core/core.h"
#include "adonis/config.h"

typedef struct adn_progress adn_progress;

/* conf is borrowed. */
adn_status adn_progress_create(const adn_config *conf, adn_progress **out) ADN_MUST_USE;
void adn_progress_destroy(adn_progress *p); /* takes NULL; gives the log back to stderr */
void adn_progress_row(adn_progress *p, const adn_epoch_row *row);
void adn_progress_tick(adn_progress *p, const adn_tick *tick);
/* Someone else has written to the terminal: the next block begins below. */
void adn_progress_interrupted(adn_progress *p);

#endif
