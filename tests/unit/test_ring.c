/* The slots' state machine, explored: every order of what a producer, a consumer and their two
 * device queues can do, for few batches and few slots. The code under test is the real ring.c and
 * replay.c; edge.c's part is modelled here as it is: a call polls first, all that can be learnt is
 * learnt, queues wait for the events of the slot, sleepers are woken where must_wake is set. */
#include <string.h>

#include "core/core.h"
#include "edge/ring.h"
#include "ring_world.h"
#include "suite.h"

enum { /* what an exploration should reach */
       PRODUCER_WAITS = 1,
       CONSUMER_WAITS = 2,
       ENDS = 4,
       CONSUMER_LEFT = 8,
       PRODUCER_SYNCS = 16,
       CONSUMER_SYNCS = 32,
       TAKES_UNFINISHED = 64,
       REREADS = 128,
       DROPS_UNREAD = 256,
       DROPS_READ_SLOT = 512 /* which then is read to its end */
};

/* --- devices */

static bool is_busy(const work *queue, int n, int slot)
{
    for (int i = 0; i < n; i++)
        if (queue[i].slot == slot) return true;
    return false;
}

static void pop(work *queue, uint8_t *n)
{
    for (int i = 1; i < *n; i++) queue[i - 1] = queue[i];
    queue[--*n] = (work){0};
}

static void check(explorer *x, const world *w, bool claim, const char *what)
{
    if (claim || x->wrong != NULL) return;
    x->wrong = what;
    x->at = *w;
}

/* --- one transition: w is the caller's copy of the world */

typedef struct step {
    explorer *x;
    world w;
    adn_ring r;
    adn_replay_slot slots[SLOTS];
} step;

static bool has_ended(void *user, int slot, bool is_write)
{
    step *s = user;
    const world *w = &s->w;

    if (is_write) return !is_busy(w->write, w->n_write, slot);
    check(s->x, w, w->consumer != HOLDS || w->consumer_slot != slot,
          "an event is asked that a consumer may be recording");
    return !is_busy(w->read, w->n_read, slot);
}

static void begin(step *s, explorer *x, const world *w, bool polls)
{
    s->x = x;
    s->w = *w;
    ring_world_unpack(x, w, &s->r, s->slots);
    if (polls) adn_ring_poll(&s->r, has_ended, s);
}

static void end(step *s)
{
    const adn_replay *b = &s->r.book;
    int n_ready = 0, n_lost = 0;

    for (int i = 0; i < b->n; i++) {
        bool was_unread =
            s->w.slot[i].use == 0 && ((s->w.slot[i].state & 7) == ADN_SLOT_COMMITTED ||
                                      (s->w.slot[i].state & 7) == ADN_SLOT_READY);
        n_ready += b->slots[i].state == ADN_SLOT_READY;
        if (b->slots[i].state == ADN_SLOT_DROPPED) s->x->reached |= DROPS_READ_SLOT;
        n_lost += was_unread && b->slots[i].use == 0 && b->slots[i].state != ADN_SLOT_COMMITTED &&
                  b->slots[i].state != ADN_SLOT_READY;
    }
    if (n_lost > 0) s->x->reached |= DROPS_UNREAD;
    check(s->x, &s->w, n_ready <= b->n_slot, "more than M batches");
    check(s->x, &s->w, s->r.dropped == s->w.dropped + n_lost, "dropped is not what was lost");
    check(s->x, &s->w, s->r.dropped == 0 || b->conf.when_full != ADN_FULL_BLOCK, "block lost one");
    if (s->r.must_wake && s->w.producer == ASLEEP) s->w.producer = IDLE;
    if (s->r.must_wake && s->w.consumer == ASLEEP) s->w.consumer = IDLE;
    ring_world_pack(&s->r, &s->w);
    ring_world_visit(s->x, &s->w);
}

