/* A run from its config to its directory: data, plan, pipeline, resume, the loop that watches it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "adonis/train.h"
#include "core/core.h"
#include "core/file.h"
#include "core/json.h"
#include "pipeline/inside.h"
#include "pipeline/text.h"
#include "store/store.h"

typedef struct training {
    adn_config *conf;
    const adn_train_options *options;
    const adn_watch *watch;
    adn_dataset_pair data;
    adn_plan plan;
    adn_device *dev;
    adn_run *run;
    adn_rundir *dir;
    pthread_mutex_t lock; /* one call of the watcher at a time */
    _Atomic bool is_over;
    double start_s;
    int64_t first_step;
    int64_t seen_done; /* steps and tests when progress was last seen, and when that was */
    double seen_s;
    adn_train_start start;
} training;

/* --- what the pipeline tells */

static bool must_stop(void *user)
{
    training *t = user;
    return t->watch->must_stop != NULL && t->watch->must_stop(t->watch->user);
}

static void put_number(adn_json *j, const char *key, double v)
{
    if (isfinite(v)) adn_json_number(j, key, v);
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
    adn_json_close(&j, '}');
    adn_status st =
        j.failed ? ADN_FAIL(ADN_NOMEM, "events: no memory") : adn_rundir_event(t->dir, j.text);
    adn_json_clear(&j);
    return st;
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
    adn_status st = forgive(adn_rundir_row(t->dir, row));

    if (st == ADN_OK) st = forgive(event_row(t, row));
    pthread_mutex_lock(&t->lock);
    if (t->watch->on_row != NULL) t->watch->on_row(t->watch->user, row);
    pthread_mutex_unlock(&t->lock);
    return st;
}

static void event_text(training *t, const char *what, int64_t step)
{
    adn_json j = {0};
    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "event", what);
    adn_json_int(&j, "step", step);
    adn_json_int(&j, "time", (int64_t)time(NULL));
    adn_json_close(&j, '}');
    if (j.failed || adn_rundir_event(t->dir, j.text) != ADN_OK)
        adn_warn("event '%s' was not recorded", what);
    adn_json_clear(&j);
}

static void on_save(void *user, const adn_ckpt_info *info)
{
    event_text(user, "checkpoint", info->step);
}

/* --- before it runs */

static adn_status run_path(const adn_config *conf, char **out)
{
    *out = adn_path_join(conf->runs, conf->name);
    return *out != NULL ? ADN_OK : ADN_FAIL(ADN_NOMEM, "run: no memory");
}

static adn_status open_dir(training *t)
{
    adn_status st;
    adn_rundir_conf c = {.runs = t->conf->runs,
                         .name = t->conf->name,
                         .config_path = t->conf->path,
                         .command = t->options->command,
                         .fresh_suffix = t->options->fresh_suffix,
                         .never_resume = t->options->never_resume};
    char *given = NULL, *resolved = NULL, *env = NULL, *plan = NULL;

    ADN_TRY(st, adn_config_given(t->conf, &given), done);
    ADN_TRY(st, adn_config_dump(t->conf, &resolved), done);
    ADN_TRY(st, adn_env_json(&env), done);
    if (t->run != NULL) ADN_TRY(st, adn_plan_json(&t->plan, t->run, &plan), done);
    c.given = given;
    c.resolved = resolved;
    c.env_json = env;
    c.plan_json = plan;
    ADN_TRY(st, adn_rundir_open(&c, &t->dir), done);
    adn_log_tee_set(adn_rundir_log_fd(t->dir));
done:
    adn_free(given);
    adn_free(resolved);
    adn_free(env);
    adn_free(plan);
    return st;
}

/* A resumed run keeps the teams it began with: sums depend on how work is split. */
static adn_status keep_teams(training *t)
{
    adn_status st;
    adn_config *old = NULL;
    char *path = adn_path_join(adn_rundir_path(t->dir), "config.resolved.yaml");
    int cores[1024], n_core = adn_cores_allowed(cores, (int)ADN_COUNT(cores));

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
    ADN_TRY(st, adn_config_load(path, NULL, 0, &old), done);
    for (int j = 0; j < t->plan.n_block && j < old->n_block; j++) {
        int n = old->blocks[j].threads;
        if (n <= 0) continue;
        if (n > n_core && n != t->plan.blocks[j].queue.n_thread)
            adn_warn("block %d began with %d threads; this machine gives %d cores", j, n, n_core);
        t->plan.blocks[j].queue.n_thread = n;
    }
done:
    adn_config_free(old);
    adn_free(path);
    return st;
}

