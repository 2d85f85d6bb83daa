/* Between dataset.c and the formats: what an opener gets and gives, and what they share. An opener
 * fills a zeroed pair (sizes, files; pixels and labels unless is_probe); on failure its caller
 * closes it. */
#ifndef ADN_DATA_SETS_H
#define ADN_DATA_SETS_H

#include "data/data.h"

typedef adn_status adn_set_opener(const adn_data_conf *conf, bool is_probe, adn_dataset_pair *pair);
adn_set_opener adn_cifar10_open, adn_cifar100_open, adn_idx_open;

/* A file that the folder root lacks, and what to say about it. */
typedef struct adn_data_lack {
    const char *name, *or_name; /* the file; another form that would do (NULL: none) */
    const char *looked_for;     /* all files of the set */
    const char *wrong_name;     /* a file that tells another edition of the set (NULL: none) ... */
    const char *wrong_text;     /* ... and what that means */
} adn_data_lack;
/* Logs it, with the place where such files do lie if that is a folder in root. ADN_BADDATA. */
adn_status adn_data_missing(const char *root, const adn_data_lack *lack) ADN_MUST_USE;

/* Takes `path` into the pair's list, which has room for it, whatever comes after. */
void adn_data_file_add(adn_dataset_pair *pair, char *path, const char *what, int64_t bytes, int n,
                       bool is_test);
/* One block for n samples, set->n, h, w, c being known: pixels, then labels. `owned` holds it. */
adn_status adn_data_room(adn_dataset *set, const char *root, uint8_t **pixels,
                         uint8_t **labels) ADN_MUST_USE;

#endif