static void acquire(explorer *x, const world *w)
{
    step s;
    begin(&s, x, w, true);
    adn_ring_answer a = adn_ring_acquire(&s.r);
    bool asks = adn_replay_asks(&x->conf);

    s.w.producer_slot = 0;
    if (a.verb == ADN_RING_GO) {
        bool is_held = w->consumer == HOLDS && w->consumer_slot == a.slot;
        s.w.producer = HOLDS;
        s.w.producer_slot = (uint8_t)a.slot;
        check(x, w, !is_held && !(asks && is_busy(w->read, w->n_read, a.slot)),
              "a slot is overwritten while it is read");
        check(x, w, !(asks && is_busy(w->write, w->n_write, a.slot)),
              "two writes of a slot at once");
    } else if (a.verb == ADN_RING_WAIT) {
        s.w.producer = ASLEEP;
        x->reached |= PRODUCER_WAITS;
        check(x, w, x->conf.when_full == ADN_FULL_BLOCK, "drop_oldest waits for a consumer");
    } else if (a.verb == ADN_RING_SYNC) {
        s.w.producer = SYNCS;
        x->reached |= PRODUCER_SYNCS;
        s.w.producer_slot = (uint8_t)a.slot;
        check(x, w, asks && is_busy(w->write, w->n_write, a.slot), "waits for no work of its own");
        check(x, w, w->n_write == ADN_RING_WRITES + x->conf.on_the_way, "waits too early");
    } else {
        s.w.producer = GONE;
        x->reached |= CONSUMER_LEFT;
        check(x, w, (w->flags & LEFT) != 0, "dropped with a consumer there");
    }
    end(&s);
}

static bool may_be_read(const adn_replay *b, int i)
{
    const adn_replay_slot *s = &b->slots[i];
    bool drains = b->reads_once || (b->is_closed && !b->conf.reads_on);
    return s->state == ADN_SLOT_READY && !(drains && s->use > 0) &&
           (b->conf.max_reuse == 0 || s->use < b->conf.max_reuse) &&
           (b->conf.max_age == 0 || b->newest - s->push <= b->conf.max_age);
}

static void take(explorer *x, const world *w)
{
    step s;
    begin(&s, x, w, true);
    adn_ring_answer a = adn_ring_next(&s.r);
    const adn_replay *b = &s.r.book;
    bool asks = adn_replay_asks(&x->conf), any_ready = false;
    int64_t max_use = asks && !b->reads_once ? x->conf.max_reuse : 1;

    for (int i = 0; i < b->n; i++) any_ready |= may_be_read(b, i);
    s.w.consumer_slot = 0;
    if (a.verb == ADN_RING_GO) {
        const adn_replay_slot *slot = &b->slots[a.slot];
        bool is_written = s.w.memory[a.slot] == slot->push + 1;
        if (asks)
            check(x, w, any_ready ? is_written && may_be_read(b, a.slot) : !is_written,
                  "an unfinished slot is read, and there is another");
        else
            check(x, w, slot->push == w->pulled, "fifo reads out of order");
        adn_ring_take(&s.r, a.slot);
        check(x, w, max_use == 0 || slot->use <= max_use, "a slot is read too often");
        x->reached |= (asks && !is_written ? TAKES_UNFINISHED : 0) | (slot->use > 1 ? REREADS : 0);
        s.w.consumer = HOLDS;
        s.w.consumer_slot = (uint8_t)a.slot;
        s.w.read[s.w.n_read++] = (work){(uint8_t)a.slot, (uint8_t)slot->push};
    } else if (a.verb == ADN_RING_WAIT) {
        s.w.consumer = ASLEEP;
        x->reached |= CONSUMER_WAITS;
    } else if (a.verb == ADN_RING_SYNC) {
        s.w.consumer = SYNCS;
        x->reached |= CONSUMER_SYNCS;
        s.w.consumer_slot = (uint8_t)a.slot;
        check(x, w, asks && is_busy(w->read, w->n_read, a.slot), "waits for no work of its own");
    } else {
        s.w.consumer = GONE;
        x->reached |= ENDS;
        check(x, w, (w->flags & CLOSED) != 0, "ends with a producer there");
        check(x, w, x->conf.max_age > 0 || adn_replay_unread(b) == 0, "ends before all is read");
        adn_ring_leave(&s.r);
    }
    end(&s);
}

