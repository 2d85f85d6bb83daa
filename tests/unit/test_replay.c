/* The replay policies against a plain model, and against published figures. All writing and reading
 * ends at once here; test_ring.c has what happens in between. */
#include <stdlib.h>

#include "core/core.h"
#include "core/rng.h"
#include "edge/ages.h"
#include "edge/ring.h"
#include "suite.h"

static uint64_t n_draw;

/* 0 .. n-1 */
static uint32_t random_below(uint64_t seed, uint32_t n)
{
    return adn_rng_below(adn_rng_draw(seed, ADN_RNG_TEST, 0, n_draw++).u[0], n);
}

static bool at_once(void *user, int slot, bool is_write)
{
    (void)user;
    (void)slot;
    (void)is_write;
    return true;
}

static adn_ring_verb ring_push(adn_ring *r)
{
    adn_ring_poll(r, at_once, NULL);
    adn_ring_answer a = adn_ring_acquire(r);
    if (a.verb == ADN_RING_GO) adn_ring_commit(r, a.slot);
    adn_ring_poll(r, at_once, NULL);
    return a.verb;
}

/* Where it goes, the slot as it was read. */
static adn_ring_verb ring_pull(adn_ring *r, adn_replay_slot *out, int64_t *out_age)
{
    adn_ring_poll(r, at_once, NULL);
    adn_ring_answer a = adn_ring_next(r);
    if (a.verb != ADN_RING_GO) return a.verb;
    *out_age = adn_replay_age(&r->book, a.slot);
    adn_ring_take(r, a.slot);
    *out = r->book.slots[a.slot];
    adn_ring_release(r, a.slot);
    return a.verb;
}

/* --- the model: batches in order of their push, oldest first */

enum { MAX_SLOTS = 8, ON_THE_WAY = 3 };

typedef struct model {
    adn_replay_conf conf;
    int m, n;
    bool is_closed, reads_once;
    int64_t drawn; /* before this run */
    struct {
        int64_t push, use;
    } b[MAX_SLOTS];
    int64_t pushed, pulled, reused, dropped;
} model;

static bool model_push(model *m)
{
    int old = 0;
    if (m->n == m->m) {
        while (m->conf.when_full == ADN_FULL_BLOCK && old < m->n && m->b[old].use == 0) old++;
        if (old == m->n) return false;
        m->dropped += m->b[old].use == 0;
        for (m->n--; old < m->n; old++) m->b[old] = m->b[old + 1];
    }
    m->b[m->n].push = m->pushed++;
    m->b[m->n++].use = 0;
    return true;
}

static int model_pull(model *m)
{
    int c[MAX_SLOTS], n = 0, best = -1;
    int64_t reuse = m->conf.policy == ADN_REPLAY_FIFO ? 1 : m->conf.max_reuse, least = INT64_MAX;
    if (m->reads_once || (m->is_closed && !m->conf.reads_on)) reuse = 1;

    for (int i = 0; i < m->n; i++) {
        bool is_old = m->conf.max_age > 0 && m->pushed - 1 - m->b[i].push > m->conf.max_age;
        if (is_old || (reuse > 0 && m->b[i].use >= reuse)) continue;
        c[n++] = i;
        least = ADN_MIN(least, m->b[i].use);
    }
    if (n == 0) return -1;
    best = c[n - 1];
    if (m->conf.policy == ADN_REPLAY_FIFO) best = c[0];
    if (m->conf.policy == ADN_REPLAY_UNIFORM)
        best = c[adn_rng_below(adn_rng_draw(m->conf.seed, ADN_RNG_REPLAY, m->conf.edge,
                                            (uint64_t)(m->drawn + m->pulled))
                                   .u[0],
                               (uint32_t)n)];
    bool by_use = m->conf.policy == ADN_REPLAY_PRIORITY_LIFO ||
                  m->conf.policy == ADN_REPLAY_PRIORITY_LIFO_PAPER;
    for (int k = 0; k < n; k++) /* the last of the least used, or of the unread */
        if (by_use ? m->b[c[k]].use == least
                   : m->conf.policy == ADN_REPLAY_LIFO && m->b[c[k]].use == 0)
            best = c[k];
    if (m->conf.policy == ADN_REPLAY_PRIORITY_LIFO_PAPER && m->n == m->m && c[0] == 0 &&
        m->b[0].use == least)
        best = 0;
    m->pulled++;
    m->reused += m->b[best].use++ > 0;
    return best;
}

/* Cheaper than Check's own, which writes to a file each time. */
#define SAME(a, b)                                                                                 \
    do {                                                                                           \
        if ((a) != (b)) ck_assert_int_eq(a, b);                                                    \
    } while (0)

