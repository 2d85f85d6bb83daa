/* A chain of stages, a host thread and a device queue each, with random delays in both: batches are
 * made by the first, copied on by those between, and looked at by all. What the two sides of every
 * edge have counted is what the edge says. */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "core/thread.h"
#include "edge_wait.h"
#include "suite.h"

enum { N_STAGE = 8, N_EDGE = N_STAGE - 1, N_BYTES = 2048, N_SEEN = 8, STOPS = 4 };

typedef struct stage {
    struct chain *c;
    int j;
    adn_queue *queue;
    adn_bell bell; /* of both its edges */
    adn_thread thread;
    uint64_t delay; /* state of its random delays */
    int64_t pushed, pulled, reused;
    unsigned char seen[N_SEEN][N_BYTES]; /* what the last reads found, and should have */
    unsigned char want[N_SEEN];
    int n_seen;
    const char *wrong; /* the first broken claim */
} stage;

typedef struct chain {
    adn_device *dev;
    adn_replay_conf conf[N_EDGE];
    adn_edge *edges[N_EDGE]; /* the j-th leads from stage j on */
    stage stages[N_STAGE];
    int64_t n_push;         /* of the first stage, at most */
    _Atomic bool must_end;  /* it makes no more */
    _Atomic bool must_stop; /* while it is set, stage STOPS stands still in the middle of a step */
    _Atomic bool is_stopped;
} chain;