static void commit(explorer *x, const world *w)
{
    step s;
    begin(&s, x, w, false);
    adn_ring_commit(&s.r, w->producer_slot);
    s.w.write[s.w.n_write++] = (work){w->producer_slot, w->pushed};
    s.w.producer = IDLE;
    s.w.producer_slot = 0;
    end(&s);
}

static void release(explorer *x, const world *w)
{
    step s;
    begin(&s, x, w, false);
    adn_ring_release(&s.r, w->consumer_slot);
    s.w.consumer = IDLE;
    s.w.consumer_slot = 0;
    end(&s);
}

static void go(explorer *x, const world *w, bool is_producer, bool says)
{
    step s;
    begin(&s, x, w, false);
    *(is_producer ? &s.w.producer : &s.w.consumer) = GONE;
    if (says) (is_producer ? adn_ring_close : adn_ring_leave)(&s.r);
    end(&s);
}

static void read_once(explorer *x, const world *w)
{
    step s;
    begin(&s, x, w, false);
    s.r.book.reads_once = true;
    end(&s);
}

/* The first of a queue ends, if what it waits for has: a write for readers of what lay there
 * before (fifo alone needs that), a read for its write. */
static bool run_devices(explorer *x, const world *w)
{
    bool any = false;
    world next = *w;

    if (w->n_write > 0) {
        bool waits = false;
        for (int i = 0; i < w->n_read; i++)
            waits |= w->read[i].slot == w->write[0].slot && w->read[i].push < w->write[0].push;
        check(x, w, !waits || !adn_replay_asks(&x->conf),
              "a producer's queue waits for a consumer");
        next.memory[w->write[0].slot] = (uint8_t)(w->write[0].push + 1);
        pop(next.write, &next.n_write);
        if (!waits) ring_world_visit(x, &next);
        any = !waits;
    }
    next = *w;
    if (w->n_read > 0) {
        bool waits = false;
        for (int i = 0; i < w->n_write; i++)
            waits |= w->write[i].slot == w->read[0].slot && w->write[i].push == w->read[0].push;
        check(x, w, waits || w->memory[w->read[0].slot] == w->read[0].push + 1,
              "another batch is read than was taken");
        pop(next.read, &next.n_read);
        if (!waits) ring_world_visit(x, &next);
        any = any || !waits;
    }
    return any;
}

/* Who sleeps would still have to, whatever has happened meanwhile. */
static void check_sleepers(explorer *x, const world *w)
{
    step s;
    if (w->producer == ASLEEP) {
        begin(&s, x, w, true);
        check(x, w, adn_ring_acquire(&s.r).verb == ADN_RING_WAIT, "the producer was not woken");
    }
    if (w->consumer == ASLEEP) {
        begin(&s, x, w, true);
        check(x, w, adn_ring_next(&s.r).verb == ADN_RING_WAIT, "the consumer was not woken");
    }
}

static void expand(explorer *x, const world *w)
{
    bool p_idle = w->producer == IDLE, c_idle = w->consumer == IDLE;
    bool p_synced = w->producer == SYNCS && !is_busy(w->write, w->n_write, w->producer_slot);
    bool c_synced = w->consumer == SYNCS && !is_busy(w->read, w->n_read, w->consumer_slot);
    bool any = run_devices(x, w);

    check_sleepers(x, w);
    if ((p_idle && w->pushed < x->n_push) || p_synced) acquire(x, w);
    if (w->producer == HOLDS) commit(x, w);
    if (p_idle) go(x, w, true, true);
    if (p_idle && w->pushed == x->n_push) go(x, w, true, false); /* dies: says nothing */
    if ((c_idle && w->pulled < x->n_pull) || c_synced) take(x, w);
    if (w->consumer == HOLDS) release(x, w);
    if (c_idle) go(x, w, false, true);
    if (c_idle && x->may_read_once && (w->flags & ONCE) == 0) read_once(x, w);
    any = any || p_idle || p_synced || w->producer == HOLDS || c_idle || c_synced ||
          w->consumer == HOLDS;
    bool is_over = w->producer == GONE &&
                   (w->consumer == GONE || (w->consumer == ASLEEP && (w->flags & CLOSED) == 0));
    check(x, w, any || is_over, "deadlock");
}

