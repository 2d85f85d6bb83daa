/* What devices chose where the fastest of several ways was found by trying: so that a run which
 * goes on or is repeated takes the same ways, whatever would be faster then. */
#ifndef ADN_DEVICE_CHOICES_H
#define ADN_DEVICE_CHOICES_H

#include "core/core.h"

/* From a key, which names what was to be done and on what, to the choice: one line of text each,
 * the device's own. Any thread. */
typedef struct adn_choices adn_choices;
adn_status adn_choices_create(adn_choices **out) ADN_MUST_USE;
void adn_choices_destroy(adn_choices *c); /* takes NULL */

/* Copies the choice to out; false: there is none, or it has no room. */
bool adn_choices_get(adn_choices *c, const char *key, char *out, size_t room);
/* A key that is there keeps its first choice. */
adn_status adn_choices_put(adn_choices *c, const char *key, const char *choice) ADN_MUST_USE;
/* All of them by the order of their keys, while nobody puts. */
typedef void (*adn_choice_fn)(void *user, const char *key, const char *choice);
void adn_choices_each(adn_choices *c, adn_choice_fn fn, void *user);

#endif
