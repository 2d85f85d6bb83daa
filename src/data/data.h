/* Data sets and the loader: bytes u8 NHWC, labels, order and augmentation as functions of
 * (seed, epoch, sample) alone. */
#ifndef ADN_DATA_H
#define ADN_DATA_H

#include "adonis/config.h"
#include "core/core.h"
#include "device/device.h" /* adn_move */

typedef struct adn_dataset { /* one split, in memory, read-only: any thread */
    int n, h, w, c;
    int classes;
    const uint8_t *pixels; /* [n, h, w, c] */
    const uint8_t *labels; /* [n], below classes */
    void *owned;           /* what close frees */
} adn_dataset;

typedef struct adn_data_file { /* a file that was read, for `data check` */
    char *path;
    const char *what; /* records, images, labels */
    int64_t bytes;    /* on disk */
    int n;            /* samples in it */
    bool is_test;
} adn_data_file;

typedef struct adn_dataset_pair {
    adn_dataset train, test;
    double mean[ADN_MAX_CHANNELS]; /* as given, published, or computed (idx) */
    double std[ADN_MAX_CHANNELS];
    adn_data_file *files; /* [n_file], owned */
    int n_file;
} adn_dataset_pair;

/* Opens and checks a whole set as data.name says. ADN_BADDATA with the file and byte offset.
 * Nothing is allocated by what a header claims: sizes are checked against the file first. */
adn_status adn_dataset_open(const adn_data_conf *conf, adn_dataset_pair *out) ADN_MUST_USE;
void adn_dataset_close(adn_dataset_pair *pair); /* a zeroed or closed one is fine */
/* Sizes only, from headers and file sizes, for `plan`: n, h, w, c, classes; no pixels, nothing to
 * close. The label files of idx are read (a byte a sample), so classes is known there too. */
adn_status adn_dataset_probe(const adn_data_conf *conf, adn_dataset *train,
                             adn_dataset *test) ADN_MUST_USE;

/* Mean and standard deviation of all pixels of a channel, over 255: mean, std: [c]. Exact sums. */
void adn_dataset_moments(const adn_dataset *set, double *mean, double *std);

/* Epoch `epoch` (from 1) visits sample order[i] as its i-th: Fisher-Yates from counter-based draws.
 * order: [n]. */
void adn_order_epoch(uint64_t seed, int epoch, int n, uint32_t *order);

/* What each transform of the list does to a sample's image, moves [n_augment]: a function of (seed,
 * epoch, sample). At most ADN_MAX_AUGMENT transforms: the draws of sample s and transform t are
 * numbered 16 s + t. */
void adn_augment_draw(const adn_aug_conf *augment, int n_augment, uint64_t seed, int epoch,
                      uint32_t sample, int h, int w, adn_move *moves);
/* The colour of cutouts, fill [c]: round(255 mean). mean NULL: black. */
void adn_augment_fill(const double *mean, int c, uint8_t *fill);
/* Draws, and augments one image so: src [h, w, c] u8 to dst [h, w, c] u8, in the order of the list.
 * crop pads with zeros (black), cutout paints bytes `fill` [c]. */
void adn_augment(const adn_aug_conf *augment, int n_augment, uint64_t seed, int epoch,
                 uint32_t sample, int h, int w, int c, const uint8_t *fill, const uint8_t *src,
                 uint8_t *dst);

/* What a batch is filled with; the memory is the caller's (an edge's slot). */
typedef struct adn_batch {
    uint8_t *pixels;   /* [n_valid, h, w, c] */
    int32_t *labels;   /* [n_valid] */
    uint32_t *samples; /* [n_valid] ids in the set */
    int n_valid;
    adn_move *moves; /* [n_valid][n_augment], where the loader gives them instead of pixels */
} adn_batch;

/* Reader threads fill batches ahead. A position (epoch, batch) counts epochs from 1, batches from
 * 0; that behind an epoch's last batch is the next epoch's first. */
typedef struct adn_loader adn_loader;
typedef struct adn_loader_conf {
    const adn_dataset *set;      /* borrowed */
    const adn_aug_conf *augment; /* borrowed */
    int n_augment;               /* 0 and is_ordered for a test set */
    const double *mean;          /* [c] for cutout's fill: round(255 mean); NULL: black */
    uint64_t seed;
    int batch;
    bool drop_last, is_ordered;
    bool gives_moves;       /* instead of pixels, which are not read: who takes them has the set */
    int multiple;           /* an epoch gives a multiple of so many batches; 0: 1 */
    int n_thread, n_ahead;  /* readers, and batches filled ahead */
    int epoch, first_batch; /* where to start */
} adn_loader_conf;
/* ADN_BADDATA where an epoch would have no batch, or first_batch lies beyond it; ADN_BADCONF for
 * more than ADN_MAX_AUGMENT transforms. mean is read by this call only. */
adn_status adn_loader_create(const adn_loader_conf *conf, adn_loader **out) ADN_MUST_USE;
void adn_loader_destroy(adn_loader *l); /* takes NULL, stops readers */
/* Batches an epoch has: a short last one counts unless drop_last, one of a single sample never does
 * (batch norm cannot learn from it) unless is_ordered. */
int adn_loader_batches(int n_sample, int batch, bool drop_last, bool is_ordered);
/* The next batch, in order, copied into the caller's arrays: pixels room for batch*h*w*c, or moves
 * for batch*n_augment. It goes
 * on over epochs for ever; *epoch and *index say which it is. One caller at a time. What went wrong
 * in a reader comes out at its batch, and at every call after it; *dst, *epoch and *index are then
 * untouched. */
adn_status adn_loader_next(adn_loader *l, adn_batch *dst, int *epoch, int *index) ADN_MUST_USE;

#endif
