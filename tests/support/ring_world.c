/* Packing and the visited set. */
#include "ring_world.h"

#include <string.h>

#include "core/core.h"
#include "core/hash.h"

void ring_world_unpack(const explorer *x, const world *w, adn_ring *r, adn_replay_slot *slots)
{
    memset(slots, 0, SLOTS * sizeof(*slots));
    adn_ring_init(r, &x->conf, x->n_slot, slots);
    for (int i = 0; i < r->book.n; i++)
        slots[i] = (adn_replay_slot){.state = w->slot[i].state & 7,
                                     .push = w->slot[i].push,
                                     .use = w->slot[i].use,
                                     .pull = w->slot[i].pull,
                                     .is_held = (w->slot[i].state & HELD) != 0,
                                     .is_reading = (w->slot[i].state & READING) != 0};
    r->book.newest = w->newest - 1;
    r->book.pulled = w->pulled;
    r->book.is_closed = (w->flags & CLOSED) != 0;
    r->book.reads_once = (w->flags & ONCE) != 0;
    r->is_left = (w->flags & LEFT) != 0;
    r->pushed = w->pushed;
    r->dropped = w->dropped;
}

void ring_world_pack(const adn_ring *r, world *w)
{
    for (int i = 0; i < r->book.n; i++) {
        const adn_replay_slot *s = &r->book.slots[i];
        bool is_free = s->state == ADN_SLOT_FREE;
        w->slot[i].state =
            (uint8_t)(s->state | (s->is_held ? HELD : 0) | (s->is_reading ? READING : 0));
        w->slot[i].push = is_free ? 0 : (uint8_t)s->push;
        w->slot[i].use = is_free ? 0 : (uint8_t)s->use;
        w->slot[i].pull = s->is_held || s->is_reading ? (uint8_t)s->pull : 0;
    }
    w->newest = (uint8_t)(r->book.newest + 1);
    w->pulled = (uint8_t)r->book.pulled;
    w->pushed = (uint8_t)r->pushed;
    w->dropped = (uint8_t)r->dropped;
    w->flags = (uint8_t)((r->book.is_closed ? CLOSED : 0) | (r->is_left ? LEFT : 0) |
                         (r->book.reads_once ? ONCE : 0));
}

void ring_world_visit(explorer *x, const world *w)
{
    uint64_t h = adn_hash_on(ADN_HASH_OF_NOTHING, w, sizeof(*w));
    uint32_t at = (uint32_t)(h ^ h >> 32) & (ROOM - 1);

    while (x->used[at] && memcmp(&x->seen[at], w, sizeof(*w)) != 0) at = (at + 1) & (ROOM - 1);
    if (x->used[at]) return;
    ADN_ASSERT(++x->n < ROOM);
    x->used[at] = true;
    x->seen[at] = *w;
    x->todo[x->n_todo++] = at;
}
