/* Balanced cuts by dynamic programming over the last blocks: what blocks j, j+1, ... make of the
 * units from i on depends on nothing before them. */
#include "pipeline/balance.h"

#include <math.h>

typedef struct score { /* the smaller first, then the smaller second */
    double first, second;
} score;

typedef struct table {
    const adn_balance *of;
    score *best; /* [n_block + 1][n_unit + 1]: of blocks j.. over units i..; infinite: impossible */
    int *end;    /* the same places: where block j then ends */
} table;

typedef struct cuts {
    double largest_s, bytes;
} cuts;

static int at(const table *t, int block, int unit)
{
    return block * (t->of->n_unit + 1) + unit;
}

static bool is_less(score a, score b)
{
    return a.first < b.first || (a.first == b.first && a.second < b.second);
}

double adn_balance_seconds(const adn_balance *b, int from, int end, int block)
{
    double sum = b->first[from];
    for (int i = from + 1; i < end; i++) sum += b->inner[i];
    return (sum + b->head[end - 1]) / b->speed[block];
}

static double bytes_of(const adn_balance *b, int from, int end)
{
    return b->bytes[(size_t)from * (size_t)b->n_unit + (size_t)end - 1];
}

/* The best end of block j that begins with unit i. Sums run on as it grows: the same order of
 * additions as adn_balance_seconds. */
static void fill_one(table *t, int j, int i, double below_s, bool by_bytes)
{
    const adn_balance *b = t->of;
    score best = {INFINITY, INFINITY};
    double sum = b->first[i];

    for (int e = i + 1; e <= b->n_unit; e++) {
        if (e > i + 1) sum += b->inner[e - 1];
        double seconds = (sum + b->head[e - 1]) / b->speed[j], bytes = bytes_of(b, i, e);
        score rest = t->best[at(t, j + 1, e)];
        score s = by_bytes ? (score){bytes + rest.first, seconds + rest.second}
                           : (score){seconds + rest.first, 0};
        if (!(seconds < below_s) || !is_less(s, best)) continue;
        best = s;
        t->end[at(t, j, i)] = e;
    }
    t->best[at(t, j, i)] = best;
}

/* Finds the cuts whose blocks each take less than below_s: with the least memory (then the smallest
 * sum of times), or with the smallest sum; false: there are none. */
static bool solve(table *t, double below_s, bool by_bytes, cuts *out)
{
    const adn_balance *b = t->of;

    for (int i = 0; i <= b->n_unit; i++)
        t->best[at(t, b->n_block, i)] =
            i == b->n_unit ? (score){0, 0} : (score){INFINITY, INFINITY};
    for (int j = b->n_block - 1; j >= 0; j--) {
        for (int i = 0; i < b->n_unit; i++) fill_one(t, j, i, below_s, by_bytes);
        t->best[at(t, j, b->n_unit)] = (score){INFINITY, INFINITY};
    }
    if (isinf(t->best[0].first)) return false;
    *out = (cuts){0};
    for (int j = 0, i = 0; j < b->n_block; j++) {
        int e = t->end[at(t, j, i)];
        double seconds = adn_balance_seconds(b, i, e, j);
        out->largest_s = ADN_MAX(out->largest_s, seconds);
        out->bytes += bytes_of(b, i, e);
        i = e;
    }
    return true;
}

/* Leaves the chosen cuts in the table; `least` are those with the least memory. */
static void choose(table *t, cuts least)
{
    double limit = t->of->limit_bytes, below_s;

    do { /* while cuts with a faster slowest block fit, those */
        below_s = least.largest_s;
    } while (solve(t, below_s, true, &least) && least.bytes <= limit);
    below_s = nextafter(below_s, INFINITY); /* not above it */
    bool has_cuts = solve(t, below_s, false, &least);
    if (least.bytes > limit) has_cuts = solve(t, below_s, true, &least);
    ADN_ASSERT(has_cuts);
}

adn_status adn_balance_cut(const adn_balance *b, int *end)
{
    adn_status st = ADN_OK;
    size_t n = (size_t)(b->n_block + 1) * (size_t)(b->n_unit + 1);
    table t = {.of = b};
    cuts least;

    ADN_ASSERT(b->n_block >= 1 && b->n_block <= b->n_unit);
    t.best = adn_alloc(n * sizeof(*t.best));
    t.end = adn_alloc(n * sizeof(*t.end));
    if (t.best == NULL || t.end == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "balance: no memory");
        goto done;
    }
    bool has_cuts = solve(&t, INFINITY, true, &least);
    ADN_ASSERT(has_cuts); /* times are finite */
    if (least.bytes > b->limit_bytes) {
        st = ADN_FAIL(ADN_NOMEM,
                      "%d blocks need %.0f MiB at least, and %.0f MiB are free: lower data.batch "
                      "or edge.slots, or make fewer blocks",
                      b->n_block, least.bytes / (1 << 20), b->limit_bytes / (1 << 20));
        goto done;
    }
    choose(&t, least);
    for (int j = 0, i = 0; j < b->n_block; j++) end[j] = i = t.end[at(&t, j, i)];
done:
    adn_free(t.best);
    adn_free(t.end);
    return st;
}
