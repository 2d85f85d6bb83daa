/* The manifest of a checkpoint: which files, of which sizes and hashes, at which position. Written
 * last, so that a folder with a whole manifest is a whole checkpoint. Inside of src/store only. */
#ifndef ADN_MANIFEST_H
#define ADN_MANIFEST_H

#include "store/checkpoint.h"

typedef struct adn_manifest {
    adn_ckpt_info info;
    adn_ckpt_file *files; /* sorted by name */
    int n_file;
} adn_manifest;

enum {
    ADN_WHY = 512
}; /* what is wrong with a checkpoint, as text: the caller decides whether it is logged */

/* "e0012-b0000", and back; false when the text is no such name. */
void adn_ckpt_name(int epoch, int batch, char out[32]);
bool adn_ckpt_parse(const char *name, int *epoch, int *batch);

/* Hashes and syncs every file of dir, then writes dir/manifest.json. */
adn_status adn_manifest_write(const char *dir, const adn_ckpt_info *info) ADN_MUST_USE;
/* dir/manifest.json, which must be the manifest of `name`. ADN_BADCKPT fills why and logs nothing.
 */
adn_status adn_manifest_read(const char *dir, const char *name, adn_manifest *out,
                             char why[ADN_WHY]) ADN_MUST_USE;
/* The files against it: sizes, and hashes if asked. ADN_BADCKPT fills why and logs nothing. */
adn_status adn_manifest_check(const char *dir, const adn_manifest *m, bool with_hashes,
                              char why[ADN_WHY]) ADN_MUST_USE;
void adn_manifest_clear(adn_manifest *m);

#endif