/* What `auto` became goes into the config, so that the stored one says it. */
static adn_status resolve(training *t)
{
    adn_status st = ADN_OK;
    char key[40], value[200];
    const adn_data_conf *d = &t->conf->data;

    for (int j = 0; j < t->plan.n_block && st == ADN_OK; j++) {
        snprintf(key, sizeof(key), "blocks[%d].threads", j);
        snprintf(value, sizeof(value), "%d", t->plan.blocks[j].queue.n_thread);
        st = adn_config_resolve(t->conf, key, value);
    }
    for (int what = 0; what < 2 && st == ADN_OK; what++) {
        const double *v = what == 0 ? t->data.mean : t->data.std;
        int n = 0;
        if (!(what == 0 ? d->auto_mean : d->auto_std)) continue;
        for (int c = 0; c < t->plan.image.c; c++)
            n += snprintf(value + n, sizeof(value) - (size_t)n, "%s%.17g", c == 0 ? "[" : ", ",
                          v[c]);
        snprintf(value + n, sizeof(value) - (size_t)n, "]");
        st = adn_config_resolve(t->conf, what == 0 ? "data.mean" : "data.std", value);
    }
    if (st == ADN_OK && d->classes == 0) {
        snprintf(value, sizeof(value), "%d", t->plan.classes);
        st = adn_config_resolve(t->conf, "data.classes", value);
    }
    if (st == ADN_OK && d->readers == 0) st = adn_config_resolve(t->conf, "data.readers", "1");
    return st;
}

static adn_status load_newest(training *t)
{
    adn_status st;
    adn_ckpt_info info;
    char *path = NULL;
    int epochs[ADN_MAX_BLOCKS];

    st = adn_ckpt_newest(adn_rundir_path(t->dir), &info);
    if (st == ADN_END) {
        adn_info("no checkpoint yet: the run begins again");
        for (int j = 0; j < t->plan.n_block; j++) epochs[j] = 0;
        return adn_rundir_cut_block_rows(t->dir, epochs, t->plan.n_block);
    }
    if (st != ADN_OK) return st;
    if (info.n_block != t->plan.n_block)
        return ADN_FAIL(ADN_BADCKPT, "%s: has %d blocks, the config makes %d", info.name,
                        info.n_block, t->plan.n_block);
    ADN_TRY(st, adn_env_compare(adn_rundir_path(t->dir)), done);
    ADN_TRY(st, adn_ckpt_path(adn_rundir_path(t->dir), info.name, &path), done);
    ADN_TRY(st, adn_run_load(t->run, path, info.step, true), done);
    adn_run_set_seconds(t->run, info.seconds);
    for (int j = 0; j < t->plan.n_block; j++)
        epochs[j] = (int)(adn_stage_look(adn_run_stage(t->run, j)).samples / t->plan.epoch_samples);
    st = adn_rundir_cut_block_rows(t->dir, epochs, t->plan.n_block);
    t->start.step = info.step;
    t->start.epoch = info.epoch;
done:
    adn_free(path);
    return st;
}

static adn_status prepare(training *t)
{
    adn_status st;
    char *path = NULL;

    ADN_TRY(st, run_path(t->conf, &path), done);
    if (adn_path_exists(path) && !t->options->fresh_suffix) {
        ADN_TRY(st, open_dir(t), done);
        if (adn_rundir_state(t->dir) == ADN_RUN_FINISHED) goto done;
    }
    ADN_TRY(st, adn_dataset_open(&t->conf->data, &t->data), done);
    ADN_TRY(st, adn_plan_create(t->conf, &t->data, &t->plan), done);
    if (t->plan.n_block > ADN_MAX_BLOCKS) {
        st = ADN_FAIL(ADN_BADCONF, "%d blocks; at most %d", t->plan.n_block, ADN_MAX_BLOCKS);
        goto done;
    }
    if (t->plan.leaves_one_out)
        adn_info("the last batch of an epoch would have one sample: it is left out (batch norm "
                 "cannot learn from it)");
    if (t->dir != NULL) ADN_TRY(st, keep_teams(t), done);
    ADN_TRY(st, resolve(t), done);
    ADN_TRY(st, adn_cpu_open(&t->dev), done);
    adn_run_conf rc = {.plan = &t->plan,
                       .data = &t->data,
                       .dev = t->dev,
                       .type = ADN_F32,
                       .must_stop = must_stop,
                       .on_row = on_row,
                       .on_save = on_save,
                       .user = t};
    ADN_TRY(st, adn_run_create(&rc, &t->run), done);
    if (t->dir == NULL) ADN_TRY(st, open_dir(t), done);
    ADN_TRY(st, adn_run_set_dir(t->run, adn_rundir_path(t->dir)), done);
    if (adn_rundir_state(t->dir) == ADN_RUN_UNFINISHED) {
        t->start.is_resumed = true;
        st = load_newest(t);
    }
done:
    adn_free(path);
    return st;
}

