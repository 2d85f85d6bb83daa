/* Balanced cuts against all cuts there are, over made-up costs: whole numbers and speeds of powers
 * of two, so that sums are exact and ties are ties. */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "pipeline/balance.h"
#include "suite.h"

enum { MAX_UNIT = 8 };

typedef struct costs {
    double first[MAX_UNIT], inner[MAX_UNIT], head[MAX_UNIT], speed[MAX_UNIT];
    double bytes[MAX_UNIT * MAX_UNIT];
    adn_balance b;
} costs;

/* Few different values: many ties. */
static void draw(costs *c, uint64_t k)
{
    static const double speeds[] = {1, 1, 2, 0.5};
    uint32_t range = k % 3 == 0 ? 3 : 40;

    c->b = (adn_balance){.first = c->first,
                         .inner = c->inner,
                         .head = c->head,
                         .speed = c->speed,
                         .bytes = c->bytes};
    adn_draw d = adn_rng_draw(1, ADN_RNG_TEST, 0, k);
    c->b.n_unit = 1 + (int)(d.u[0] % MAX_UNIT);
    c->b.n_block = 1 + (int)(d.u[1] % (uint32_t)c->b.n_unit);
    c->b.limit_bytes = k % 2 == 0 ? INFINITY : 30.0 * c->b.n_block + d.u[2] % 60;
    for (int i = 0; i < MAX_UNIT; i++) {
        d = adn_rng_draw(1, ADN_RNG_TEST, 1 + (uint64_t)i, k);
        c->first[i] = d.u[0] % range;
        c->inner[i] = c->first[i] + d.u[1] % range;
        c->head[i] = d.u[2] % range;
        c->speed[i] = speeds[k % 5 == 0 ? d.u[3] % 4 : 0];
    }
    for (uint64_t i = 0; i < MAX_UNIT * MAX_UNIT; i++)
        c->bytes[i] = 1 + adn_rng_draw(1, ADN_RNG_TEST, 20 + i, k).u[0] % 60;
}

typedef struct found {
    double largest_s, sum_s, bytes;
    int end[MAX_UNIT];
    bool is_found;
} found;

/* The header's rule, said once more. Cuts come in ascending order: the earliest of equals stays. */
static bool is_better(const found *a, const found *b, bool by_bytes)
{
    if (!b->is_found || a->largest_s != b->largest_s)
        return !b->is_found || a->largest_s < b->largest_s;
    if (by_bytes && a->bytes != b->bytes) return a->bytes < b->bytes;
    return a->sum_s < b->sum_s;
}

static void weigh(const adn_balance *b, found *f)
{
    f->largest_s = f->sum_s = f->bytes = 0;
    f->is_found = true;
    for (int j = 0, i = 0; j < b->n_block; i = f->end[j++]) {
        double s = b->first[i];
        for (int k = i + 1; k < f->end[j]; k++) s += b->inner[k];
        s = (s + b->head[f->end[j] - 1]) / b->speed[j];
        f->largest_s = fmax(f->largest_s, s);
        f->sum_s += s;
        f->bytes += b->bytes[i * b->n_unit + f->end[j] - 1];
    }
}

typedef struct search {
    double below_s, limit;
    found fitting, any, least; /* fastest that fits; of those as fast: smallest sum, least memory */
    double least_bytes;        /* of all cuts */
} search;

/* Calls once for all cuts: block j.. begin at unit i. */
static void all_cuts(const adn_balance *b, search *s, found *f, int j, int i)
{
    if (j == b->n_block - 1) {
        f->end[j] = b->n_unit;
        weigh(b, f);
        s->least_bytes = fmin(s->least_bytes, f->bytes);
        if (f->largest_s > s->below_s) return;
        if (f->bytes <= s->limit && is_better(f, &s->fitting, false)) s->fitting = *f;
        if (!s->any.is_found || f->sum_s < s->any.sum_s) s->any = *f;
        if (!s->least.is_found || f->bytes < s->least.bytes ||
            (f->bytes == s->least.bytes && f->sum_s < s->least.sum_s))
            s->least = *f;
        return;
    }
    for (f->end[j] = i + 1; b->n_unit - f->end[j] >= b->n_block - 1 - j; f->end[j]++) {
        int end = f->end[j];
        all_cuts(b, s, f, j + 1, end);
    }
}

static found expected(const adn_balance *b, double *least_bytes)
{
    found f = {0};
    search s = {.below_s = INFINITY, .limit = b->limit_bytes, .least_bytes = INFINITY};

    all_cuts(b, &s, &f, 0, 0);
    *least_bytes = s.least_bytes;
    if (!s.fitting.is_found) return s.fitting;
    s = (search){.below_s = s.fitting.largest_s, .limit = b->limit_bytes};
    all_cuts(b, &s, &f, 0, 0);
    return s.any.bytes <= b->limit_bytes ? s.any : s.least;
}

