/* A histogram of whole numbers: exact below 64, then a bucket for each power of two. */
#ifndef ADN_AGES_H
#define ADN_AGES_H

#include <stdint.h>

enum { ADN_AGES_EXACT = 64, ADN_AGES_BUCKETS = ADN_AGES_EXACT + 57 };

typedef struct adn_ages { /* zeroed: empty */
    int64_t count[ADN_AGES_BUCKETS];
    int64_t n, max;
    double sum;
} adn_ages;

void adn_ages_add(adn_ages *a, int64_t age); /* age: at least 0 */
/* The smallest age that at least the share q (0 .. 1) of all does not exceed: of a wide bucket its
 * largest, at most max. 0 of none. */
int64_t adn_ages_quantile(const adn_ages *a, double q);
/* What came since `before`, an earlier state of the same; its max as exact as its bucket. */
adn_ages adn_ages_since(const adn_ages *a, const adn_ages *before);

#endif