/* --- while it runs */

static adn_status run_work(void *user)
{
    training *t = user;
    adn_status st = adn_run_threads(t->run);
    atomic_store(&t->is_over, true);
    return st;
}

static void look(training *t, adn_tick *tick)
{
    const adn_plan *p = &t->plan;
    adn_run_view v = adn_run_look(t->run);
    bool is_greedy = t->conf->mode == ADN_MODE_GREEDY;

    *tick = (adn_tick){.n_block = p->n_block,
                       .source_steps = v.source_steps,
                       .until_steps =
                           p->until_steps > 0 ? p->until_steps * (is_greedy ? p->n_block : 1) : -1,
                       .block_until_steps = p->until_steps,
                       .epoch_steps = p->epoch_batches,
                       .seconds = adn_now() - t->start_s,
                       .first_step = t->first_step};
    tick->data_wait = tick->seconds > 0 ? v.data_wait_s / tick->seconds : 0;
    for (int j = 0; j < p->n_block; j++) tick->blocks[j] = adn_stage_look(adn_run_stage(t->run, j));
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
    if (!j.failed) (void)forgive(adn_rundir_status(t->dir, "running", j.text));
    adn_json_clear(&j);
}

/* A run that stands still says who waits for whom, once a minute. */
static void watch_for_hang(training *t, const adn_tick *tick)
{
    const double patience_s = 60;
    int64_t done = tick->source_steps;

    for (int j = 0; j < tick->n_block; j++) done += tick->blocks[j].steps + tick->blocks[j].tests;
    if (done != t->seen_done) {
        t->seen_done = done;
        t->seen_s = adn_now();
    } else if (adn_now() - t->seen_s > patience_s) {
        adn_warn("no step was finished for %.0f s", patience_s);
        adn_run_tell_waits(t->run);
        t->seen_s = adn_now();
    }
}

static adn_status watch_it(training *t)
{
    adn_thread thread;
    adn_tick tick;
    double beat_s = 0;
    const double beat_every = 2; /* seconds between heartbeats in status.json */
    adn_status st = adn_thread_start(&thread, "run", run_work, t);

    if (st != ADN_OK) return st;
    while (!atomic_load(&t->is_over)) {
        struct timespec nap = {0, 50 * 1000 * 1000};
        nanosleep(&nap, NULL);
        look(t, &tick);
        watch_for_hang(t, &tick);
        pthread_mutex_lock(&t->lock);
        if (t->watch->on_tick != NULL) t->watch->on_tick(t->watch->user, &tick);
        pthread_mutex_unlock(&t->lock);
        if (adn_now() - beat_s < beat_every) continue;
        beat_s = adn_now();
        heartbeat(t, &tick);
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

static adn_status train(training *t)
{
    adn_status st = prepare(t);

    if (st != ADN_OK) return st;
    t->start.run_dir = adn_rundir_path(t->dir);
    t->start.n_block = t->plan.n_block;
    t->start.was_finished = adn_rundir_state(t->dir) == ADN_RUN_FINISHED;
    if (t->watch->on_start != NULL) t->watch->on_start(t->watch->user, &t->start);
    if (t->start.was_finished) return ADN_OK;
    t->first_step = adn_run_step(t->run);
    t->start_s = t->seen_s = adn_now();
    event_text(t, t->start.is_resumed ? "resumed" : "started", t->first_step);
    ADN_TRY(st, forgive(adn_rundir_status(t->dir, "running", NULL)), done);
    st = watch_it(t);
    event_text(t, state_after(st), adn_run_step(t->run));
    adn_status said = forgive(adn_rundir_status(t->dir, state_after(st), NULL));
    if (st == ADN_OK) st = said;
done:
    return st;
}

adn_status adn_train(adn_config *conf, const adn_train_options *options, const adn_watch *watch)
{
    training t = {.conf = conf, .options = options, .watch = watch};

    pthread_mutex_init(&t.lock, NULL);
    adn_status st = train(&t);
    adn_run_destroy(t.run);
    if (t.dev != NULL) t.dev->ops->close(t.dev);
    adn_log_tee_set(-1);
    adn_rundir_close(t.dir);
    adn_plan_clear_all(&t.plan);
    adn_dataset_close(&t.data);
    pthread_mutex_destroy(&t.lock);
    return st;
}
