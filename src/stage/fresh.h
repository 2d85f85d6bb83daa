/* Which source steps a stage has learned from: a window that slides with the newest. */
#ifndef ADN_FRESH_H
#define ADN_FRESH_H

#include <stdbool.h>
#include <stdint.h>

enum { ADN_FRESH_WINDOW = 1 << 16 }; /* steps; what lies further back counts as learned */

typedef struct adn_fresh { /* zeroed: nothing is learned */
    int64_t end;           /* behind the newest step that was learned */
    uint64_t learned[ADN_FRESH_WINDOW / 64];
} adn_fresh;

bool adn_fresh_is(const adn_fresh *f, int64_t step);
void adn_fresh_learn(adn_fresh *f, int64_t step);

#endif
