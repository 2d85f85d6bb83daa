/* The transitions. */
#include "edge/ring.h"

#include "core/core.h"

int adn_ring_size(const adn_replay_conf *conf, int n_slot)
{
    int spare = adn_replay_asks(conf) ? ADN_RING_WRITES + ADN_RING_READS : 0;
    return n_slot + spare + conf->on_the_way;
}

void adn_ring_init(adn_ring *r, const adn_replay_conf *conf, int n_slot, adn_replay_slot *slots)
{
    ADN_ASSERT(n_slot > 0);
    ADN_ASSERT(adn_replay_asks(conf) || (conf->when_full == ADN_FULL_BLOCK && conf->max_age == 0));
    *r = (adn_ring){.book = {.conf = *conf,
                             .n_slot = n_slot,
                             .n = adn_ring_size(conf, n_slot),
                             .slots = slots,
                             .newest = -1}};
}

/* --- what has ended on the device */

static void free_if_unused(adn_replay_slot *s)
{
    if (s->state == ADN_SLOT_DROPPED && !s->is_held && !s->is_reading) s->state = ADN_SLOT_FREE;
}

static int oldest_committed(const adn_replay *b)
{
    int oldest = -1;
    for (int i = 0; i < b->n; i++) {
        if (b->slots[i].state != ADN_SLOT_COMMITTED) continue;
        if (oldest < 0 || b->slots[i].push < b->slots[oldest].push) oldest = i;
    }
    return oldest;
}

static void set_ready(adn_ring *r, int slot)
{
    adn_replay *b = &r->book;

    b->slots[slot].state = ADN_SLOT_READY;
    b->newest = b->slots[slot].push;
    int old = adn_replay_drop(b);
    if (old < 0) return;
    r->dropped += b->slots[old].use == 0;
    b->slots[old].state = ADN_SLOT_DROPPED;
    free_if_unused(&b->slots[old]);
}

/* Reads first, then writes in their order: so nothing is seen to have ended before what it waited
 * for. */
void adn_ring_poll(adn_ring *r, adn_ring_ended ended, void *user)
{
    adn_replay *b = &r->book;

    if (!adn_replay_asks(&b->conf)) return;
    for (int i = 0; i < b->n; i++) {
        adn_replay_slot *s = &b->slots[i];
        if (!s->is_reading || s->is_held || !ended(user, i, false)) continue;
        s->is_reading = false;
        free_if_unused(s);
    }
    for (int i; (i = oldest_committed(b)) >= 0 && ended(user, i, true);) set_ready(r, i);
}

/* --- producer */

adn_ring_answer adn_ring_acquire(adn_ring *r)
{
    adn_replay *b = &r->book;
    int n_write = 0;

    if (r->is_left) return (adn_ring_answer){ADN_RING_END, -1};
    for (int i = 0; i < b->n; i++)
        n_write += b->slots[i].state == ADN_SLOT_WRITING || b->slots[i].state == ADN_SLOT_COMMITTED;
    if (adn_replay_asks(&b->conf) && n_write >= ADN_RING_WRITES + b->conf.on_the_way)
        return (adn_ring_answer){ADN_RING_SYNC, oldest_committed(b)};
    int slot = adn_replay_write(b);
    if (slot < 0) return (adn_ring_answer){ADN_RING_WAIT, -1};
    b->slots[slot] = (adn_replay_slot){.state = ADN_SLOT_WRITING};
    return (adn_ring_answer){ADN_RING_GO, slot};
}

void adn_ring_commit(adn_ring *r, int slot)
{
    adn_replay_slot *s = &r->book.slots[slot];

    ADN_ASSERT(s->state == ADN_SLOT_WRITING);
    s->push = r->pushed++;
    s->state = ADN_SLOT_COMMITTED;
    if (!adn_replay_asks(&r->book.conf)) set_ready(r, slot);
    r->must_wake = true;
}

void adn_ring_close(adn_ring *r)
{
    r->book.is_closed = r->must_wake = true;
}

/* --- consumer */

adn_ring_answer adn_ring_next(const adn_ring *r)
{
    const adn_replay *b = &r->book;
    int n_read = 0, first = -1, slot = adn_replay_read(b);

    if (slot < 0) return (adn_ring_answer){b->is_closed ? ADN_RING_END : ADN_RING_WAIT, -1};
    for (int i = 0; i < b->n; i++) {
        const adn_replay_slot *s = &b->slots[i];
        n_read += s->is_held || s->is_reading;
        if (s->is_reading && !s->is_held && (first < 0 || s->pull < b->slots[first].pull))
            first = i;
    }
    if (adn_replay_asks(&b->conf) && !b->slots[slot].is_reading && n_read >= ADN_RING_READS)
        return (adn_ring_answer){ADN_RING_SYNC, first};
    return (adn_ring_answer){ADN_RING_GO, slot};
}

void adn_ring_take(adn_ring *r, int slot)
{
    adn_replay_slot *s = &r->book.slots[slot];

    s->is_held = true;
    s->pull = r->book.pulled++;
    r->reused += s->use > 0;
    s->use++;
    r->must_wake = true; /* a read slot may be dropped */
}

void adn_ring_release(adn_ring *r, int slot)
{
    adn_replay_slot *s = &r->book.slots[slot];

    ADN_ASSERT(s->is_held);
    s->is_held = false;
    if (adn_replay_asks(&r->book.conf)) {
        s->is_reading = true;
        return;
    }
    s->state = ADN_SLOT_FREE;
    r->must_wake = true;
}

void adn_ring_leave(adn_ring *r)
{
    r->is_left = r->must_wake = true;
}
