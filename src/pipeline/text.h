/* What a plan and a machine say of themselves: plan.json, `adonis plan` (text.c), env.json (env.c);
 * and the text that grows (text_line.c). Private to src/pipeline. */
#ifndef ADN_PIPELINE_TEXT_H
#define ADN_PIPELINE_TEXT_H

#include "core/json.h"
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

/* text_gpu.c: what plans on GPUs say beside. Each pass of each convolution with what cuDNN chose;
 * for GPUs that are not here what a run takes of their memory, and what all this is worth. */
void adn_text_convs(adn_text *t, const adn_plan *p, adn_run *r);
void adn_text_planned(adn_text *t, const adn_plan *p, adn_run *r);
void adn_put_convs(adn_json *j, adn_run *r, int block);
void adn_put_choices(adn_json *j, adn_run *r); /* from where a run that goes on takes them */
void adn_put_planned(adn_json *j, const adn_plan *p, adn_run *r);
/* Of GPUs that are not here: refuses what does not fit (ADN_NOMEM) or has no plan (ADN_DEVICE). */
adn_status adn_planned_check(const adn_plan *p, adn_run *r) ADN_MUST_USE;

adn_status adn_env_json(char **out) ADN_MUST_USE; /* gives (adn_free) */
/* Warns where the run in this folder began with another processor's code than this process runs; a
 * plan on GPUs: on other GPUs, or with other libraries. */
adn_status adn_env_compare(const char *run_dir, const adn_plan *p) ADN_MUST_USE;
adn_status adn_plan_json(const adn_plan *p, adn_run *r, char **out) ADN_MUST_USE;  /* gives */
adn_status adn_plan_table(const adn_plan *p, adn_run *r, char **out) ADN_MUST_USE; /* gives */

#endif