static bool claim(stage *s, bool holds, const char *what)
{
    if (!holds && s->wrong == NULL) s->wrong = what;
    return holds;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void delay(stage *s)
{
    s->delay = s->delay * 6364136223846793005u + 1442695040888963407u;
    if ((s->delay >> 33) % 8 != 0) return;
    nanosleep(&(struct timespec){0, (long)((s->delay >> 40) % 200000)}, NULL);
}

/* --- one step */

/* After this the host may look at what was read. */
static adn_status look(stage *s)
{
    adn_status st = s->c->dev->ops->queue_sync(s->queue);

    for (int k = 0; k < s->n_seen; k++)
        for (size_t i = 0; i < N_BYTES; i++)
            claim(s, s->seen[k][i] == s->want[k], "a batch did not arrive whole");
    s->n_seen = 0;
    return st;
}

static adn_status take(stage *s, adn_slot **in)
{
    const adn_replay_conf *conf = &s->c->conf[s->j - 1];
    bool is_fifo = conf->policy == ADN_REPLAY_FIFO;
    adn_status st = edge_take(s->c->edges[s->j - 1], &s->bell, ADN_LANE_TRAIN, s->queue, in);

    if (st != ADN_OK) return st;
    int64_t max_use = is_fifo ? 1 : conf->max_reuse;
    claim(s, max_use == 0 || (*in)->use <= max_use, "a batch is read too often");
    claim(s, !is_fifo || (*in)->push == s->pulled, "a fifo mixes the order");
    s->pulled++;
    s->reused += (*in)->use > 1;
    return ADN_OK;
}

static adn_status give(stage *s, const adn_slot *in, adn_slot *out)
{
    const adn_device_ops *ops = s->c->dev->ops;
    adn_status st;

    out->step = in != NULL ? in->step : s->pushed;
    out->n_valid = 1;
    if (in != NULL)
        st = ops->copy(s->queue, out->x, in->x, N_BYTES);
    else
        st = ops->fill(s->queue, out->x, (int)(out->step % 251), N_BYTES);
    return st == ADN_OK ? ops->event_record(s->queue, out->written) : st;
}

static adn_status read_whole(stage *s, adn_slot *in)
{
    const adn_device_ops *ops = s->c->dev->ops;
    adn_status st = ops->download(s->queue, s->seen[s->n_seen], in->x, N_BYTES);

    s->want[s->n_seen++] = (unsigned char)(in->step % 251);
    return st == ADN_OK ? ops->event_record(s->queue, in->read) : st;
}

static void stop_if_told(stage *s)
{
    if (s->j != STOPS || !atomic_load(&s->c->must_stop)) return;
    atomic_store(&s->c->is_stopped, true);
    while (atomic_load(&s->c->must_stop)) pause_ms(1);
}

static adn_status step(stage *s)
{
    chain *c = s->c;
    adn_slot *in = NULL, *out = NULL;
    adn_status st;

    if (s->j > 0) ADN_TRY(st, take(s, &in), done);
    if (s->j < N_EDGE)
        ADN_TRY(st, edge_acquire(c->edges[s->j], &s->bell, ADN_LANE_TRAIN, s->queue, &out), done);
    if (in == NULL && out == NULL) return ADN_END; /* what is behind has failed */
    delay(s);
    if (out != NULL) ADN_TRY(st, give(s, in, out), done);
    if (in != NULL) ADN_TRY(st, read_whole(s, in), done);
    stop_if_told(s);
    if (out != NULL) {
        adn_edge_commit(c->edges[s->j], out);
        s->pushed++;
    }
    delay(s);
    if (in != NULL) adn_edge_release(c->edges[s->j - 1], in);
    st = s->n_seen == N_SEEN ? look(s) : ADN_OK;
done:
    return st;
}

static bool makes_more(const stage *s)
{
    return s->j > 0 || (s->pushed < s->c->n_push && !atomic_load(&s->c->must_end));
}

static adn_status run_stage(void *user)
{
    stage *s = user;
    adn_status st = ADN_OK;

    while (st == ADN_OK && s->wrong == NULL) st = makes_more(s) ? step(s) : ADN_END;
    if (st == ADN_END) st = look(s);
    if (s->j < N_EDGE) edge_close(s->c->edges[s->j]);
    if (s->j > 0) edge_leave(s->c->edges[s->j - 1]);
    return st;
}

/* --- the chain */

static chain *start(const adn_replay_conf *confs, int n_slot, int64_t n_push, uint64_t seed)
{
    static chain c; /* too large for a stack */

    memset(&c, 0, sizeof(c));
    c.n_push = n_push;
    ck_assert_int_eq(adn_cpu_open(&c.dev), ADN_OK);
    for (int j = 0; j < N_STAGE; j++) {
        stage *s = &c.stages[j];
        adn_queue_conf queue = {.name = "stage", .n_thread = 1, .jitter = 7 * seed + (uint64_t)j};
        s->c = &c;
        s->j = j;
        s->delay = queue.jitter * 31;
        adn_bell_init(&s->bell);
        ck_assert_int_eq(c.dev->ops->queue_create(c.dev, &queue, &s->queue), ADN_OK);
    }
    for (int j = 0; j < N_EDGE; j++) {
        adn_edge_conf edge = {.dev = {c.dev},
                              .n_slot = {n_slot, 1},
                              .replay = confs[j],
                              .shape = {1, 1, 1, N_BYTES},
                              .type = ADN_U8,
                              .bells = {&c.stages[j].bell, &c.stages[j + 1].bell}};
        c.conf[j] = confs[j];
        ck_assert_int_eq(adn_edge_create(&edge, &c.edges[j]), ADN_OK);
    }
    for (int j = 0; j < N_STAGE; j++)
        ck_assert_int_eq(adn_thread_start(&c.stages[j].thread, "stage", run_stage, &c.stages[j]),
                         ADN_OK);
    return &c;
}

static void check_counts(const chain *c, int j)
{
    const stage *from = &c->stages[j], *to = &c->stages[j + 1];
    adn_edge_stats n = adn_edge_counts(c->edges[j]);

    ck_assert_int_eq(n.pushed, from->pushed);
    ck_assert_int_eq(n.pulled, to->pulled);
    ck_assert_int_eq(n.ages.n, to->pulled);
    ck_assert_int_eq(n.reused, to->reused);
    ck_assert_int_eq(n.pushed, (to->pulled - to->reused) + n.dropped + n.n_unread);
    ck_assert_int_eq(n.n_unread, 0); /* all that was not dropped was read before the end */
    ck_assert_int_eq(n.bytes, n.pushed * (int64_t)(N_BYTES + sizeof(adn_label) + sizeof(uint32_t)));
    if (c->conf[j].when_full == ADN_FULL_BLOCK)
        ck_assert_int_eq(n.dropped, 0);
    else
        ck_assert(n.wait_out_s == 0);
    if (c->conf[j].policy == ADN_REPLAY_FIFO) ck_assert_int_eq(n.reused, 0);
}

/* To its end. Batches that were exchanged. */
static int64_t finish(chain *c)
{
    const adn_device_ops *ops = c->dev->ops;
    adn_status st[N_STAGE];
    int64_t pulled = 0;

    for (int j = 0; j < N_STAGE; j++) st[j] = adn_thread_join(&c->stages[j].thread);
    for (int j = 0; j < N_STAGE; j++) {
        if (c->stages[j].wrong != NULL) ck_abort_msg("stage %d: %s", j, c->stages[j].wrong);
        ck_assert_int_eq(st[j], ADN_OK);
        pulled += c->stages[j].pulled;
    }
    for (int j = 0; j < N_EDGE; j++) check_counts(c, j);
    for (int j = 0; j < N_STAGE; j++) ck_assert_int_eq(ops->queue_sync(c->stages[j].queue), ADN_OK);
    for (int j = 0; j < N_EDGE; j++) adn_edge_destroy(c->edges[j]);
    for (int j = 0; j < N_STAGE; j++) {
        ops->queue_destroy(c->stages[j].queue);
        adn_bell_clear(&c->stages[j].bell);
    }
    ops->close(c->dev);
    return pulled;
}

START_TEST(eight_stages_with_delays_lose_and_mix_nothing)
{
    enum { N_EXCHANGE = 100000, N_PUSH = 1000 };
    int64_t n = 0;

    for (int round = 0; n < N_EXCHANGE || round < 2 * ADN_N_REPLAY; round++) {
        adn_replay_conf confs[N_EDGE];
        for (int j = 0; j < N_EDGE; j++) {
            adn_replay_policy policy = (adn_replay_policy)((j + round) % ADN_N_REPLAY);
            bool asks = policy != ADN_REPLAY_FIFO;
            confs[j] = (adn_replay_conf){
                .policy = policy,
                .when_full = asks ? (adn_when_full)((j / 2 + round / ADN_N_REPLAY) % 2) : 0,
                .max_reuse = asks ? 3 : 0,
                .seed = (uint64_t)round,
                .edge = (uint64_t)j};
        }
        n += finish(start(confs, 1 + round % 3, N_PUSH, (uint64_t)round + 1));
    }
}
END_TEST

/* --- a stage that stops */

/* What the others do takes as long as the machine pleases. */
#define AWAIT(cond)                                                                                \
    do {                                                                                           \
        for (double until_s = adn_now() + 60; !(cond) && adn_now() < until_s;) pause_ms(1);        \
        ck_assert(cond);                                                                           \
    } while (0)

typedef struct counts {
    adn_edge_stats edge[N_EDGE];
} counts;

static counts count(const chain *c)
{
    counts n;
    for (int j = 0; j < N_EDGE; j++) n.edge[j] = adn_edge_counts(c->edges[j]);
    return n;
}

/* All stages but the one that stands still took and gave, and what it does not take is dropped. */
static void check_went_on(const counts *was, const counts *is)
{
    for (int j = 0; j < N_EDGE; j++) {
        const adn_edge_stats *a = &was->edge[j], *b = &is->edge[j];
        ck_assert_int_eq(b->pushed > a->pushed, j != STOPS);
        ck_assert_int_eq(b->pulled > a->pulled, j != STOPS - 1);
        if (j == STOPS - 1) ck_assert_int_gt(b->dropped, a->dropped);
        if (j == STOPS) ck_assert_int_eq(b->reused - a->reused, b->pulled - a->pulled);
    }
}

START_TEST(a_stage_that_stops_for_ten_seconds_stops_no_neighbour)
{
    enum { LOOKS = 4, LOOK_MS = 2500 };
    adn_replay_conf confs[N_EDGE];

    for (int j = 0; j < N_EDGE; j++)
        confs[j] = (adn_replay_conf){
            .policy = (adn_replay_policy)(ADN_REPLAY_LATEST + j % (ADN_N_REPLAY - 1)),
            .when_full = ADN_FULL_DROP_OLDEST};
    chain *c = start(confs, 2, INT64_MAX, 1);
    for (int j = 0; j < N_EDGE; j++) AWAIT(adn_edge_counts(c->edges[j]).pulled > 20);
    atomic_store(&c->must_stop, true);
    AWAIT(atomic_load(&c->is_stopped));
    adn_edge *behind = c->edges[STOPS];
    AWAIT(adn_edge_counts(behind).n_unread <= 1); /* what it holds is none */
    counts first = count(c), was = first;
    for (int k = 0; k < LOOKS; k++) {
        pause_ms(LOOK_MS);
        counts is = count(c);
        check_went_on(&was, &is);
        was = is;
    }
    atomic_store(&c->must_stop, false);
    AWAIT(adn_edge_counts(c->edges[STOPS - 1]).pulled > first.edge[STOPS - 1].pulled + 20);
    AWAIT(adn_edge_counts(behind).pushed > first.edge[STOPS].pushed + 20);
    atomic_store(&c->must_end, true);
    finish(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge_chain");
    TCase *tc = tcase_create("edge_chain");
    tcase_add_test(tc, eight_stages_with_delays_lose_and_mix_nothing);
    tcase_add_test(tc, a_stage_that_stops_for_ten_seconds_stops_no_neighbour);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
