/* How much memory this process may still take. */
#ifndef ADN_MEMORY_H
#define ADN_MEMORY_H

#include "core/core.h"

/* Bytes that the machine has free, what it can reclaim included, or fewer where a control group of
 * this process (version 1 or 2, or one around it) gives less. SIZE_MAX: nothing says. */
size_t adn_memory_free(void);
/* The same of the /proc and /sys/fs/cgroup under `root` ("": the real ones). For tests. */
size_t adn_memory_free_at(const char *root);

#endif
