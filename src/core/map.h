/* Memory that lies in a file without a name: it is gone with the process, however that ends. */
#ifndef ADN_CORE_MAP_H
#define ADN_CORE_MAP_H

#include "core/core.h"

/* Zeroed bytes in a new file of this folder, whose blocks are all reserved: a full disk is told of
 * now, not by a signal later. ADN_IO with the folder. Gives (adn_map_release, of the same size). */
adn_status adn_map_create(const char *dir, size_t bytes, void **out) ADN_MUST_USE;
void adn_map_release(void *p, size_t bytes); /* takes NULL */

#endif
