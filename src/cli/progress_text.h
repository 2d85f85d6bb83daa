/* Lines about a run under way, made of its ticks and rows: pure text, no terminal. */
#ifndef ADN_CLI_PROGRESS_TEXT_H
#define ADN_CLI_PROGRESS_TEXT_H

#include "adonis/train.h"
#include "core/core.h"
#include "adonis/config.h"

enum { ADN_LINE = 256 }; /* bytes of any line here, its 0 included */

typedef struct adn_pace { /* rates since the first tick; zeroed: none yet */
    bool has_first;
    double first_s, first_samples, first_steps;
    double img_s;           /* images that the whole net has learned, a second, tests included */
    double eta_s;           /* NaN: unknown */
    double seen_s;          /* async: the tick before */
    struct adn_block_pace { /* async: lately, for a block is faster when another is done */
        double seen, samples, seconds;
    } blocks[ADN_MAX_BLOCKS];
} adn_pace;
/* Where blocks wait for each other all of them end at once; in async the slowest one decides. */
void adn_pace_update(adn_pace *pace, const adn_tick *tick, const adn_duration *until);

/* The line of block b. epoch_before: what the line above showed as its epoch, 0 at the first; an
 * equal one is left out. width: columns to stay within; what does not fit is left out whole, what
 * matters least first. Returns the epoch. */
int adn_text_block(char *line, int width, const adn_tick *tick, int b, int epoch_before);
void adn_text_total(char *line, int width, const adn_tick *tick, const adn_pace *pace);
void adn_text_plain(char *line, const adn_tick *tick, const adn_pace *pace); /* all in one */
void adn_text_row(char *line, const adn_epoch_row *row);

/* 31020 as "31,020". */
void adn_text_thousands(char *out, size_t room, double value);

#endif
