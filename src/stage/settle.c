/* What finished steps leave: sums of the open epoch, its row, a loss that is not finite. */
#include "stage/inside.h"

#include <math.h>

static void add_result(adn_sums *sums, const adn_loss_result *r)
{
    sums->loss_sum += r->loss_sum;
    sums->hits += r->hits;
    sums->n += r->n;
}

static double mean_of(double sum, int64_t n)
{
    return n > 0 ? sum / (double)n : NAN;
}

static adn_status give_row(adn_stage *s)
{
    adn_open_row *row = &s->row;
    double seconds = row->last_s - row->first_s, learning = seconds - row->test_s;
    adn_epoch_row r = {.epoch = row->epoch,
                       .block = s->block,
                       .steps = s->view.steps,
                       .samples = s->view.samples,
                       .reread = s->view.rereads,
                       .lr = s->view.lr,
                       .train_loss = mean_of(row->train.loss_sum, row->train.n),
                       .train_top1 = 100 * mean_of((double)row->train.hits, row->train.n),
                       .test_loss = row->test_loss,
                       .test_top1 = row->test_top1,
                       .img_s = learning > 0 ? (double)row->n_timed / learning : NAN,
                       .wait_in = NAN,
                       .wait_out = NAN,
                       .span_s = NAN,
                       .busy = NAN,
                       .seconds = seconds};
    pthread_mutex_lock(&s->lock);
    adn_row_open(row, row->epoch + 1);
    pthread_mutex_unlock(&s->lock);
    return s->on_row != NULL ? s->on_row(s->user, &r) : ADN_OK;
}

static adn_status diverged(adn_stage *s, const adn_pending *p, double loss)
{
    const char *layer = NULL;
    int at = (int)((s->n_settled - 1) % N_RESULT), bad = 0;
    while (bad < p->n_copy - 1 && isfinite(s->copies[bad].host[at].loss_sum)) bad++;
    adn_status st = adn_net_find_bad(s->copies[bad].net, &layer);
    if (st != ADN_OK) return st;
    return ADN_FAIL(ADN_DIVERGED,
                    "block %d, step %lld: the loss is %g; the first layer whose output is not "
                    "finite is %s (learning "
                    "rate %g)",
                    s->block, (long long)(p->step + 1), loss, layer, p->lr);
}

static adn_status settle_learned(adn_stage *s, const adn_pending *p, const adn_loss_result *r,
                                 double now)
{
    adn_open_row *row = &s->row;

    if (!isfinite(r->loss_sum)) return diverged(s, p, r->loss_sum / (double)r->n);
    if (s->is_async && row->is_closing) {
        adn_status st = give_row(s);
        if (st != ADN_OK) return st;
    }
    pthread_mutex_lock(&s->lock);
    if (row->n_stepped++ == 0) row->first_s = p->enqueued_s;
    if (p->is_fresh) row->n_timed += r->n;
    row->steps++;
    row->last_s = now;
    if (p->is_counted) add_result(&row->train, r);
    row->is_closing = p->ends_epoch;
    double learning = now - row->first_s - row->test_s;
    s->view = (adn_stage_view){.steps = p->clock_steps,
                               .samples = p->clock_samples,
                               .rereads = p->rereads,
                               .test_top1 = s->view.test_top1,
                               .lr = p->lr,
                               .loss = mean_of(row->train.loss_sum, row->train.n),
                               .top1 = 100 * mean_of((double)row->train.hits, row->train.n),
                               .img_s = learning > 0 ? (double)row->n_timed / learning : NAN};
    pthread_mutex_unlock(&s->lock);
    return p->ends_epoch && p->n_test == 0 && !s->is_async ? give_row(s) : ADN_OK;
}

/* Where nothing else runs between the batches of a pass, the pass takes their place: a stage that
 * learns meanwhile loses the batches' own time alone. */
static void count_test_time(adn_stage *s, const adn_pending *p, double now)
{
    adn_open_row *row = &s->row;

    if (s->is_async)
        row->test_s += now - ADN_MAX(p->enqueued_s, s->settled_s);
    else if (p->is_last_test && !row->is_closing)
        row->test_s += now - row->test_first_s;
}

static adn_status settle_tested(adn_stage *s, const adn_pending *p, const adn_loss_result *r,
                                double now)
{
    adn_open_row *row = &s->row;

    pthread_mutex_lock(&s->lock);
    if (row->test.n == 0) row->test_first_s = p->enqueued_s;
    add_result(&row->test, r);
    count_test_time(s, p, now);
    s->view.tests++;
    if (p->is_last_test) {
        row->test_loss = mean_of(row->test.loss_sum, row->test.n);
        row->test_top1 = 100 * mean_of((double)row->test.hits, row->test.n);
        s->view.test_top1 = row->test_top1;
        row->test = (adn_sums){0};
        s->view.tests = 0;
    }
    pthread_mutex_unlock(&s->lock);
    return p->is_last_test && row->is_closing && !s->is_async ? give_row(s) : ADN_OK;
}

/* Waits for the oldest enqueued step and counts it: its copies' results added up in their order. */
adn_status adn_stage_settle(adn_stage *s)
{
    int at = (int)(s->n_settled % N_RESULT);
    const adn_pending *p = &s->pending[at];
    adn_loss_result all = {0};
    adn_status st = ADN_OK;

    for (int k = 0; k < p->n_copy; k++) {
        const adn_copy *c = &s->copies[k];
        ADN_TRY(st, c->dev->ops->event_sync(c->done[at]), done);
        all.loss_sum += c->host[at].loss_sum;
        all.hits += c->host[at].hits;
        all.n += c->host[at].n;
    }
    s->n_settled++;
    double now = adn_clock_now(s->clock);
    if (p->act == ADN_ACT_LEARN) st = settle_learned(s, p, &all, now);
    if (p->act == ADN_ACT_TEST) st = settle_tested(s, p, &all, now);
    s->settled_s = now;
done:
    return st;
}

adn_status adn_stage_drain(adn_stage *s)
{
    adn_status st = ADN_OK;
    while (st == ADN_OK && s->n_settled < s->n_enqueued) st = adn_stage_settle(s);
    for (int k = 0; k < s->n_copy && st == ADN_OK; k++)
        st = s->copies[k].dev->ops->queue_sync(s->queues[k]);
    return st;
}

adn_status adn_stage_finish(adn_stage *s)
{
    adn_status st = adn_stage_drain(s);
    return st == ADN_OK && (s->row.steps > 0 || isfinite(s->row.test_loss)) ? give_row(s) : st;
}

adn_status adn_stage_finish_test(adn_stage *s)
{
    adn_status st = adn_stage_drain(s);
    return st == ADN_OK ? give_row(s) : st;
}

/* --- the step */
