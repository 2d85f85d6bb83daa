/* What a profiler sees of a step: "block2 learn 1234", and its phases. */
#include <stdio.h>

#include "stage/inside.h"

void adn_stage_phase(adn_stage *s, const char *name)
{
    if (s->is_in_phase) s->copies[0].dev->ops->range_end(s->queues[0]);
    s->is_in_phase = name != NULL;
    if (name != NULL) s->copies[0].dev->ops->range_begin(s->queues[0], name);
}

void adn_stage_range(adn_stage *s, const adn_slot *in, adn_stage_act act)
{
    static const char *const acts[] = {
        [ADN_ACT_LEARN] = "learn", [ADN_ACT_FORWARD] = "forward", [ADN_ACT_TEST] = "test"};
    char name[64];

    snprintf(name, sizeof(name), "block%d %s %lld", s->block, acts[act], (long long)in->step);
    s->copies[0].dev->ops->range_begin(s->queues[0], name);
}
