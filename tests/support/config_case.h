/* Small configurations for tests: written to exp.yaml, loaded, and held against what the log says.
 */
#ifndef ADN_TEST_CONFIG_CASE_H
#define ADN_TEST_CONFIG_CASE_H

#include "adonis/config.h"
#include "core/core.h"

/* Writes exp.yaml, always the same file in a folder of its own, and gives its path. Static memory.
 */
const char *config_file(const char *text);
const char *config_file_path(void);

/* Must load; the log is cleared before. text NULL: no file. */
adn_config *config_good(const char *text, const char *const *arguments, int n);
/* Must be refused as the user's mistake, with *out untouched and nothing left behind. argument
 * NULL: none. */
void config_refuse(const char *text, const char *argument);
void config_refuse_bytes(const char *bytes, size_t n);

/* What the log must hold, and must not. */
void ck_says(const char *fragment);
void ck_silent_about(const char *fragment);

#endif
