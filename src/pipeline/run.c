/* Builds a pipeline from its plan, starts its threads, joins them. */
#include <math.h>
#include <stdio.h>

#include "core/file.h"
#include "pipeline/inside.h"

adn_device *adn_run_dev(const adn_run *r, int column, int block)
{
    return r->devs[column * r->plan->n_block + block];
}

/* The slots of edge j are not in the memory of block j's device. */
static bool is_elsewhere(const adn_run *r, int j)
{
    return r->devs[j]->ops->has_own_memory && r->plan->blocks[j].edge.place != ADN_EDGE_DEVICE;
}

/* What goes over edge j is sent by one device and received by another. */
static bool is_sent(const adn_run *r, int j)
{
    return j > 0 && j < r->plan->n_block && r->plan->blocks[j].edge.link == ADN_LINK_NCCL &&
           r->devs[j] != r->devs[j - 1];
}

static adn_status create_stage(adn_run *r, int j)
{
    const adn_plan *p = r->plan;
    const adn_config *conf = p->conf;
    adn_stage_conf c = {.block = j,
                        .spec = &p->blocks[j].spec,
                        .n_copy = p->n_column,
                        .queue = p->blocks[j].queue,
                        .shared = r->queue,
                        .takes_across = is_elsewhere(r, j),
                        .emits_across = j + 1 < p->n_block &&
                                        (r->devs[j + 1] != r->devs[j] || is_elsewhere(r, j + 1)),
                        .bucket_bytes = r->conf.bucket_bytes,
                        .type = p->type,
                        .n_batches = p->n_batches,
                        .conv = conf->model.conv,
                        .optim = &conf->optim,
                        .until = conf->until,
                        .epoch_samples = p->epoch_samples,
                        .init = conf->model.init,
                        .is_bare = r->conf.is_bare,
                        .seed = conf->seed,
                        .counts = conf->clock,
                        .bn_reuse = conf->model.bn_reuse,
                        .is_async = r->is_async,
                        .clock = r->clock,
                        .on_row = adn_run_row,
                        .user = &r->workers[j]};
    for (int i = 0; i < p->n_batches; i++) c.batches[i] = p->batches[i];
    for (int k = 0; k < p->n_column; k++) {
        c.devs[k] = adn_run_dev(r, k, j);
        if (is_sent(r, j + 1)) c.sends_to[k] = adn_run_dev(r, k, j + 1);
    }
    if (r->conf.jitter != 0) c.queue.jitter = r->conf.jitter + 7919 * (uint64_t)(j + 1);
    return adn_stage_create(&c, &r->stages[j]);
}

static adn_status create_edge(adn_run *r, int j)
{
    adn_edge_conf edge = adn_plan_edge(r->plan, j);

    for (int k = 0; k < edge.n_column; k++) {
        edge.dev[k] = adn_run_dev(r, k, j);
        if (j > 0 && !is_sent(r, j)) edge.from[k] = adn_run_dev(r, k, j - 1);
    }
    if (adn_path_exists(r->plan->conf->runs)) edge.dir = r->plan->conf->runs;
    edge.clock = r->clock;
    edge.bells[ADN_SIDE_PRODUCER] = j > 0 ? &r->workers[j - 1].bell : &r->source.bell;
    edge.bells[ADN_SIDE_CONSUMER] = &r->workers[j].bell;
    return adn_edge_create(&edge, &r->edges[j]);
}

