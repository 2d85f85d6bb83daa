/* What is said at a run's end. */
#ifndef ADN_CLI_SUMMARY_H
#define ADN_CLI_SUMMARY_H

#include "adonis/config.h"
#include "adonis/train.h"
#include "core/core.h"

/* The last row of each block, each number the last that was measured. Returns how many blocks. */
int adn_summary_last(const adn_epoch_row *rows, int n, adn_epoch_row last[ADN_MAX_BLOCKS]);
/* Prints on stdout, from the run's rows: the last results of each block; where blocks work side by
 * side, their shares of time; in async, in words, what the run showed. conf: the run's. */
adn_status adn_summary_print(const adn_config *conf, const char *run_dir, const char *state,
                             bool is_json) ADN_MUST_USE;

#endif
