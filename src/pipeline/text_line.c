/* Text that grows, line by line. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"
#include "pipeline/text.h"

const char *adn_text_precision(adn_type type)
{
    return type == ADN_BF16 ? "bf16" : "fp32";
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

adn_status adn_text_begin(adn_text *t, adn_type type)
{
    const char *isa = NULL;
    int lanes;
    adn_status st = adn_cpu_isa_name(&isa, &lanes);

    *t = (adn_text){0};
    if (st == ADN_OK)
        adn_text_line(t, "processor code %s (%d floats a vector); activations in %s\n", isa, lanes,
                      adn_text_precision(type));
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
