/* A recorded order, taken again: the third decider, beside threads.c and virtual.c. One host thread
 * enqueues the steps as they stand in the file; queues wait for each other as they did. So every
 * stage learns from the same batches in the same order: the same losses, bit for bit. */
#include "pipeline/inside.h"

static adn_status no_such(const adn_order_step *step, const char *what, int slot)
{
    return ADN_FAIL(ADN_BADDATA,
                    "the order's step %lld of block %d names slot %d %s: there is none",
                    (long long)step->source_step, step->stage, slot, what);
}

/* The queues wait as an edge would make them: a reader for who wrote, a writer for who read. */
static adn_status wait_for_writers(adn_queue *const *qs, const adn_slot *s)
{
    adn_status st = ADN_OK;
    for (; s != NULL && st == ADN_OK; s = s->beside, qs++)
        st = (*qs)->dev->ops->event_wait(*qs, s->written);
    return st;
}

static adn_status wait_for_readers(adn_queue *const *qs, const adn_slot *s)
{
    adn_status st = ADN_OK;
    for (; s != NULL && st == ADN_OK; s = s->beside, qs++)
        st = (*qs)->dev->ops->event_wait(*qs, s->read);
    return st;
}

static adn_status replay_source(adn_run *r, const adn_order_step *step)
{
    adn_lane lane = step->flags & ADN_ORDER_TEST ? ADN_LANE_TEST : ADN_LANE_TRAIN;
    adn_slot *out = adn_edge_slot(r->edges[0], lane, step->out_slot);

    if (out == NULL) return no_such(step, "of the loader's edge", step->out_slot);
    adn_status st = wait_for_readers(r->source.queues, out);
    return st == ADN_OK ? adn_source_replay(&r->source, step, out) : st;
}

static adn_status replay_stage(adn_run *r, const adn_order_step *step)
{
    int j = step->stage;
    adn_lane lane = step->flags & ADN_ORDER_TEST ? ADN_LANE_TEST : ADN_LANE_TRAIN;
    adn_slot *in = adn_edge_slot(r->edges[j], lane, step->in_slot), *out = NULL;
    adn_status st;

    if (in == NULL) return no_such(step, "of its edge", step->in_slot);
    if (in->n_valid == 0 || in->step != step->source_step)
        return ADN_FAIL(ADN_BADDATA,
                        "the order's step %lld of block %d reads a slot that holds step %lld",
                        (long long)step->source_step, j, (long long)in->step);
    if (step->out_slot >= 0) {
        out =
            j + 1 < r->plan->n_block ? adn_edge_slot(r->edges[j + 1], lane, step->out_slot) : NULL;
        if (out == NULL) return no_such(step, "behind it", step->out_slot);
        ADN_TRY(st, wait_for_readers(adn_stage_out_queues(r->stages[j]), out), done);
    }
    ADN_TRY(st, wait_for_writers(adn_stage_in_queues(r->stages[j]), in), done);
    st = adn_stage_step(r->stages[j], in, out, (adn_stage_act)step->act);
done:
    return st;
}

static adn_status replay_step(adn_run *r, const adn_order_step *step)
{
    if (step->stage < 0) return replay_source(r, step);
    if (step->act > ADN_ACT_TEST)
        return ADN_FAIL(ADN_BADDATA, "the order's step %lld of block %d is of no known kind",
                        (long long)step->source_step, step->stage);
    return replay_stage(r, step);
}

adn_status adn_run_replay(adn_run *r, adn_order_reader *order)
{
    adn_order_step step;
    adn_status st = ADN_OK;

    adn_source_begin(&r->source);
    while (st == ADN_OK) {
        st = adn_order_next(order, &step);
        if (st == ADN_OK) st = replay_step(r, &step);
    }
    for (int j = 0; j < r->plan->n_block && st == ADN_END; j++) {
        adn_status finished = adn_stage_finish(r->stages[j]);
        if (finished != ADN_OK) st = finished;
    }
    return st == ADN_END ? ADN_OK : st;
}
