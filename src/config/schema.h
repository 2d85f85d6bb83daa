/* The one table of a config's keys. Loading, overrides, checks, dumps and the documentation all
 * walk it: a new key is a row here and a field in config.h. */
#ifndef ADN_CONFIG_SCHEMA_H
#define ADN_CONFIG_SCHEMA_H

#include "adonis/config.h"
#include "core/core.h"
#include "config/text.h"

#define ADN_CONFIG_RELEASE "0.1" /* what "not yet" speaks of */

typedef enum adn_key_type {
    ADN_KEY_SECTION,  /* keys of its own; no field */
    ADN_KEY_SECTIONS, /* a list of such: a pointer at `at`, a count at `at_n` */
    ADN_KEY_WORD,     /* int-sized enum: one of the words */
    ADN_KEY_NAME,     /* const char *: one of the words */
    ADN_KEY_TEXT,     /* const char * */
    ADN_KEY_PATH,     /* const char *: relative to the file it stands in */
    ADN_KEY_BOOL,
    ADN_KEY_FLAG,     /* bool: one of two words */
    ADN_KEY_INT,      /* int in range, or one of the words */
    ADN_KEY_SEED,     /* uint64_t */
    ADN_KEY_REAL,     /* double in range, or one of the words */
    ADN_KEY_DURATION, /* adn_duration in one of the units, or the word inf */
    ADN_KEY_SECONDS,  /* double, of ms, s, min or h */
    ADN_KEY_BITRATE,  /* double, bits a second of kb/s, Mb/s or Gb/s; inf is 0 */
    ADN_KEY_BYTES,    /* double, of KiB, MiB or GiB; inf is 0 */
    ADN_KEY_AUGMENT,  /* [crop 4, flip]: adn_aug_conf pointer, count at `at_n` */
    ADN_KEY_CHANNELS, /* auto, or a number a channel: double array, count at `at_n`, bool auto at
                         `at_auto` */
    ADN_KEY_PAIR,     /* [0.9, 0.999]: two numbers in range, a double array */
    ADN_KEY_CUTS,     /* every, auto, or [2, 4]: int pointer, count at `at_n`, kind at `at_auto` */
    ADN_KEY_TIMES,    /* [15ep, 30ep]: adn_duration pointer, count at `at_n` */
    ADN_KEY_NO_DECAY, /* of bias, norm: bool at `at`, bool at `at_n` */
    ADN_KEY_DEVICE,   /* auto | cpu | cpu:0-3 | cuda:0: `device` of an adn_block_conf, and what it
                         says */
    ADN_KEY_LATER     /* of a later issue: its default alone is taken */
} adn_key_type;

enum { /* modes that read a key or a word */
       ADN_IN_BP = 1 << ADN_MODE_BP,
       ADN_IN_SYNC = 1 << ADN_MODE_SYNC,
       ADN_IN_GREEDY = 1 << ADN_MODE_GREEDY,
       ADN_IN_ASYNC = 1 << ADN_MODE_ASYNC,
       ADN_IN_BLOCKS = ADN_IN_SYNC | ADN_IN_GREEDY | ADN_IN_ASYNC,
       ADN_IN_ALL = ADN_IN_BP | ADN_IN_BLOCKS
};

typedef struct adn_word {
    const char *word;
    int value;      /* of the field; of a model's name: how many units it has */
    bool is_later;  /* refused as "not yet" */
    unsigned modes; /* 0: all */
} adn_word;

typedef struct adn_key {
    const char *path; /* "data.batch", "blocks[].threads" */
    adn_key_type type;
    const char *def; /* as in a file; NULL: none */
    const char *help;
    const adn_word *words; /* ends with word NULL */
    double lo, hi;
    bool is_lo_open, is_hi_open;
    unsigned units; /* of a duration: 1 << ADN_EPOCHS and so on */
    unsigned modes; /* 0: all */
    bool is_quiet;  /* its default is not shown: it only counts where given */
    bool has_field;
    size_t at, at_n, at_auto; /* in adn_config; in its element for keys with [] */
    size_t element;           /* bytes of one entry of ADN_KEY_SECTIONS */
    bool takes_one;           /* of ADN_KEY_SECTIONS: one section is a list of one */
} adn_key;

enum { ADN_MAX_SECTIONS = 1024 }; /* entries of a list of sections: hundreds of stages, and room */

extern const adn_key adn_schema[];
extern const int adn_schema_n;

/* The row of "blocks[3].threads" (an index is any number); NULL: none. */
const adn_key *adn_schema_find(const char *path);
/* True when row is a direct child of the section's row path ("" for the top). name: its last part.
 */
bool adn_schema_is_child(const adn_key *row, const char *section, const char **name);
/* "whole number from 2 to 65536 or auto": what a value may be, for messages and the documentation.
 */
void adn_schema_expects(const adn_key *key, adn_text *t);
const adn_word *adn_schema_word(const adn_key *key, const char *text);
const char *adn_mode_name(adn_mode mode);

#endif
