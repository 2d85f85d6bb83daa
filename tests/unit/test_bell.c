/* A bell: no ring is missed, and nobody is back before one. */
#include "core/bell.h"

#include <stdatomic.h>
#include <time.h>

#include "core/thread.h"
#include "suite.h"

enum { PATIENCE_MS = 10000, N_TURN = 20000 };

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000L}, NULL);
}

typedef struct sleeper {
    adn_bell *bell;
    uint64_t seen;
    _Atomic bool is_back;
} sleeper;

static adn_status sleep_on(void *user)
{
    sleeper *s = user;
    adn_bell_wait(s->bell, s->seen);
    atomic_store(&s->is_back, true);
    return ADN_OK;
}

/* Whether it was woken. If not by then it is by us, so that the test ends, and fails. */
static bool joins(adn_thread *t, _Atomic bool *is_back, adn_bell *bells, int n_bell)
{
    int ms = 0;

    for (; !atomic_load(is_back); ms++) {
        pause_ms(1);
        for (int k = 0; ms >= PATIENCE_MS && k < n_bell; k++) adn_bell_ring(&bells[k]);
    }
    ck_assert_int_eq(adn_thread_join(t), ADN_OK);
    return ms <= PATIENCE_MS;
}

START_TEST(a_ring_between_the_look_and_the_sleep_is_not_missed)
{
    static adn_bell bell;
    static sleeper s = {.bell = &bell};
    adn_thread t;

    adn_bell_init(&bell);
    s.seen = adn_bell_count(&bell);
    adn_bell_ring(&bell);
    ck_assert_uint_eq(adn_bell_count(&bell), s.seen + 1);
    ck_assert_int_eq(adn_thread_start(&t, "sleeper", sleep_on, &s), ADN_OK);
    ck_assert(joins(&t, &s.is_back, &bell, 1));
    adn_bell_clear(&bell);
}
END_TEST

START_TEST(a_ring_wakes_all_who_sleep_and_nothing_else_does)
{
    enum { N = 3 };
    static adn_bell bell;
    static sleeper s[N];
    adn_thread t[N];
    bool all_woken = true;

    adn_bell_init(&bell);
    adn_bell_ring(&bell); /* one that they have seen */
    for (int k = 0; k < N; k++) {
        s[k].bell = &bell;
        s[k].seen = adn_bell_count(&bell);
        ck_assert_int_eq(adn_thread_start(&t[k], "sleeper", sleep_on, &s[k]), ADN_OK);
    }
    pause_ms(50);
    for (int k = 0; k < N; k++) ck_assert(!atomic_load(&s[k].is_back));
    adn_bell_ring(&bell);
    for (int k = 0; k < N; k++) all_woken = joins(&t[k], &s[k].is_back, &bell, 1) && all_woken;
    ck_assert(all_woken);
    adn_bell_clear(&bell);
}
END_TEST

START_TEST(who_has_no_bell_is_not_rung)
{
    adn_bell_ring(NULL);
}
END_TEST

/* --- two threads take turns */

typedef struct game {
    adn_bell bells[2];
    _Atomic int turn;
} game;

typedef struct player {
    game *g;
    int me;
    _Atomic bool is_back;
} player;

static adn_status play(void *user)
{
    player *p = user;
    game *g = p->g;

    for (int turn = p->me; turn < N_TURN; turn += 2) {
        for (;;) {
            uint64_t seen = adn_bell_count(&g->bells[p->me]);
            if (atomic_load(&g->turn) == turn) break;
            adn_bell_wait(&g->bells[p->me], seen);
        }
        atomic_store(&g->turn, turn + 1);
        adn_bell_ring(&g->bells[1 - p->me]);
    }
    atomic_store(&p->is_back, true);
    return ADN_OK;
}

START_TEST(two_who_take_turns_miss_none)
{
    static game g;
    static player p[2];
    adn_thread t[2];
    bool all_woken = true;

    for (int k = 0; k < 2; k++) adn_bell_init(&g.bells[k]);
    for (int k = 0; k < 2; k++) {
        p[k].g = &g;
        p[k].me = k;
        ck_assert_int_eq(adn_thread_start(&t[k], "player", play, &p[k]), ADN_OK);
    }
    for (int k = 0; k < 2; k++) all_woken = joins(&t[k], &p[k].is_back, g.bells, 2) && all_woken;
    ck_assert(all_woken);
    ck_assert_int_eq(g.turn, N_TURN);
    ck_assert_uint_eq(adn_bell_count(&g.bells[0]) + adn_bell_count(&g.bells[1]), N_TURN);
    for (int k = 0; k < 2; k++) adn_bell_clear(&g.bells[k]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bell");
    TCase *tc = tcase_create("bell");
    tcase_add_test(tc, a_ring_between_the_look_and_the_sleep_is_not_missed);
    tcase_add_test(tc, a_ring_wakes_all_who_sleep_and_nothing_else_does);
    tcase_add_test(tc, who_has_no_bell_is_not_rung);
    tcase_add_test(tc, two_who_take_turns_miss_none);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
