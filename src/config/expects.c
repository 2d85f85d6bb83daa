/* What a key's value may be, in words: for messages and the documentation. */
#include "config/schema.h"

#include <string.h>

static void add_words(const adn_key *key, bool is_first, adn_text *t)
{
    for (const adn_word *w = key->words; w != NULL && w->word != NULL; w++) {
        if (w->is_later) continue;
        bool is_last = true;
        for (const adn_word *v = w + 1; v->word != NULL; v++) is_last = is_last && v->is_later;
        adn_text_add(t, "%s%s", is_first ? "" : is_last ? " or " : ", ", w->word);
        is_first = false;
    }
}

static void add_range(const adn_key *key, adn_text *t)
{
    if (key->lo == key->hi) {
        adn_text_add(t, " ");
        adn_text_number(t, key->lo);
        return;
    }
    adn_text_add(t, key->is_lo_open ? " above " : " from ");
    adn_text_number(t, key->lo);
    adn_text_add(t, key->is_hi_open ? " to below " : " to ");
    adn_text_number(t, key->hi);
}

static void add_units(const adn_key *key, adn_text *t)
{
    static const char *const named[] = {"ep (epochs)", "st (steps)", "s, min or h", "inf"};
    unsigned left = key->units;
    for (unsigned u = 0; u < ADN_COUNT(named); u++) {
        if (!(key->units & (1u << u))) continue;
        left &= ~(1u << u);
        adn_text_add(t, "%s%s", u == ADN_NEVER ? "; or " : "", named[u]);
        if (left != 0 && left != 1u << ADN_NEVER) adn_text_add(t, ", ");
    }
}

void adn_schema_expects(const adn_key *key, adn_text *t)
{
    switch (key->type) {
    case ADN_KEY_SECTION:
        adn_text_add(t, "a section of keys, such as {");
        for (int i = 0, n = 0; i < adn_schema_n && n < 2; i++) {
            const char *name;
            if (!adn_schema_is_child(&adn_schema[i], key->path, &name) ||
                adn_schema[i].type == ADN_KEY_SECTION)
                continue;
            adn_text_add(t, "%s%s: %s", n++ > 0 ? ", " : "", name,
                         adn_schema[i].def != NULL ? adn_schema[i].def : "...");
        }
        adn_text_add(t, "}");
        break;
    case ADN_KEY_SECTIONS:
        adn_text_add(t, key->takes_one ? "a section, or a list of such: [{...}, {...}]"
                                       : "a list of sections, such as [{...}, {...}]");
        break;
    case ADN_KEY_WORD:
    case ADN_KEY_FLAG:
    case ADN_KEY_NAME:
        add_words(key, true, t);
        break;
    case ADN_KEY_TEXT:
    case ADN_KEY_PATH:
        adn_text_add(t, "a text");
        break;
    case ADN_KEY_BOOL:
        adn_text_add(t, "true or false");
        break;
    case ADN_KEY_SEED:
        adn_text_add(t, "a whole number from 0 to 9223372036854775807");
        break;
    case ADN_KEY_INT:
    case ADN_KEY_REAL:
        adn_text_add(t, key->lo == key->hi         ? "the number"
                        : key->type == ADN_KEY_INT ? "a whole number"
                                                   : "a number");
        add_range(key, t);
        add_words(key, false, t);
        break;
    case ADN_KEY_DURATION:
    case ADN_KEY_SECONDS:
        adn_text_add(t, "a number %s 0 with a unit: %s", key->is_lo_open ? "above" : "from",
                     key->type == ADN_KEY_SECONDS ? "ms, " : "");
        add_units(key, t);
        break;
    case ADN_KEY_BITRATE:
        adn_text_add(t, "a number above 0 with a unit: kb/s, Mb/s or Gb/s; or inf");
        break;
    case ADN_KEY_BYTES:
        adn_text_add(t, "a number above 0 with a unit: KiB, MiB or GiB; or inf");
        break;
    case ADN_KEY_AUGMENT:
        adn_text_add(t, "a list of crop N, flip, cutout N");
        break;
    case ADN_KEY_CHANNELS:
        adn_text_add(t, "auto, or a list of 1 to %d numbers", ADN_MAX_CHANNELS);
        add_range(key, t);
        break;
    case ADN_KEY_PAIR:
        adn_text_add(t, "a list of two numbers");
        add_range(key, t);
        break;
    case ADN_KEY_CUTS:
        adn_text_add(t, "every, auto, or a list of units such as [2, 4]");
        break;
    case ADN_KEY_TIMES:
        adn_text_add(t, "a list such as [30ep, 40ep], in ");
        add_units(key, t);
        break;
    case ADN_KEY_NO_DECAY:
        adn_text_add(t, "a list of bias, norm");
        break;
    case ADN_KEY_DEVICE:
        adn_text_add(t, "auto, cpu, cpu:A-B (cores) or cuda:N (a GPU)");
        break;
    case ADN_KEY_LATER:
        adn_text_add(t, "%s", key->def != NULL ? key->def : "nothing");
        break;
    }
}
