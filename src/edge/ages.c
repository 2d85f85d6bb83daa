/* Counts of ages and their quantiles. */
#include "edge/ages.h"

#include "core/core.h"

void adn_ages_add(adn_ages *a, int64_t age)
{
    int64_t i = age;

    if (age >= ADN_AGES_EXACT) {
        i = ADN_AGES_EXACT;
        for (int64_t top = age / (2 * ADN_AGES_EXACT); top > 0; top /= 2) i++;
    }
    a->count[i]++;
    a->n++;
    a->max = ADN_MAX(a->max, age);
    a->sum += (double)age;
}

int64_t adn_ages_quantile(const adn_ages *a, double q)
{
    int64_t below = 0;

    for (int i = 0; i < ADN_AGES_BUCKETS && a->n > 0; i++) {
        below += a->count[i];
        if (below == 0 || (double)below < q * (double)a->n) continue;
        if (i < ADN_AGES_EXACT) return i;
        int64_t next = (int64_t)ADN_AGES_EXACT << (i - ADN_AGES_EXACT); /* the bucket's first */
        return ADN_MIN(next + (next - 1), a->max);
    }
    return 0;
}

adn_ages adn_ages_since(const adn_ages *a, const adn_ages *before)
{
    adn_ages d = {.n = a->n - before->n, .max = a->max, .sum = a->sum - before->sum};

    for (int i = 0; i < ADN_AGES_BUCKETS; i++) d.count[i] = a->count[i] - before->count[i];
    d.max = adn_ages_quantile(&d, 1);
    return d;
}
