/* Plans on disk, so that a graph is compiled once on a machine: one file a plan, in the folder
 * cudnn of $ADONIS_CACHE, else of $XDG_CACHE_HOME/adonis, else of $HOME/.cache/adonis. Threads and
 * processes may share it. Nothing here fails a run: without the cache, it only plans anew. */
#ifndef ADN_CUDA_DNN_CACHE_H
#define ADN_CUDA_DNN_CACHE_H

#include "core/core.h"

typedef struct dnn_cache dnn_cache;

/* NULL: none. ADONIS_CACHE is empty, or nothing names a folder. Takes no look at the disk. */
dnn_cache *adn_dnn_cache_open(void);
void adn_dnn_cache_close(dnn_cache *c);

/* The text that was put under this key; NULL: there is none, or its file is damaged or another
 * key's. Gives (adn_free). c: NULL has nothing. */
char *adn_dnn_cache_get(const dnn_cache *c, const char *key);
/* Replaces it. Where that is impossible, the log warns once and nothing is put from then on. */
void adn_dnn_cache_put(dnn_cache *c, const char *key, const char *text);

#endif
