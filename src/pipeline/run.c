/* Builds a pipeline from its plan, starts its threads, joins them. */
#include <math.h>
#include <stdio.h>

#include "pipeline/inside.h"

static adn_status create_stage(adn_run *r, int j)
{
    const adn_plan *p = r->plan;
    const adn_config *conf = p->conf;
    adn_stage_conf c = {.block = j,
                        .spec = &p->blocks[j].spec,
                        .dev = r->dev,
                        .queue = p->blocks[j].queue,
                        .type = p->type,
                        .n_batches = p->n_batches,
                        .conv = conf->model.conv,
                        .optim = &conf->optim,
                        .until = conf->until,
                        .epoch_samples = p->epoch_samples,
                        .init = conf->model.init,
                        .seed = conf->seed,
                        .on_row = adn_run_row,
                        .user = &r->workers[j]};
    for (int i = 0; i < p->n_batches; i++) c.batches[i] = p->batches[i];
    if (r->conf.jitter != 0) c.queue.jitter = r->conf.jitter + 7919 * (uint64_t)(j + 1);
    return adn_stage_create(&c, &r->stages[j]);
}

adn_status adn_run_create(const adn_run_conf *conf, adn_run **out)
{
    adn_status st = ADN_NOMEM;
    adn_run *r = adn_alloc(sizeof(*r));
    int n = conf->plan->n_block;

    if (r == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
    pthread_mutex_init(&r->row_lock, NULL);
    r->conf = *conf;
    r->plan = conf->plan;
    r->dev = conf->dev;
    r->stages = adn_alloc((size_t)n * sizeof(adn_stage *));
    r->edges = adn_alloc((size_t)n * sizeof(adn_edge *));
    r->workers = adn_alloc((size_t)n * sizeof(adn_worker));
    if (r->stages == NULL || r->edges == NULL || r->workers == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "run: no memory");
        goto fail;
    }
    for (int j = 0; j < n; j++) {
        adn_edge_conf edge = adn_plan_edge(r->plan, r->dev, j);
        r->workers[j] = (adn_worker){.run = r, .block = j};
        if (conf->jitter != 0) r->workers[j].jitter = conf->jitter * 31 + (uint64_t)j;
        ADN_TRY(st, create_stage(r, j), fail);
        ADN_TRY(st, adn_edge_create(&edge, &r->edges[j]), fail);
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
    adn_source_clear(&r->source);
    for (int j = 0; r->stages != NULL && j < r->plan->n_block; j++) adn_stage_destroy(r->stages[j]);
    for (int j = 0; r->edges != NULL && j < r->plan->n_block; j++) adn_edge_destroy(r->edges[j]);
    adn_saver_destroy(r->saver);
    adn_free(r->stages);
    adn_free(r->edges);
    adn_free(r->workers);
    pthread_mutex_destroy(&r->row_lock);
    adn_free(r);
}

void adn_run_fail(adn_run *r, adn_status st)
{
    adn_status none = ADN_OK;

    atomic_compare_exchange_strong(&r->failed, &none, st);
    for (int j = 0; j < r->plan->n_block; j++) adn_edge_abort(r->edges[j]);
}

/* Adds the shares of waiting, from the edges' counts since the last row. */
adn_status adn_run_row(void *user, const adn_epoch_row *given)
{
    adn_worker *w = user;
    adn_run *r = w->run;
    adn_epoch_row row = *given;
    adn_edge_stats in = adn_edge_counts(r->edges[w->block]), out = {0};
    double now = adn_now(), seconds = now - w->seen_s;
    bool is_last = w->block == r->plan->n_block - 1;

    if (!is_last) out = adn_edge_counts(r->edges[w->block + 1]);
    if (w->seen_s > 0 && seconds > 0) {
        row.wait_in = (in.wait_in_s - w->seen_in.wait_in_s) / seconds;
        row.wait_out = is_last ? NAN : (out.wait_out_s - w->seen_out.wait_out_s) / seconds;
    }
    w->seen_in = in;
    w->seen_out = out;
    w->seen_s = now;
    if (is_last && r->saver != NULL) adn_saver_score(r->saver, &row);
    /* Held through the call: so rows stand in one order in epochs.csv, events and the terminal. A
     * slow receiver keeps back the blocks that end an epoch meanwhile, not a failure. */
    pthread_mutex_lock(&r->row_lock);
    adn_status st = r->conf.on_row != NULL ? r->conf.on_row(r->conf.user, &row) : ADN_OK;
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
    for (int j = 0; j < r->plan->n_block; j++)
        ADN_TRY(st, adn_stage_load(r->stages[j], dir, with_optim), done);
    if (with_optim) st = adn_source_seek(&r->source, step);
done:
    return st;
}

void adn_run_set_seconds(adn_run *r, double seconds)
{
    r->source.before_s = seconds;
}

adn_status adn_run_threads(adn_run *r)
{
    adn_status st = ADN_OK;

    r->source.began_s = adn_now() - r->source.before_s;

    for (int j = 0; j < r->plan->n_block; j++)
        ADN_TRY(st,
                adn_thread_start(&r->workers[j].thread, r->plan->blocks[j].queue.name,
                                 adn_worker_work, &r->workers[j]),
                join);
    st = adn_thread_start(&r->source.thread, "source", adn_source_work, &r->source);
join:
    if (st != ADN_OK) adn_run_fail(r, st);
    adn_thread_join(&r->source.thread); /* failures were reported by adn_run_fail */
    for (int j = 0; j < r->plan->n_block; j++) adn_thread_join(&r->workers[j].thread);
    if (r->failed != ADN_OK) return r->failed;
    return r->source.was_stopped ? ADN_STOPPED : ADN_OK;
}

static adn_status test_work(void *user)
{
    adn_worker *w = user;
    adn_status st = adn_worker_tests(w, w->run->plan->test_batches, -1);
    if (st == ADN_OK) st = adn_stage_finish_test(w->run->stages[w->block]);
    if (st != ADN_OK) adn_run_fail(w->run, st);
    return st;
}

adn_status adn_run_test(adn_run *r)
{
    adn_status st = ADN_OK;

    for (int j = 0; j < r->plan->n_block; j++)
        ADN_TRY(st,
                adn_thread_start(&r->workers[j].thread, r->plan->blocks[j].queue.name, test_work,
                                 &r->workers[j]),
                join);
    st = adn_source_test_pass(&r->source, -1);
join:
    if (st != ADN_OK) adn_run_fail(r, st);
    for (int j = 0; j < r->plan->n_block; j++) adn_thread_join(&r->workers[j].thread);
    return r->failed;
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