adn_status adn_run_create(const adn_run_conf *conf, adn_run **out)
{
    adn_status st = ADN_OK;
    adn_run *r = adn_alloc(sizeof(*r));
    int n = conf->plan->n_block, n_dev = n * conf->plan->n_column;

    if (r == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
    pthread_mutex_init(&r->row_lock, NULL);
    adn_bell_init(&r->source.bell);
    r->conf = *conf;
    r->plan = conf->plan;
    r->is_async = conf->plan->conf->mode == ADN_MODE_ASYNC;
    r->devs = adn_alloc((size_t)n_dev * sizeof(adn_device *));
    r->stages = adn_alloc((size_t)n * sizeof(adn_stage *));
    r->edges = adn_alloc((size_t)n * sizeof(adn_edge *));
    r->workers = adn_alloc((size_t)n * sizeof(adn_worker));
    if (r->devs == NULL || r->stages == NULL || r->edges == NULL || r->workers == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "run: no memory");
        goto fail;
    }
    for (int i = 0; i < n_dev; i++) r->devs[i] = conf->devs != NULL ? conf->devs[i] : conf->dev;
    r->conf.devs = NULL; /* the caller's */
    ADN_TRY(st, adn_resident_decide(r->plan, r->devs, &r->is_resident), fail);
    ADN_TRY(st, adn_plan_fits(r->plan, r->devs, r->is_resident), fail);
    for (int j = 0; j < n; j++) {
        r->workers[j] = (adn_worker){.run = r, .block = j, .seen_s = NAN};
        adn_bell_init(&r->workers[j].bell);
        if (conf->jitter != 0) r->workers[j].jitter = conf->jitter * 31 + (uint64_t)j;
    }
    if (conf->plan->conf->schedule == ADN_SCHEDULE_VIRTUAL)
        ADN_TRY(st, adn_virtual_create(r), fail);
    for (int j = 0; j < n; j++) {
        ADN_TRY(st, create_stage(r, j), fail);
        ADN_TRY(st, create_edge(r, j), fail);
    }
    ADN_TRY(st, adn_source_create(r, &r->source), fail);
    *out = r;
    return ADN_OK;
fail:
    adn_run_destroy(r);
    return st;
}

void adn_run_destroy(adn_run *r)
{
    if (r == NULL) return;
    /* After a failure the shared queue may still have to read what is freed here. */
    if (r->queue != NULL && r->queue->dev->ops->queue_sync(r->queue) != ADN_OK)
        adn_debug("the queue of all blocks had failed");
    adn_source_clear(&r->source);
    for (int j = 0; r->stages != NULL && j < r->plan->n_block; j++) adn_stage_destroy(r->stages[j]);
    for (int j = 0; r->edges != NULL && j < r->plan->n_block; j++) adn_edge_destroy(r->edges[j]);
    adn_saver_destroy(r->saver);
    if (adn_order_close(r->order) != ADN_OK) adn_debug("the order of events is cut short");
    adn_virtual_destroy(r);
    for (int j = 0; r->workers != NULL && j < r->plan->n_block; j++)
        if (r->workers[j].run != NULL) adn_bell_clear(&r->workers[j].bell);
    adn_bell_clear(&r->source.bell);
    adn_free(r->devs);
    adn_free(r->stages);
    adn_free(r->edges);
    adn_free(r->workers);
    pthread_mutex_destroy(&r->row_lock);
    adn_free(r);
}

void adn_run_record(adn_run *r, const adn_order_step *step)
{
    if (r->order != NULL && adn_order_append(r->order, step) != ADN_OK)
        adn_debug("a step is not recorded"); /* was said, and costs the order alone */
}

void adn_run_ring(adn_run *r)
{
    adn_bell_ring(&r->source.bell);
    for (int j = 0; j < r->plan->n_block; j++) adn_bell_ring(&r->workers[j].bell);
}

double adn_run_seconds(const adn_run *r)
{
    return adn_clock_now(r->clock) - r->source.began_s;
}

void adn_run_fail(adn_run *r, adn_status st)
{
    adn_status none = ADN_OK;

    atomic_compare_exchange_strong(&r->failed, &none, st);
    for (int j = 0; j < r->plan->n_block; j++) adn_edge_abort(r->edges[j]);
}