static void push_both(adn_ring *ring, model *m)
{
    bool fits = model_push(m);
    SAME(ring_push(ring), fits ? ADN_RING_GO : ADN_RING_WAIT);
    SAME(fits || m->conf.when_full == ADN_FULL_BLOCK, true);
}

static void pull_both(adn_ring *ring, model *m)
{
    adn_replay_slot got = {0};
    int64_t age = -1;
    int want = model_pull(m);
    adn_ring_verb verb = ring_pull(ring, &got, &age);

    SAME(verb, want >= 0 ? ADN_RING_GO : m->is_closed ? ADN_RING_END : ADN_RING_WAIT);
    if (want < 0) return;
    SAME(got.push, m->b[want].push);
    SAME(got.use, m->b[want].use);
    SAME(age, m->pushed - 1 - got.push);
}

/* A random schedule through both. */
static void agree(const adn_replay_conf *conf, int n_slot, uint64_t seed)
{
    adn_replay_slot slots[MAX_SLOTS + ADN_RING_WRITES + ADN_RING_READS + ON_THE_WAY] = {0};
    adn_ring ring;
    model m = {.conf = *conf, .m = n_slot, .drawn = seed % 5 == 0 ? 1000 : 0};
    uint32_t p = 1 + random_below(seed, 7); /* of 8 calls so many push */

    adn_ring_init(&ring, conf, n_slot, slots);
    ring.book.drawn = m.drawn;
    for (int step = 0; step < 250; step++) {
        if (step == 150) ring.book.reads_once = m.reads_once = seed % 3 == 1;
        if (step == 200) {
            adn_ring_close(&ring);
            m.is_closed = true;
        }
        if (!m.is_closed && random_below(seed, 8) < p)
            push_both(&ring, &m);
        else
            pull_both(&ring, &m);
        SAME(ring.pushed, m.pushed);
        SAME(ring.book.pulled, m.pulled);
        SAME(ring.reused, m.reused);
        SAME(ring.dropped, m.dropped);
    }
    SAME(conf->when_full == ADN_FULL_DROP_OLDEST || ring.dropped == 0, true);
}

static void policy_does_as_its_model(adn_replay_policy policy)
{
    static const int64_t limits[] = {0, 1, 2, 5};
    adn_replay_conf c = {.policy = policy};

    for (int n_slot = 1; n_slot <= MAX_SLOTS; n_slot++)
        for (int k = 0; k < 3 * 2 * 2 * 4 * 4; k++) {
            c.seed = c.edge = (uint64_t)k;
            if (policy != ADN_REPLAY_FIFO) {
                c.on_the_way = k % 3 == 2 ? ON_THE_WAY : 0; /* all arrives at once */
                c.when_full = (adn_when_full)(k / 3 % 2);
                c.reads_on = k / 6 % 2 != 0;
                c.max_reuse = limits[k / 12 % 4];
                c.max_age = limits[k / 48];
            }
            agree(&c, n_slot, (uint64_t)k);
        }
}

START_TEST(fifo_does_as_its_model)
{
    policy_does_as_its_model(ADN_REPLAY_FIFO);
}
END_TEST

START_TEST(latest_does_as_its_model)
{
    policy_does_as_its_model(ADN_REPLAY_LATEST);
}
END_TEST

START_TEST(lifo_does_as_its_model)
{
    policy_does_as_its_model(ADN_REPLAY_LIFO);
}
END_TEST

START_TEST(priority_lifo_does_as_its_model)
{
    policy_does_as_its_model(ADN_REPLAY_PRIORITY_LIFO);
}
END_TEST

START_TEST(priority_lifo_paper_does_as_its_model)
{
    policy_does_as_its_model(ADN_REPLAY_PRIORITY_LIFO_PAPER);
}
END_TEST

START_TEST(uniform_does_as_its_model)
{
    policy_does_as_its_model(ADN_REPLAY_UNIFORM);
}
END_TEST

START_TEST(uniform_draws_every_slot_alike_and_by_seed_and_edge)
{
    int64_t pushes[3][40];
    for (uint64_t k = 0; k < 3; k++) {
        adn_replay_conf c = {.policy = ADN_REPLAY_UNIFORM, .seed = 1 + k / 2, .edge = k % 2};
        adn_replay_slot slots[8] = {0}, got;
        int64_t age, count[4] = {0};
        adn_ring r;
        adn_ring_init(&r, &c, 4, slots);
        for (int i = 0; i < 4; i++) ck_assert_int_eq(ring_push(&r), ADN_RING_GO);
        for (int i = 0; i < 4000; i++) {
            SAME(ring_pull(&r, &got, &age), ADN_RING_GO);
            count[got.push]++;
            if (i < 40) pushes[k][i] = got.push;
        }
        /* four standard deviations of a binomial of 4000 and 1/4 */
        for (int i = 0; i < 4; i++) ck_assert_int_le(llabs(count[i] - 1000), 110);
    }
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < a; b++) ck_assert_mem_ne(pushes[a], pushes[b], sizeof(pushes[a]));
}
END_TEST

