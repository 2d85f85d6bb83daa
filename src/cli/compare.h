/* What `adonis compare` knows of its runs, before it is printed. */
#ifndef ADN_CLI_COMPARE_H
#define ADN_CLI_COMPARE_H

#include "adonis/train.h"
#include "cli/args.h"
#include "cli/edges.h"

typedef struct adn_compared {              /* a run */
    const char *name;                      /* as typed */
    char *settings;                        /* adn_config_settings, cut into keys and values */
    adn_epoch_row last[ADN_MAX_BLOCKS];    /* each number the last that was measured */
    double test_top1_mean[ADN_MAX_BLOCKS]; /* of the last ADN_MEAN_OF tested epochs; NaN: none */
    int n_block;
    adn_edge_total *edges; /* those that have rows, ascending */
    int n_edge;
} adn_compared;
enum { ADN_MEAN_OF = 5 };

/* A key that is not the same in all runs. */
typedef struct adn_difference {
    const char *key;
    const char *values[ADN_CLI_MAX_WORDS]; /* a run each; NULL: the run does not use it */
} adn_difference;

/* Zeroed before; cleared by the caller in any case. run: as typed. */
adn_status adn_compared_read(const char *run, adn_compared *out) ADN_MUST_USE;
void adn_compared_clear(adn_compared *run);
/* Sorted by key. Gives list (adn_free); its texts are the runs'. Once for the same runs. */
adn_status adn_compared_settings(const adn_compared *runs, int n, adn_difference **out,
                                 int *out_n) ADN_MUST_USE;

#endif
