/* A file that is read piece by piece, by offset: what safetensors and hashes need and a whole
 * adn_file_read would allocate for. */
#ifndef ADN_STORE_INPUT_H
#define ADN_STORE_INPUT_H

#include "core/core.h"

/* A regular file and its size. ADN_IO names the path. The caller closes the descriptor. */
adn_status adn_input_open(const char *path, int *out_fd, int64_t *out_bytes) ADN_MUST_USE;
/* Exactly n bytes from offset on. */
adn_status adn_input_read(int fd, const char *path, void *dst, size_t n,
                          int64_t offset) ADN_MUST_USE;

#endif