/* What the edge into the block did since its row before. */
static adn_edge_row edge_row(const adn_worker *w, const adn_edge_stats *in, int epoch)
{
    const adn_edge_stats *before = &w->seen_in;
    adn_ages ages = adn_ages_since(&in->ages, &before->ages);
    double pulled = (double)(in->pulled - before->pulled);

    return (adn_edge_row){
        .epoch = epoch,
        .edge = w->block,
        .pushed = in->pushed - before->pushed,
        .pulled = in->pulled - before->pulled,
        .dropped = in->dropped - before->dropped,
        .reused = in->reused - before->reused,
        .lost = in->lost - before->lost,
        .bytes = in->bytes - before->bytes,
        .starved_s = in->wait_in_s - before->wait_in_s,
        .occupancy = pulled > 0 ? (in->occupancy_sum - before->occupancy_sum) / pulled : NAN,
        .age_mean = ages.n > 0 ? ages.sum / (double)ages.n : NAN,
        .age_p50 = adn_ages_quantile(&ages, 0.5),
        .age_p99 = adn_ages_quantile(&ages, 0.99),
        .age_max = ages.max,
        .codec_error = NAN};
}

/* The shares of waiting and working, from the counts since the last row. */
static void add_shares(adn_worker *w, const adn_edge_stats *in, adn_epoch_row *row)
{
    const adn_run *r = w->run;
    double now = adn_clock_now(r->clock), seconds = now - w->seen_s;
    bool is_last = w->block == r->plan->n_block - 1;
    adn_edge_stats out = {0};

    if (!is_last) out = adn_edge_counts(r->edges[w->block + 1]);
    if (seconds > 0) {
        double idle_s = adn_worker_idle(w), out_s = out.wait_out_s - w->seen_out_s;
        double in_s = in->wait_in_s - w->seen_in.wait_in_s;
        row->span_s = seconds;
        row->wait_in = in_s / seconds;
        row->wait_out = is_last ? NAN : out_s / seconds;
        row->busy = 1 - (idle_s - w->seen_idle_s) / seconds;
        if (r->virtual != NULL) row->busy = ADN_MAX(0, 1 - (in_s + out_s) / seconds);
        w->seen_idle_s = idle_s;
    }
    w->seen_out_s = out.wait_out_s;
    w->seen_s = now;
}

adn_status adn_run_row(void *user, const adn_epoch_row *given)
{
    adn_worker *w = user;
    adn_run *r = w->run;
    adn_epoch_row row = *given;
    adn_edge_stats in = adn_edge_counts(r->edges[w->block]);
    adn_edge_row edge = edge_row(w, &in, row.epoch);
    adn_status st = ADN_OK;

    add_shares(w, &in, &row);
    w->seen_in = in;
    if (w->block == r->plan->n_block - 1 && r->saver != NULL) adn_saver_score(r->saver, &row);
    /* Held through the calls: so rows stand in one order in epochs.csv, events and the terminal. A
     * slow receiver keeps back the blocks that end an epoch meanwhile, not a failure. */
    pthread_mutex_lock(&r->row_lock);
    if (r->conf.on_row != NULL) st = r->conf.on_row(r->conf.user, &row);
    if (st == ADN_OK && r->conf.on_edge_row != NULL) st = r->conf.on_edge_row(r->conf.user, &edge);
    pthread_mutex_unlock(&r->row_lock);
    return st;
}

adn_status adn_run_set_dir(adn_run *r, const char *run_dir)
{
    r->run_dir = run_dir;
    return adn_saver_create(r, &r->saver);
}

adn_status adn_run_load(adn_run *r, const char *dir, int64_t step, bool with_optim)
{
    adn_status st = ADN_OK;
    for (int j = 0; j < r->plan->n_block; j++) {
        ADN_TRY(st, adn_stage_load(r->stages[j], dir, with_optim), done);
        adn_edge_resume(r->edges[j], adn_stage_clock_now(r->stages[j]).updates);
    }
    if (with_optim) st = adn_source_seek(&r->source, step);
done:
    return st;
}

void adn_run_set_seconds(adn_run *r, double seconds)
{
    r->source.before_s = seconds;
    if (r->virtual != NULL) adn_virtual_set_seconds(r, seconds);
}

