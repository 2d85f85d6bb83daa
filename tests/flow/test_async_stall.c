/* A block that stops for a while stops nobody, and what was pushed, pulled, dropped and read again
 * meanwhile is in the rows of edges. */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const three_blocks =
    "seed: 3\n"
    "mode: async\n"
    "until: 4ep\n"
    "data: {name: cifar10, root: nowhere, batch: 16, augment: [flip]}\n"
    "model: {units: [{conv: 4}, {conv: 4}, {residual: 4}], cuts: every}\n"
    "aux: {kind: linear}\n"
    "classifier: {hidden: 0}\n"
    "edge: {slots: 2}\n"
    "blocks: [{threads: 1}, {threads: 1}, {threads: 1}]\n"
    "optim: {lr: 0.05, schedule: {kind: constant}}\n";

enum { N_BLOCK = 3, STOPPED = 1, N_MORE = 40, PATIENCE_S = 120 };

typedef struct stall {
    tiny_run t;
    _Atomic int64_t n[N_BLOCK]; /* steps of the training lane that began */
    int64_t at;                 /* its step at which the block stops */
    int64_t pushed, pulled;     /* by its neighbours, meanwhile */
} stall;

/* Block 1 waits until both neighbours have begun so many steps more. */
static void stop_for_a_while(void *user, int block)
{
    stall *s = user;

    if (atomic_fetch_add(&s->n[block], 1) != s->at || block != STOPPED) return;
    int64_t before = atomic_load(&s->n[0]), behind = atomic_load(&s->n[2]);
    adn_edge_stats in = adn_run_edge(s->t.run, STOPPED), out = adn_run_edge(s->t.run, STOPPED + 1);
    while (atomic_load(&s->n[0]) < before + N_MORE || atomic_load(&s->n[2]) < behind + N_MORE)
        sched_yield();
    s->pushed = adn_run_edge(s->t.run, STOPPED).pushed - in.pushed;
    s->pulled = adn_run_edge(s->t.run, STOPPED + 1).pulled - out.pulled;
    ck_assert_int_eq(adn_run_edge(s->t.run, STOPPED).pulled, in.pulled);
    ck_assert_int_eq(adn_run_edge(s->t.run, STOPPED + 1).pushed, out.pushed);
}

static void counts_are_the_rows(stall *s)
{
    for (int edge = 0; edge < N_BLOCK; edge++) {
        adn_edge_stats all = adn_run_edge(s->t.run, edge);
        adn_edge_row sum = {0};
        for (int i = 0; i < s->t.edge_rows.n; i++) {
            const adn_edge_row *r = &s->t.edge_rows.rows[i];
            if (r->edge != edge) continue;
            sum.pushed += r->pushed;
            sum.pulled += r->pulled;
            sum.dropped += r->dropped;
            sum.reused += r->reused;
            sum.bytes += r->bytes;
        }
        ck_assert_int_eq(sum.pushed, all.pushed);
        ck_assert_int_eq(sum.pulled, all.pulled);
        ck_assert_int_eq(sum.dropped, all.dropped);
        ck_assert_int_eq(sum.reused, all.reused);
        ck_assert_int_eq(sum.bytes, all.bytes);
        ck_assert_int_eq(all.pulled, atomic_load(&s->n[edge]));
        /* each batch was read first, or dropped unread, or is there unread */
        ck_assert_int_eq(all.pushed, all.pulled - all.reused + all.dropped + all.n_unread);
    }
}

static void stall_with(const char *overrides, int64_t at, uint64_t jitter)
{
    static stall s;
    adn_dataset_pair data;
    adn_config *conf = tiny_config_of(three_blocks, overrides);

    tiny_data(&data, 90, 20, 8, 8, 3, 4);
    alarm(PATIENCE_S); /* a hang ends the program */
    s = (stall){.at = at};
    tiny_open(&s.t, conf, &data,
              &(tiny_options){.jitter = jitter, .before_step = stop_for_a_while, .user = &s});
    ck_assert_int_eq(adn_run_train(s.t.run), ADN_OK);
    alarm(0);
    ck_assert_int_ge(s.pushed, N_MORE - 2); /* one under way at either end */
    ck_assert_int_ge(s.pulled, N_MORE - 2);
    ck_assert_int_gt(adn_run_edge(s.t.run, STOPPED).dropped, N_MORE / 2);
    ck_assert_int_gt(adn_run_edge(s.t.run, STOPPED + 1).reused, N_MORE / 2);
    counts_are_the_rows(&s);
    tiny_close(&s.t);
    adn_config_free(conf);
    tiny_data_clear(&data);
}

START_TEST(a_block_that_stops_stops_no_neighbour)
{
    static const char *const policies[] = {"priority-lifo", "latest", "lifo", "uniform",
                                           "priority-lifo-paper"};
    for (size_t i = 0; i < ADN_COUNT(policies); i++) {
        char text[64];
        snprintf(text, sizeof(text), "edge.policy=%s edge.slots=%d", policies[i], 1 + (int)i % 2);
        stall_with(text, 2 + (int64_t)i, i);
    }
}
END_TEST

START_TEST(test_passes_and_own_steps_do_not_stop_either)
{
    stall_with("eval.every=2st", 5, 7);
    stall_with("clock=own_steps until=12ep", 3, 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("async_stall");
    TCase *tc = tcase_create("async_stall");
    tcase_add_test(tc, a_block_that_stops_stops_no_neighbour);
    tcase_add_test(tc, test_passes_and_own_steps_do_not_stop_either);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
