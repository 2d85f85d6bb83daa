/* The table at a run's end. */
#ifndef ADN_CLI_SUMMARY_H
#define ADN_CLI_SUMMARY_H

#include "core/core.h"

/* Prints the last results of each block, from the run's epochs.csv, on stdout. */
adn_status adn_summary_print(const char *run_dir, const char *state, bool is_json) ADN_MUST_USE;

#endif
