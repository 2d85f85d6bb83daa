/* Edges under stress: a producer and a consumer thread with real queues of their own and random
 * delays, for every policy. Whatever is taken arrives whole, and the counts say what happened. */
#include <string.h>

#include "core/thread.h"
#include "edge_wait.h"
#include "suite.h"

enum { N_PUSH = 150, N_BYTES = 4096, N_SEEN = 4, MAX_REUSE = 3 };

typedef struct stress {
    adn_device *dev;
    adn_queue *in, *out;
    adn_edge *e;
    adn_bell bells[ADN_N_SIDE];
    adn_replay_conf conf;
    int64_t uses[N_PUSH], last;
    unsigned char seen[N_SEEN][N_BYTES]; /* what the last reads found, and should have */
    unsigned char want[N_SEEN];
    int64_t n_pull;
} stress;

static adn_status produce(void *user)
{
    stress *s = user;
    const adn_device_ops *ops = s->dev->ops;
    adn_status st = ADN_OK;

    for (int64_t k = 0; k < N_PUSH; k++) {
        adn_slot *slot = NULL;
        ADN_TRY(st, edge_acquire(s->e, &s->bells[ADN_SIDE_PRODUCER], ADN_LANE_TRAIN, s->in, &slot),
                done);
        ADN_TRY(st, ops->fill(s->in, slot->x, (int)k + 1, N_BYTES), done);
        slot->step = k;
        ADN_TRY(st, ops->event_record(s->in, slot->written), done);
        adn_edge_commit(s->e, slot);
    }
done:
    edge_close(s->e);
    return st;
}

/* After this the host may look at what was read. */
static void look(stress *s, int n)
{
    ck_assert_int_eq(s->dev->ops->queue_sync(s->out), ADN_OK);
    for (int k = 0; k < n; k++)
        for (size_t i = 0; i < N_BYTES; i++)
            if (s->seen[k][i] != s->want[k]) ck_assert_uint_eq(s->seen[k][i], s->want[k]);
}

static adn_status consume(stress *s)
{
    const adn_device_ops *ops = s->dev->ops;
    adn_slot *slot = NULL;
    int at = (int)(s->n_pull % N_SEEN);
    adn_status st;

    ADN_TRY(st, edge_take(s->e, &s->bells[ADN_SIDE_CONSUMER], ADN_LANE_TRAIN, s->out, &slot), done);
    s->want[at] = (unsigned char)(slot->step + 1);
    s->n_pull++;
    ck_assert_int_eq(slot->use, ++s->uses[slot->step]);
    ck_assert_int_le(slot->use, s->conf.policy == ADN_REPLAY_FIFO ? 1 : MAX_REUSE);
    ck_assert_int_ge(slot->age, 0);
    if (s->conf.policy == ADN_REPLAY_FIFO) ck_assert_int_eq(slot->step, s->last + 1);
    s->last = slot->step;
    ADN_TRY(st, ops->download(s->out, s->seen[at], slot->x, N_BYTES), done);
    ADN_TRY(st, ops->event_record(s->out, slot->read), done);
    adn_edge_release(s->e, slot);
    if (at == N_SEEN - 1) look(s, N_SEEN);
done:
    return st;
}

static void check_counts(stress *s)
{
    adn_edge_stats c = adn_edge_counts(s->e);
    int64_t distinct = 0;

    for (int k = 0; k < N_PUSH; k++) distinct += s->uses[k] > 0;
    ck_assert_int_eq(c.pushed, N_PUSH);
    ck_assert_int_eq(c.pulled, s->n_pull);
    ck_assert_int_eq(c.ages.n, s->n_pull);
    ck_assert_int_eq(c.reused, s->n_pull - distinct);
    ck_assert_int_eq(c.dropped, N_PUSH - distinct);
    if (s->conf.when_full == ADN_FULL_BLOCK)
        ck_assert_int_eq(c.dropped, 0);
    else
        ck_assert(c.wait_out_s == 0);
    ck_assert_int_eq(c.n_unread, 0);
}

