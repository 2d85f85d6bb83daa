/* A ring of bits, one a source step. */
#include "stage/fresh.h"

static uint64_t bit_of(int64_t step)
{
    return (uint64_t)1 << (step % 64);
}

static int64_t word_of(int64_t step)
{
    return step % ADN_FRESH_WINDOW / 64;
}

bool adn_fresh_is(const adn_fresh *f, int64_t step)
{
    if (step >= f->end) return true;
    if (step < f->end - ADN_FRESH_WINDOW) return false;
    return !(f->learned[word_of(step)] & bit_of(step));
}

void adn_fresh_learn(adn_fresh *f, int64_t step)
{
    if (step < f->end - ADN_FRESH_WINDOW) return;
    int64_t from = step - f->end > ADN_FRESH_WINDOW ? step - ADN_FRESH_WINDOW : f->end;
    for (int64_t k = from; k <= step; k++) f->learned[word_of(k)] &= ~bit_of(k);
    f->learned[word_of(step)] |= bit_of(step);
    if (step >= f->end) f->end = step + 1;
}