START_TEST(cuts_are_the_best_of_all_that_there_are)
{
    int n_fit = 0, n_tight = 0, n_refused = 0;

    for (uint64_t k = 0; k < 4000; k++) {
        costs c;
        int end[MAX_UNIT];
        double least;
        draw(&c, k);
        found best = expected(&c.b, &least);
        adn_status st = adn_balance_cut(&c.b, end);
        ck_assert_int_eq(st, best.is_found ? ADN_OK : ADN_NOMEM);
        if (!best.is_found) {
            n_refused++;
            continue;
        }
        n_fit++;
        found got = {0};
        memcpy(got.end, end, (size_t)c.b.n_block * sizeof(end[0]));
        weigh(&c.b, &got);
        ck_assert_double_eq(got.largest_s, best.largest_s);
        ck_assert_double_eq(got.sum_s, best.sum_s);
        ck_assert_double_le(got.bytes, c.b.limit_bytes);
        for (int j = 0; j < c.b.n_block; j++)
            ck_assert_msg(end[j] == best.end[j], "case %llu: block %d ends after %d, not %d",
                          (unsigned long long)k, j, end[j], best.end[j]);
        double limit = c.b.limit_bytes;
        c.b.limit_bytes = INFINITY;
        n_tight += !isinf(limit) && expected(&c.b, &least).largest_s < best.largest_s;
    }
    ck_assert_int_gt(n_fit, 2000);
    ck_assert_int_gt(n_tight, 100); /* the limit made them slower */
    ck_assert_int_gt(n_refused, 100);
}
END_TEST

/* 4 units of 10 with heads of 2, on devices of which the second is twice as fast. */
static costs plain(int n_block)
{
    costs c = {.first = {8, 8, 8, 8}, .inner = {99, 10, 10, 10}, .head = {2, 2, 2, 2}};

    for (int i = 0; i < MAX_UNIT; i++) c.speed[i] = i == 1 ? 2 : 1;
    for (int i = 0; i < 16; i++) c.bytes[i] = (1 << 20) * (double)(1 + i % 4);
    c.b = (adn_balance){.n_unit = 4, .n_block = n_block, .limit_bytes = INFINITY};
    return c;
}

static void point(costs *c)
{
    c->b.first = c->first;
    c->b.inner = c->inner;
    c->b.head = c->head;
    c->b.speed = c->speed;
    c->b.bytes = c->bytes;
}

START_TEST(a_faster_device_gets_more_units)
{
    costs c = plain(2);
    int end[2];

    point(&c);
    ck_assert_int_eq(adn_balance_cut(&c.b, end), ADN_OK);
    ck_assert(end[0] == 1 && end[1] == 4); /* 10 and (8 + 10 + 10 + 2) / 2 */
    ck_assert_double_eq(adn_balance_seconds(&c.b, 0, 1, 0), 10);
    ck_assert_double_eq(adn_balance_seconds(&c.b, 1, 4, 1), 15);
    c.speed[1] = 1;
    ck_assert_int_eq(adn_balance_cut(&c.b, end), ADN_OK);
    ck_assert(end[0] == 2 && end[1] == 4);
}
END_TEST

START_TEST(what_needs_too_much_is_refused_with_its_need)
{
    costs c = plain(3);
    int end[3] = {7, 7, 7};

    point(&c);
    c.b.limit_bytes =
        (1 << 20) * 6.25; /* bytes of a block: 1 MiB and one more a unit before its end */
    adn_test_log_clear();
    ck_assert_int_eq(adn_balance_cut(&c.b, end), ADN_NOMEM);
    ck_assert_msg(strstr(adn_test_log(), "3 blocks need 7 MiB at least, and 6 MiB are free: lower "
                                         "data.batch or edge.slots, or make fewer blocks"),
                  "%s", adn_test_log());
    ck_assert(end[0] == 7 && end[2] == 7);
    c.b.limit_bytes = (1 << 20) * 7.0;
    ck_assert_int_eq(adn_balance_cut(&c.b, end), ADN_OK);
    ck_assert(end[0] == 1 && end[1] == 2 && end[2] == 4);
}
END_TEST

START_TEST(every_failing_allocation_is_told_and_nothing_is_left)
{
    costs c = plain(2);
    int end[2], n = 0;
    int64_t live = adn_alloc_live();

    point(&c);
    for (;; n++) {
        adn_alloc_fail_at(n + 1);
        adn_status st = adn_balance_cut(&c.b, end);
        adn_alloc_fail_at(0);
        ck_assert_int_eq(adn_alloc_live(), live);
        if (st == ADN_OK) break;
        ck_assert_int_eq(st, ADN_NOMEM);
    }
    ck_assert_int_eq(n, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("balance");
    TCase *tc = tcase_create("balance");
    tcase_add_test(tc, cuts_are_the_best_of_all_that_there_are);
    tcase_add_test(tc, a_faster_device_gets_more_units);
    tcase_add_test(tc, what_needs_too_much_is_refused_with_its_need);
    tcase_add_test(tc, every_failing_allocation_is_told_and_nothing_is_left);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