/* --- figures of the reference
 *
 * Its simulator draws a layer a tick, which reads a batch and pushes its own: "equal speeds" are
 * equal probabilities, and a layer that is S times slower has 1/S of another's. Seen from one
 * buffer a tick is a push or a read, with probabilities 1/2 and 1/2, and at S = 2 of the consumer
 * 2/3 and 1/3. (Ticks of layers that touch neither end leave the figures alone.) Ages are pushes
 * behind the newest. M = 30, 200,000 ticks. */
static void figures(adn_replay_policy policy, uint32_t n_push, uint32_t n_all, double oldest,
                    double mean_age)
{
    enum { M = 30, TICKS = 200000 };
    adn_replay_conf c = {.policy = policy, .when_full = ADN_FULL_DROP_OLDEST};
    adn_replay_slot slots[M + ADN_RING_WRITES + ADN_RING_READS] = {0}, got;
    int64_t n_read = 0, n_oldest = 0, age;
    double sum = 0;
    adn_ring r;

    n_draw = 0; /* the paper's 14.9 moves by 0.1 from one seed to the next */
    adn_ring_init(&r, &c, M, slots);
    for (int i = 0; i < TICKS; i++) {
        if (random_below(1, n_all) < n_push) {
            SAME(ring_push(&r), ADN_RING_GO);
        } else if (ring_pull(&r, &got, &age) == ADN_RING_GO) {
            n_read++;
            n_oldest += r.pushed >= M && age == M - 1;
            sum += (double)age;
        }
    }
    ck_assert_double_eq_tol((double)n_oldest / (double)n_read, oldest, 0.01);
    ck_assert_double_eq_tol(sum / (double)n_read, mean_age, 0.2);
}

START_TEST(at_equal_speeds_ages_are_as_published)
{
    figures(ADN_REPLAY_PRIORITY_LIFO_PAPER, 1, 2, 0.12, 5.4);
    figures(ADN_REPLAY_PRIORITY_LIFO, 1, 2, 0, 2.3);
}
END_TEST

START_TEST(at_half_the_consumers_speed_ages_are_as_published)
{
    figures(ADN_REPLAY_PRIORITY_LIFO_PAPER, 2, 3, 0.50, 14.9);
    figures(ADN_REPLAY_PRIORITY_LIFO, 2, 3, 0, 0.9);
}
END_TEST

/* --- the histogram */

START_TEST(quantiles_are_exact_where_ages_are_small_and_close_above)
{
    adn_ages a = {0};
    ck_assert_int_eq(adn_ages_quantile(&a, 0.5), 0);
    for (int64_t age = 0; age < 50; age++)
        for (int k = 0; k < 2; k++) adn_ages_add(&a, age);
    ck_assert_int_eq(adn_ages_quantile(&a, 0), 0);
    ck_assert_int_eq(adn_ages_quantile(&a, 0.5), 24);
    ck_assert_int_eq(adn_ages_quantile(&a, 0.501), 25);
    ck_assert_int_eq(adn_ages_quantile(&a, 0.99), 49);
    ck_assert(a.n == 100 && a.max == 49 && a.sum == 2450);
    for (int k = 0; k < 900; k++) adn_ages_add(&a, k < 450 ? 64 : 127);
    adn_ages_add(&a, 128);
    ck_assert_int_eq(adn_ages_quantile(&a, 0.5), 127); /* its bucket's largest */
    ck_assert_int_eq(adn_ages_quantile(&a, 1), 128);   /* and no more than there was */
    adn_ages_add(&a, INT64_MAX);
    ck_assert_int_eq(adn_ages_quantile(&a, 1), INT64_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replay");
    TCase *tc = tcase_create("replay");
    tcase_add_test(tc, fifo_does_as_its_model);
    tcase_add_test(tc, latest_does_as_its_model);
    tcase_add_test(tc, lifo_does_as_its_model);
    tcase_add_test(tc, priority_lifo_does_as_its_model);
    tcase_add_test(tc, priority_lifo_paper_does_as_its_model);
    tcase_add_test(tc, uniform_does_as_its_model);
    tcase_add_test(tc, uniform_draws_every_slot_alike_and_by_seed_and_edge);
    tcase_add_test(tc, at_equal_speeds_ages_are_as_published);
    tcase_add_test(tc, at_half_the_consumers_speed_ages_are_as_published);
    tcase_add_test(tc, quantiles_are_exact_where_ages_are_small_and_close_above);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
