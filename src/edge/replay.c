/* The policies. A slot has one bookkeeping entry; all loops go over all of them: there are few. */
#include "edge/replay.h"

#include "core/core.h"
#include "core/rng.h"

bool adn_replay_asks(const adn_replay_conf *conf)
{
    return conf->policy != ADN_REPLAY_FIFO;
}

int64_t adn_replay_age(const adn_replay *r, int slot)
{
    return ADN_MAX(r->newest - r->slots[slot].push, 0);
}

static bool is_batch(const adn_replay_slot *s)
{
    return s->state != ADN_SLOT_FREE && s->state != ADN_SLOT_DROPPED;
}

int adn_replay_full(const adn_replay *r)
{
    int n = 0;
    for (int i = 0; i < r->n; i++) n += is_batch(&r->slots[i]);
    return n;
}

int adn_replay_unread(const adn_replay *r)
{
    int n = 0;
    for (int i = 0; i < r->n; i++) n += is_batch(&r->slots[i]) && r->slots[i].use == 0;
    return n;
}

static int n_in(const adn_replay *r, adn_slot_state state)
{
    int n = 0;
    for (int i = 0; i < r->n; i++) n += r->slots[i].state == state;
    return n;
}

int adn_replay_write(const adn_replay *r)
{
    /* A read slot makes room when the new batch is ready, not before: until then it can be read. */
    if (adn_replay_asks(&r->conf) && r->conf.when_full == ADN_FULL_BLOCK &&
        adn_replay_unread(r) >= r->n_slot)
        return -1;
    for (int i = 0; i < r->n; i++)
        if (r->slots[i].state == ADN_SLOT_FREE) return i;
    return -1;
}

static int oldest_ready(const adn_replay *r, bool is_read)
{
    int oldest = -1;
    for (int i = 0; i < r->n; i++) {
        const adn_replay_slot *s = &r->slots[i];
        if (s->state != ADN_SLOT_READY || (is_read && s->use == 0)) continue;
        if (oldest < 0 || s->push < r->slots[oldest].push) oldest = i;
    }
    return oldest;
}

int adn_replay_drop(const adn_replay *r)
{
    if (n_in(r, ADN_SLOT_READY) <= r->n_slot) return -1;
    return oldest_ready(r, r->conf.when_full == ADN_FULL_BLOCK);
}

/* --- reading */

static bool may_read(const adn_replay *r, int i, adn_slot_state state)
{
    const adn_replay_slot *s = &r->slots[i];
    const adn_replay_conf *c = &r->conf;
    bool once = !adn_replay_asks(c) || r->reads_once || (r->is_closed && !c->reads_on);
    int64_t max_reuse = once ? 1 : c->max_reuse;

    return s->state == state && !s->is_held && (max_reuse == 0 || s->use < max_reuse) &&
           (c->max_age == 0 || adn_replay_age(r, i) <= c->max_age);
}

/* What the policy compares: the slot with the smallest `use` is read, of those the one with the
 * largest `push`. */
typedef struct rank {
    int64_t use, push;
} rank;

static rank rank_of(const adn_replay *r, int i, int oldest_of_full)
{
    const adn_replay_slot *s = &r->slots[i];

    switch (r->conf.policy) {
    case ADN_REPLAY_FIFO:
        return (rank){0, -s->push};
    case ADN_REPLAY_LIFO:
        return (rank){s->use > 0, s->push};
    case ADN_REPLAY_PRIORITY_LIFO:
        return (rank){s->use, s->push};
    case ADN_REPLAY_PRIORITY_LIFO_PAPER:
        return (rank){s->use, i == oldest_of_full ? INT64_MAX : s->push};
    default:
        return (rank){0, s->push};
    }
}

static bool is_before(rank a, rank b)
{
    return a.use < b.use || (a.use == b.use && a.push > b.push);
}

static int first_ready(const adn_replay *r)
{
    int best = -1, oldest = n_in(r, ADN_SLOT_READY) == r->n_slot ? oldest_ready(r, false) : -1;
    rank best_rank = {0};

    for (int i = 0; i < r->n; i++) {
        if (!may_read(r, i, ADN_SLOT_READY)) continue;
        rank a = rank_of(r, i, oldest);
        if (best >= 0 && !is_before(a, best_rank)) continue;
        best = i;
        best_rank = a;
    }
    return best;
}

/* The k-th by push, k drawn: where a batch lies in memory has no say in it. */
static int drawn_ready(const adn_replay *r)
{
    uint32_t n = 0, before;
    for (int i = 0; i < r->n; i++) n += may_read(r, i, ADN_SLOT_READY);
    adn_draw d =
        adn_rng_draw(r->conf.seed, ADN_RNG_REPLAY, r->conf.edge, (uint64_t)(r->drawn + r->pulled));
    uint32_t k = adn_rng_below(d.u[0], n);

    for (int i = 0; i < r->n; i++) {
        if (!may_read(r, i, ADN_SLOT_READY)) continue;
        before = 0;
        for (int j = 0; j < r->n; j++)
            before += may_read(r, j, ADN_SLOT_READY) && r->slots[j].push < r->slots[i].push;
        if (before == k) return i;
    }
    return -1;
}

static int next_committed(const adn_replay *r)
{
    int best = -1;
    for (int i = 0; i < r->n; i++) {
        const adn_replay_slot *s = &r->slots[i];
        if (!may_read(r, i, ADN_SLOT_COMMITTED)) continue;
        if (best < 0 ||
            is_before((rank){s->use, -s->push}, (rank){r->slots[best].use, -r->slots[best].push}))
            best = i;
    }
    return best;
}

int adn_replay_read(const adn_replay *r)
{
    int i = r->conf.policy == ADN_REPLAY_UNIFORM ? drawn_ready(r) : first_ready(r);
    return i >= 0 ? i : next_committed(r);
}
