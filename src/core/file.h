/* Files as this program uses them: read whole with a limit, written so that a kill at any moment
 * leaves the old file or the new one. Messages name the path; statuses are ADN_IO or as stated. */
#ifndef ADN_FILE_H
#define ADN_FILE_H

#include "core/core.h"

/* Reads a file of at most `limit` bytes into one block (adn_free), with a 0 behind the last byte.
 */
adn_status adn_file_read(const char *path, size_t limit, char **out,
                         size_t *out_bytes) ADN_MUST_USE;

/* Replaces `path` atomically: temporary name beside it, write, sync, rename, sync of the folder.
 * On failure the old file stays and no temporary file is left. */
adn_status adn_file_write(const char *path, const void *bytes, size_t n) ADN_MUST_USE;

/* The steps of it, for files that are written piece by piece. create truncates. */
adn_status adn_file_create(const char *path, int *out_fd) ADN_MUST_USE;
adn_status adn_file_put(int fd, const char *path, const void *bytes, size_t n) ADN_MUST_USE;
adn_status adn_file_close_synced(int fd, const char *path) ADN_MUST_USE; /* closes in any case */
adn_status adn_dir_sync(const char *path) ADN_MUST_USE;
adn_status
adn_dir_make(const char *path) ADN_MUST_USE; /* and its parents; an existing one is fine */
adn_status adn_dir_remove(const char *path) ADN_MUST_USE; /* with all in it */
bool adn_path_exists(const char *path);

/* "a/b" + "c"; an absolute second part stands alone. Gives (adn_free); NULL: no memory. */
char *adn_path_join(const char *dir, const char *name);

#endif