static void stress_edge(adn_replay_conf conf, int n_slot, uint64_t jitter_in, uint64_t jitter_out)
{
    static stress s;
    adn_status st = ADN_OK;
    adn_thread t;

    memset(&s, 0, sizeof(s));
    s.conf = conf;
    s.last = -1;
    ck_assert_int_eq(adn_cpu_open(&s.dev), ADN_OK);
    const adn_device_ops *ops = s.dev->ops;
    adn_queue_conf in = {.name = "in", .n_thread = 1, .jitter = jitter_in};
    adn_queue_conf out = {.name = "out", .n_thread = 1, .jitter = jitter_out};
    adn_edge_conf edge = {.dev = {s.dev},
                          .n_slot = {n_slot, 1},
                          .replay = conf,
                          .shape = {1, 1, 1, N_BYTES},
                          .type = ADN_U8,
                          .bells = {&s.bells[ADN_SIDE_PRODUCER], &s.bells[ADN_SIDE_CONSUMER]}};
    for (int k = 0; k < ADN_N_SIDE; k++) adn_bell_init(&s.bells[k]);
    ck_assert_int_eq(ops->queue_create(s.dev, &in, &s.in), ADN_OK);
    ck_assert_int_eq(ops->queue_create(s.dev, &out, &s.out), ADN_OK);
    ck_assert_int_eq(adn_edge_create(&edge, &s.e), ADN_OK);
    ck_assert_int_eq(adn_thread_start(&t, "produce", produce, &s), ADN_OK);
    while (st == ADN_OK) st = consume(&s);
    ck_assert_int_eq(st, ADN_END);
    ck_assert_int_eq(adn_thread_join(&t), ADN_OK);
    look(&s, (int)(s.n_pull % N_SEEN));
    check_counts(&s);
    ck_assert_int_eq(ops->queue_sync(s.in), ADN_OK);
    adn_edge_destroy(s.e);
    for (int k = 0; k < ADN_N_SIDE; k++) adn_bell_clear(&s.bells[k]);
    ops->queue_destroy(s.in);
    ops->queue_destroy(s.out);
    ops->close(s.dev);
}

/* Both as fast as they can, and either slowed down. */
static void stress_policy(adn_replay_policy policy)
{
    bool asks = policy != ADN_REPLAY_FIFO;
    for (int k = 0; k < (asks ? 2 : 1); k++)
        for (int n_slot = 1; n_slot <= 3; n_slot += 2)
            for (uint64_t jitter = 0; jitter < 4; jitter++)
                stress_edge((adn_replay_conf){.policy = policy,
                                              .when_full = (adn_when_full)k,
                                              .max_reuse = asks ? MAX_REUSE : 0,
                                              .seed = 3},
                            n_slot, jitter % 2 * 5, jitter / 2 * 7);
}

START_TEST(fifo_mixes_nothing)
{
    stress_policy(ADN_REPLAY_FIFO);
}
END_TEST

START_TEST(latest_mixes_nothing)
{
    stress_policy(ADN_REPLAY_LATEST);
}
END_TEST

START_TEST(lifo_mixes_nothing)
{
    stress_policy(ADN_REPLAY_LIFO);
}
END_TEST

START_TEST(priority_lifo_mixes_nothing)
{
    stress_policy(ADN_REPLAY_PRIORITY_LIFO);
}
END_TEST

START_TEST(priority_lifo_paper_mixes_nothing)
{
    stress_policy(ADN_REPLAY_PRIORITY_LIFO_PAPER);
}
END_TEST

START_TEST(uniform_mixes_nothing)
{
    stress_policy(ADN_REPLAY_UNIFORM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge_stress");
    TCase *tc = tcase_create("edge_stress");
    tcase_add_test(tc, fifo_mixes_nothing);
    tcase_add_test(tc, latest_mixes_nothing);
    tcase_add_test(tc, lifo_mixes_nothing);
    tcase_add_test(tc, priority_lifo_mixes_nothing);
    tcase_add_test(tc, priority_lifo_paper_mixes_nothing);
    tcase_add_test(tc, uniform_mixes_nothing);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
