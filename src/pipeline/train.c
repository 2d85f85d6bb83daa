/* A run while it trains: what it writes down as it goes, and the loop that watches it. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "adonis/train.h"
#include "core/core.h"
#include "core/json.h"
#include "core/thread.h"
#include "pipeline/hang.h"
#include "pipeline/setup.h"

typedef struct training {
    adn_setup setup;
    const adn_watch *watch;
    pthread_mutex_t lock; /* one call of the watcher at a time */
    _Atomic bool is_over;
    double start_s;
    int64_t first_step;
    adn_tick tick;
    adn_hang hang;
    double predicted_s;    /* of a step; 0: not known */
    int slowest;           /* the block that was predicted to be */
    double timed, timed_s; /* its samples, and the seconds that its rows gave them */
} training;

/* --- what the pipeline tells */

static bool must_stop(void *user)
{
    const training *t = user;
    return t->watch->must_stop != NULL && t->watch->must_stop(t->watch->user);
}

static void put_number(adn_json *j, const char *key, double v)
{
    if (isfinite(v)) adn_json_number(j, key, v);
}

/* Closes and frees j. */
static adn_status give_event(training *t, adn_json *j)
{
    adn_json_close(j, '}');
    adn_status st = j->failed ? ADN_FAIL(ADN_NOMEM, "events: no memory")
                              : adn_rundir_event(t->setup.dir, j->text);
    adn_json_clear(j);
    return st;
}

static adn_status event_row(training *t, const adn_epoch_row *row)
{
    adn_json j = {0};
    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "event", "epoch");
    adn_json_int(&j, "epoch", row->epoch);
    adn_json_int(&j, "block", row->block);
    adn_json_int(&j, "steps", row->steps);
    put_number(&j, "lr", row->lr);
    put_number(&j, "train_loss", row->train_loss);
    put_number(&j, "train_top1", row->train_top1);
    put_number(&j, "test_loss", row->test_loss);
    put_number(&j, "test_top1", row->test_top1);
    put_number(&j, "img_s", row->img_s);
    adn_json_int(&j, "reread", row->reread);
    return give_event(t, &j);
}

static adn_status event_edge(training *t, const adn_edge_row *row)
{
    adn_json j = {0};
    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "event", "edge");
    adn_json_int(&j, "epoch", row->epoch);
    adn_json_int(&j, "edge", row->edge);
    adn_json_int(&j, "pushed", row->pushed);
    adn_json_int(&j, "pulled", row->pulled);
    adn_json_int(&j, "dropped", row->dropped);
    adn_json_int(&j, "reused", row->reused);
    adn_json_int(&j, "lost", row->lost);
    adn_json_int(&j, "bytes", row->bytes);
    put_number(&j, "starved_s", row->starved_s);
    put_number(&j, "occupancy", row->occupancy);
    put_number(&j, "age_mean", row->age_mean);
    adn_json_int(&j, "age_p50", row->age_p50);
    adn_json_int(&j, "age_p99", row->age_p99);
    adn_json_int(&j, "age_max", row->age_max);
    put_number(&j, "codec_error", row->codec_error);
    return give_event(t, &j);
}

/* A full disk costs rows and events, said each time; training goes on. */
static adn_status forgive(adn_status st)
{
    if (st == ADN_IO) adn_warn("the run directory could not be written; training goes on");
    return st == ADN_IO ? ADN_OK : st;
}

static adn_status on_row(void *user, const adn_epoch_row *row)
{
    training *t = user;
    adn_status st = forgive(adn_rundir_row(t->setup.dir, row));

    if (row->block == t->slowest && row->img_s > 0) {
        t->timed += (double)t->setup.plan.epoch_samples;
        t->timed_s += (double)t->setup.plan.epoch_samples / row->img_s;
    }

    if (st == ADN_OK) st = forgive(event_row(t, row));
    pthread_mutex_lock(&t->lock);
    if (t->watch->on_row != NULL) t->watch->on_row(t->watch->user, row);
    pthread_mutex_unlock(&t->lock);
    return st;
}

static adn_status on_edge_row(void *user, const adn_edge_row *row)
{
    training *t = user;
    adn_status st = ADN_OK;

    if (row->edge == 0) return ADN_OK; /* the loader's: nothing is ever dropped or read again */
    st = forgive(adn_rundir_edge_row(t->setup.dir, row));
    return st == ADN_OK ? forgive(event_edge(t, row)) : st;
}

