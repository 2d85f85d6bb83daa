/* What a plan and a machine say of themselves: plan.json, `adonis plan` (text.c), env.json (env.c);
 * and the text that grows (text_line.c). Private to src/pipeline. */
#ifndef ADN_PIPELINE_TEXT_H
#define ADN_PIPELINE_TEXT_H

#include "pipeline/pipeline.h"

const char *adn_text_precision(const adn_plan *p); /* "fp32" */

typedef struct adn_text { /* grows by printf. Zeroed: an empty one */
    char *text;
    size_t n, room;
    bool failed; /* no memory, ever: told at the end */
} adn_text;
/* Begins a table: which processor's code or which GPUs its numbers are of, and of which
 * activations. Owes nothing after a failure. */
adn_status adn_text_begin(adn_text *t, const adn_plan *p) ADN_MUST_USE;
void adn_text_line(adn_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
adn_status adn_text_give(adn_text *t, char **out) ADN_MUST_USE; /* gives the text (adn_free) */

adn_status adn_env_json(char **out) ADN_MUST_USE; /* gives (adn_free) */
/* Warns where the run in this folder began with another processor's code than this process runs; a
 * plan on GPUs: on other GPUs, or with other libraries. */
adn_status adn_env_compare(const char *run_dir, const adn_plan *p) ADN_MUST_USE;
adn_status adn_plan_json(const adn_plan *p, adn_run *r, char **out) ADN_MUST_USE;  /* gives */
adn_status adn_plan_table(const adn_plan *p, adn_run *r, char **out) ADN_MUST_USE; /* gives */

#endif
