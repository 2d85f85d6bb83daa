/* A data file read front to back, plain or gzipped (by its name), once. A file's own claims never
 * allocate: room grows with the bytes that have come. Messages: path, byte offset, wrong, expected.
 */
#ifndef ADN_DATA_SOURCE_H
#define ADN_DATA_SOURCE_H

#include <zlib.h>

#include "core/core.h"

typedef struct adn_source { /* caller's memory; zeroed: closed */
    const char *path;       /* borrowed */
    int fd;
    int64_t file_bytes; /* on disk */
    int64_t at;         /* bytes given so far: the offset that messages name */
    bool is_open, is_gz;
    /* gzip only */
    bool in_member;  /* a gzip member has begun and not ended */
    int64_t read_at; /* bytes taken from the disk */
    uint8_t *in;
    z_stream z;
} adn_source;

/* ADN_BADDATA for a file that is missing, empty or no regular file; *s is closed then. The struct
 * stays where it is while open (zlib points back at it). */
adn_status adn_source_open(adn_source *s, const char *path) ADN_MUST_USE;
void adn_source_close(adn_source *s); /* a zeroed or closed one is fine */
/* Up to n bytes; fewer only at the end of the data. Broken gzip data: ADN_BADDATA. */
adn_status adn_source_read(adn_source *s, void *dst, size_t n, size_t *got) ADN_MUST_USE;
/* Exactly n bytes of `what` (for the message when the file ends before). */
adn_status adn_source_exact(adn_source *s, void *dst, size_t n, const char *what) ADN_MUST_USE;
/* n bytes in a block of n + extra bytes (adn_free). A plain file must have been checked to hold
 * them. */
adn_status adn_source_take(adn_source *s, size_t n, size_t extra, const char *what,
                           uint8_t **out) ADN_MUST_USE;
/* Nothing may follow. For gzip this also checks the stream's end: CRC, length, what comes behind.
 */
adn_status adn_source_end(adn_source *s) ADN_MUST_USE;

#endif