static void event_text(training *t, const char *what, int64_t step)
{
    adn_json j = {0};
    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "event", what);
    adn_json_int(&j, "step", step);
    adn_json_int(&j, "time", (int64_t)time(NULL));
    adn_json_close(&j, '}');
    if (j.failed || adn_rundir_event(t->setup.dir, j.text) != ADN_OK)
        adn_warn("event '%s' was not recorded", what);
    adn_json_clear(&j);
}

static void on_save(void *user, const adn_ckpt_info *info)
{
    event_text(user, "checkpoint", info->step);
}

/* --- while it runs */

static adn_status run_work(void *user)
{
    training *t = user;
    adn_status st = adn_run_train(t->setup.run);
    atomic_store(&t->is_over, true);
    return st;
}

/* Where a block's clock ends; -1: the run ends by time. */
static int64_t until_samples(const adn_plan *p)
{
    adn_duration u = p->conf->until;

    if (p->until_steps < 0) return -1;
    if (u.unit == ADN_EPOCHS) return (int64_t)(u.value * (double)p->epoch_samples + 0.5);
    return p->until_steps * p->epoch_samples / p->epoch_steps;
}

static void look(training *t, adn_tick *tick)
{
    const adn_plan *p = &t->setup.plan;
    adn_run_view v = adn_run_look(t->setup.run);
    bool is_greedy = t->setup.conf->mode == ADN_MODE_GREEDY;

    *tick = (adn_tick){.n_block = p->n_block,
                       .source_steps = v.source_steps,
                       .until_steps =
                           p->until_steps > 0 ? p->until_steps * (is_greedy ? p->n_block : 1) : -1,
                       .block_until_steps = p->until_steps,
                       .epoch_steps = p->epoch_steps,
                       .block_until_samples = until_samples(p),
                       .epoch_samples = p->epoch_samples,
                       .seconds = adn_now() - t->start_s,
                       .before_s = v.before_s,
                       .first_step = t->first_step};
    tick->data_wait = tick->seconds > 0 ? v.data_wait_s / tick->seconds : 0;
    tick->is_async = t->setup.conf->mode == ADN_MODE_ASYNC;
    tick->feeds_on = t->setup.conf->after_end == ADN_AFTER_EVAL_FORWARD;
    for (int j = 0; j < p->n_block; j++) {
        adn_edge_stats e = adn_run_edge(t->setup.run, j);
        tick->blocks[j] = adn_stage_look(adn_run_stage(t->setup.run, j));
        tick->blocks[j].is_done = adn_run_is_done(t->setup.run, j);
        tick->edges[j] = (adn_edge_view){.pushed = e.pushed,
                                         .pulled = e.pulled,
                                         .reused = e.reused,
                                         .dropped = e.dropped,
                                         .lost = e.lost,
                                         .age_p50 = adn_ages_quantile(&e.ages, 0.5),
                                         .age_p99 = adn_ages_quantile(&e.ages, 0.99),
                                         .wait_in_s = e.wait_in_s,
                                         .wait_out_s = e.wait_out_s};
    }
}

static void heartbeat(training *t, const adn_tick *tick)
{
    adn_json j = {0};
    adn_json_open(&j, NULL, '[');
    for (int b = 0; b < tick->n_block; b++) {
        adn_json_open(&j, NULL, '{');
        adn_json_int(&j, "block", b);
        adn_json_int(&j, "steps", tick->blocks[b].steps);
        adn_json_number(&j, "loss", tick->blocks[b].loss);
        adn_json_number(&j, "img_s", tick->blocks[b].img_s);
        adn_json_int(&j, "time", (int64_t)time(NULL));
        adn_json_close(&j, '}');
    }
    adn_json_close(&j, ']');
    if (!j.failed) (void)forgive(adn_rundir_status(t->setup.dir, "running", j.text));
    adn_json_clear(&j);
}

/* In greedy a block rests until its turn to learn. */
static bool may_rest(const training *t, const adn_tick *tick, int block)
{
    bool is_greedy = t->setup.conf->mode == ADN_MODE_GREEDY;
    return adn_run_is_done(t->setup.run, block) ||
           (is_greedy && block > tick->source_steps / tick->block_until_steps);
}