static adn_status run_threads(adn_run *r)
{
    adn_status st = ADN_OK;

    for (int j = 0; j < r->plan->n_block; j++)
        ADN_TRY(st,
                adn_thread_start(&r->workers[j].thread, r->plan->blocks[j].queue.name,
                                 adn_worker_run, &r->workers[j]),
                join);
    st = adn_thread_start(&r->source.thread, "source", adn_source_run, &r->source);
join:
    if (st != ADN_OK) adn_run_fail(r, st);
    adn_thread_join(&r->source.thread); /* failures were reported by adn_run_fail */
    for (int j = 0; j < r->plan->n_block; j++) adn_thread_join(&r->workers[j].thread);
    return r->failed;
}

adn_status adn_run_train(adn_run *r)
{
    adn_status st = ADN_OK;

    if (r->run_dir != NULL)
        st = adn_order_begin(r->run_dir, r->plan->n_block, adn_run_step(r), &r->order);
    if (st != ADN_OK && st != ADN_IO) return st;
    adn_source_begin(&r->source);
    for (int j = 0; j < r->plan->n_block; j++) adn_worker_open(&r->workers[j]);
    st = r->virtual != NULL ? adn_virtual_run(r) : run_threads(r);
    adn_status said = adn_order_close(r->order); /* a full disk costs the order, not the run */
    r->order = NULL;
    if (st == ADN_OK && said != ADN_OK && said != ADN_IO) st = said;
    return st == ADN_OK && r->source.was_stopped ? ADN_STOPPED : st;
}

adn_status adn_run_test(adn_run *r)
{
    adn_status st = ADN_OK;
    bool moves = true;

    r->source.n_pass = 1;
    while (moves) {
        st = r->source.n_pass > 0 ? adn_source_test(&r->source) : ADN_AGAIN;
        moves = st == ADN_OK;
        if (st != ADN_OK && st != ADN_AGAIN) return st;
        for (int j = 0; j < r->plan->n_block; j++) {
            st = adn_worker_test(&r->workers[j]);
            moves = moves || st == ADN_OK;
            if (st != ADN_OK && st != ADN_AGAIN) return st;
        }
    }
    for (int j = 0; j < r->plan->n_block; j++)
        ADN_TRY(st, adn_stage_finish_test(r->stages[j]), done);
    st = ADN_OK;
done:
    return st;
}

void adn_run_nudge(adn_run *r)
{
    atomic_store(&r->source.must_ask, true);
    adn_bell_ring(&r->source.bell);
}

adn_run_view adn_run_look(adn_run *r)
{
    return (adn_run_view){atomic_load(&r->source.steps), adn_edge_counts(r->edges[0]).wait_in_s,
                          r->source.before_s};
}

void adn_run_tell_waits(adn_run *r)
{
    for (int j = 0; j < r->plan->n_block; j++) {
        adn_edge_stats e = adn_edge_counts(r->edges[j]);
        char producer[24] = "the loader";
        if (j > 0) snprintf(producer, sizeof(producer), "block %d", j - 1);
        if (e.producer_waits) adn_warn("%s waits for a slot that block %d frees", producer, j);
        if (e.consumer_waits) adn_warn("block %d waits for a batch from %s", j, producer);
        if (!e.producer_waits && !e.consumer_waits)
            adn_warn("nobody waits between %s and block %d", producer, j);
    }
}

bool adn_run_is_done(adn_run *r, int block)
{
    return atomic_load(&r->workers[block].is_done);
}

bool adn_run_is_resident(const adn_run *r)
{
    return r->is_resident;
}

adn_stage *adn_run_stage(adn_run *r, int block)
{
    return r->stages[block];
}

adn_edge_stats adn_run_edge(adn_run *r, int edge)
{
    return adn_edge_counts(r->edges[edge]);
}

int64_t adn_run_step(const adn_run *r)
{
    return atomic_load(&r->source.steps);
}
