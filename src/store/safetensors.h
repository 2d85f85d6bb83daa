/* Safetensors files: 8 bytes of little-endian N, N bytes of JSON, data.
 * Written with data from a multiple of 64; read as untrusted bytes, all of them checked first. */
#ifndef ADN_SAFETENSORS_H
#define ADN_SAFETENSORS_H

#include "core/core.h"

typedef enum adn_st_type { ADN_ST_F32, ADN_ST_F64, ADN_ST_I64 } adn_st_type;
enum { ADN_ST_DIMS = 4 };
typedef struct adn_st_tensor {
    const char *name;
    adn_st_type type;
    int n_dim;
    int64_t dim[ADN_ST_DIMS];
    void *data; /* written: borrowed for the call. read: inside the file's memory, 64-byte aligned
                   start */
} adn_st_tensor;
typedef struct adn_st_meta {
    const char *key, *value;
} adn_st_meta;

/* Replaces path atomically, as adn_file_write does. The same tensors and metadata are the same
 * bytes. */
adn_status adn_st_write(const char *path, const adn_st_tensor *tensors, int n_tensor,
                        const adn_st_meta *meta, int n_meta) ADN_MUST_USE;
typedef struct adn_st_file {
    adn_st_tensor *tensors; /* in the order of their offsets */
    int n_tensor;
    adn_st_meta *meta;
    int n_meta;
    void *owned;
} adn_st_file;
/* Verifies everything in one pass before anything is used. ADN_BADCKPT with path and byte offset.
 */
adn_status adn_st_read(const char *path, adn_st_file *out) ADN_MUST_USE;
void adn_st_clear(adn_st_file *f);
const adn_st_tensor *adn_st_find(const adn_st_file *f, const char *name); /* NULL: not there */

const char *adn_st_type_name(adn_st_type type); /* "F32", as in the file */
int64_t adn_st_bytes(const adn_st_tensor *t);   /* of its data */

#endif