/* A block that neither learns, tests nor forwards for a minute is told of with who waits for whom;
 * once a minute. */
static void watch_for_hang(training *t, const adn_tick *tick)
{
    double now = adn_now(), rest_s = 0;

    for (int j = 0; j < tick->n_block; j++) {
        const adn_stage_view *v = &tick->blocks[j];
        int64_t done = v->steps + v->rereads + v->tests + tick->edges[j].pulled;
        adn_hang_see(&t->hang, j, done, may_rest(t, tick, j), now);
    }
    int stuck = adn_hang_tell(&t->hang, tick->n_block, now, &rest_s);
    if (stuck < 0) return;
    adn_warn("block %d finished no step for %.0f s", stuck, rest_s);
    adn_run_tell_waits(t->setup.run);
}

static adn_status watch_it(training *t)
{
    adn_thread thread;
    adn_tick *tick = &t->tick;
    double beat_s = 0;
    const double beat_every = 2; /* seconds between heartbeats in status.json */
    adn_status st = adn_thread_start(&thread, "run", run_work, t);

    if (st != ADN_OK) return st;
    while (!atomic_load(&t->is_over)) {
        struct timespec nap = {0, 50 * 1000 * 1000};
        nanosleep(&nap, NULL);
        look(t, tick);
        watch_for_hang(t, tick);
        /* In async the source may wait for blocks behind one that has stopped; else it asks. */
        if (tick->is_async && must_stop(t)) adn_run_nudge(t->setup.run);
        pthread_mutex_lock(&t->lock);
        if (t->watch->on_tick != NULL) t->watch->on_tick(t->watch->user, tick);
        pthread_mutex_unlock(&t->lock);
        if (adn_now() - beat_s < beat_every) continue;
        beat_s = adn_now();
        heartbeat(t, tick);
    }
    return adn_thread_join(&thread);
}

static const char *state_after(adn_status st)
{
    switch (st) {
    case ADN_OK:
        return "finished";
    case ADN_STOPPED:
        return "stopped";
    case ADN_DIVERGED:
        return "diverged";
    default:
        return "failed";
    }
}

/* What automatic cuts promised beside what came of it. */
static void tell_prediction(const training *t)
{
    const adn_plan *p = &t->setup.plan;

    if (t->predicted_s == 0 || t->timed_s == 0) return;
    adn_info("predicted %.0f img/s (slowest block %d: %.1f ms a step), measured %.0f img/s",
             p->batch * p->n_column / t->predicted_s, t->slowest,
             1e3 * p->blocks[t->slowest].predicted_s, t->timed / t->timed_s);
}

static adn_status train(training *t)
{
    adn_run_conf tells = {.must_stop = must_stop,
                          .on_row = on_row,
                          .on_edge_row = on_edge_row,
                          .on_save = on_save,
                          .user = t};
    const adn_train_start *start = &t->setup.start;
    int cores[1024], n_core = adn_cores_allowed(cores, (int)ADN_COUNT(cores));
    adn_status st = adn_setup_init(&t->setup, &tells);

    if (st != ADN_OK) return st;
    if (t->watch->on_start != NULL) t->watch->on_start(t->watch->user, start);
    if (start->was_finished) return ADN_OK;
    t->predicted_s = adn_plan_predict(&t->setup.plan, n_core, &t->slowest);
    t->first_step = adn_run_step(t->setup.run);
    t->start_s = adn_now();
    event_text(t, start->is_resumed ? "resumed" : "started", t->first_step);
    ADN_TRY(st, forgive(adn_rundir_status(t->setup.dir, "running", NULL)), done);
    st = watch_it(t);
    tell_prediction(t);
    event_text(t, state_after(st), adn_run_step(t->setup.run));
    adn_status said = forgive(adn_rundir_status(t->setup.dir, state_after(st), NULL));
    if (st == ADN_OK) st = said;
done:
    return st;
}

adn_status adn_train(adn_config *conf, const adn_train_options *options, const adn_watch *watch)
{
    training *t = adn_alloc(sizeof(*t));

    if (t == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
    t->setup.conf = conf;
    t->setup.options = options;
    t->watch = watch;
    t->hang.patience_s = 60;
    pthread_mutex_init(&t->lock, NULL);
    adn_status st = train(t);
    adn_setup_clear(&t->setup);
    pthread_mutex_destroy(&t->lock);
    adn_free(t);
    return st;
}