/* What was reached. */
static uint32_t explore(const adn_replay_conf *conf, int n_slot, int n_push, bool may_read_once)
{
    static explorer x; /* too large for a stack */
    memset(x.used, 0, sizeof(x.used));
    x.conf = *conf;
    x.n_slot = n_slot;
    x.n_push = n_push;
    x.n_pull = PULLS;
    x.may_read_once = may_read_once;
    x.n = x.n_todo = 0;
    x.reached = 0;
    x.wrong = NULL;
    ring_world_visit(&x, &(world){0});
    while (x.n_todo > 0 && x.wrong == NULL) {
        world w = x.seen[x.todo[--x.n_todo]];
        expand(&x, &w);
    }
    if (x.wrong != NULL)
        ck_abort_msg("%s: policy %d, when_full %d, M %d, max_reuse %d, max_age %d, reads_on %d, "
                     "on_the_way %d: %d pushed, %d pulled, producer %d, consumer %d",
                     x.wrong, conf->policy, conf->when_full, n_slot, (int)conf->max_reuse,
                     (int)conf->max_age, conf->reads_on, conf->on_the_way, x.at.pushed, x.at.pulled,
                     x.at.producer, x.at.consumer);
    return x.reached;
}

/* All settings of a policy; so many pushes that full buffers drop twice. */
static void explore_policy(adn_replay_policy policy)
{
    bool asks = policy != ADN_REPLAY_FIFO;
    uint32_t reached = 0;
    for (int n_slot = 1; n_slot <= MAX_SLOTS; n_slot++)
        for (int k = 0; k < (asks ? 2 * 3 * 2 * 2 : 1); k++) {
            adn_replay_conf c = {.policy = policy,
                                 .when_full = (adn_when_full)(k % 2),
                                 .max_reuse = k / 2 % 3,
                                 .max_age = k / 6 % 2,
                                 .reads_on = k / 12 != 0,
                                 .seed = (uint64_t)k};
            reached |= explore(&c, n_slot, ADN_MAX(4, n_slot + 2), false);
        }
    for (int k = 0; asks && k < 2; k++) { /* one on its way, and reads that stop */
        adn_replay_conf c = {.policy = policy, .when_full = (adn_when_full)k, .on_the_way = 1};
        ck_assert(explore(&c, 1, 4, true) & PRODUCER_SYNCS);
    }
    ck_assert_uint_eq(reached, asks ? 2 * DROPS_READ_SLOT - 1 : 2 * CONSUMER_LEFT - 1);
}

START_TEST(every_order_of_fifo_is_right)
{
    explore_policy(ADN_REPLAY_FIFO);
}
END_TEST

START_TEST(every_order_of_latest_is_right)
{
    explore_policy(ADN_REPLAY_LATEST);
}
END_TEST

START_TEST(every_order_of_lifo_is_right)
{
    explore_policy(ADN_REPLAY_LIFO);
}
END_TEST

START_TEST(every_order_of_priority_lifo_is_right)
{
    explore_policy(ADN_REPLAY_PRIORITY_LIFO);
}
END_TEST

START_TEST(every_order_of_priority_lifo_paper_is_right)
{
    explore_policy(ADN_REPLAY_PRIORITY_LIFO_PAPER);
}
END_TEST

START_TEST(every_order_of_uniform_is_right)
{
    explore_policy(ADN_REPLAY_UNIFORM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *tc = tcase_create("ring");
    tcase_add_test(tc, every_order_of_fifo_is_right);
    tcase_add_test(tc, every_order_of_latest_is_right);
    tcase_add_test(tc, every_order_of_lifo_is_right);
    tcase_add_test(tc, every_order_of_priority_lifo_is_right);
    tcase_add_test(tc, every_order_of_priority_lifo_paper_is_right);
    tcase_add_test(tc, every_order_of_uniform_is_right);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
