/* The `fifo` policy. */
#include "edge/replay.h"

int adn_replay_write(const adn_replay_slot *slots, int n)
{
    for (int i = 0; i < n; i++)
        if (slots[i].state == ADN_SLOT_FREE) return i;
    return -1;
}

int adn_replay_read(const adn_replay_slot *slots, int n)
{
    int oldest = -1;
    for (int i = 0; i < n; i++)
        if (slots[i].state == ADN_SLOT_READY && (oldest < 0 || slots[i].push < slots[oldest].push))
            oldest = i;
    return oldest;
}
