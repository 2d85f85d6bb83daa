/* Text that grows, line by line. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"
#include "device/cuda.h"
#include "pipeline/text.h"

const char *adn_text_precision(const adn_plan *p)
{
    return adn_config_word("precision", (int)p->conf->precision);
}

/* Room for n more characters and the end. */
static bool grow(adn_text *t, size_t n)
{
    if (t->failed || t->n + n < t->room) return !t->failed;
    size_t room = ADN_MAX(2 * t->room, t->n + n + 1024);
    char *text = adn_alloc(room);
    t->failed = text == NULL;
    if (t->failed) return false;
    if (t->text != NULL) memcpy(text, t->text, t->n);
    adn_free(t->text);
    t->text = text;
    t->room = room;
    return true;
}

static adn_status name_processor(adn_text *t)
{
    const char *isa = NULL;
    int lanes;
    adn_status st = adn_cpu_isa_name(&isa, &lanes);

    if (st == ADN_OK) adn_text_line(t, "processor code %s (%d floats a vector)", isa, lanes);
    return st;
}

static adn_status name_gpus(adn_text *t, const adn_plan *p)
{
    adn_status st = ADN_OK;
    adn_cuda_info info;
    bool is_here = p->gpu_model == NULL;

    for (int j = 0; j < p->n_block; j++) {
        int gpu = p->blocks[j].gpu, first = 0;
        while (p->blocks[first].gpu != gpu) first++;
        if (first < j) continue;
        if (is_here) ADN_TRY(st, adn_cuda_look(gpu, &info), done);
        adn_text_line(t, "%scuda:%d (%s)", j == 0 ? "" : ", ", gpu,
                      is_here ? info.model : p->gpu_model->full_name);
    }
    if (!is_here) adn_text_line(t, ", not here");
done:
    return st;
}

adn_status adn_text_begin(adn_text *t, const adn_plan *p)
{
    *t = (adn_text){0};
    adn_status st = p->blocks[0].gpu == ADN_ON_CPU ? name_processor(t) : name_gpus(t, p);
    adn_text_line(t, "; activations in %s\n", adn_text_precision(p));
    if (st == ADN_OK) return ADN_OK;
    adn_free(t->text);
    *t = (adn_text){0};
    return st;
}

void adn_text_line(adn_text *t, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    ADN_ASSERT(n >= 0);
    if (grow(t, (size_t)n)) vsnprintf(t->text + t->n, t->room - t->n, fmt, again);
    if (!t->failed) t->n += (size_t)n;
    va_end(again);
    va_end(args);
}

adn_status adn_text_give(adn_text *t, char **out)
{
    if (t->failed) {
        adn_free(t->text);
        *t = (adn_text){0};
        return ADN_FAIL(ADN_NOMEM, "no memory for a report");
    }
    *out = t->text;
    return ADN_OK;
}
