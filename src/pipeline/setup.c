/* A run before it trains: its data, plan, device and pipeline, its directory, and where an
 * unfinished one goes on. */
#include "pipeline/setup.h"

#include <stdio.h>

#include "core/file.h"
#include "core/thread.h"
#include "pipeline/text.h"

static adn_status run_path(const adn_config *conf, char **out)
{
    *out = adn_path_join(conf->runs, conf->name);
    return *out != NULL ? ADN_OK : ADN_FAIL(ADN_NOMEM, "run: no memory");
}

static adn_status open_dir(adn_setup *s)
{
    adn_status st;
    adn_rundir_conf c = {.runs = s->conf->runs,
                         .name = s->conf->name,
                         .config_path = s->conf->path,
                         .command = s->options->command,
                         .fresh_suffix = s->options->fresh_suffix,
                         .never_resume = s->options->never_resume};
    char *given = NULL, *resolved = NULL, *env = NULL, *plan = NULL;

    ADN_TRY(st, adn_config_given(s->conf, &given), done);
    ADN_TRY(st, adn_config_dump(s->conf, &resolved), done);
    ADN_TRY(st, adn_env_json(&env), done);
    if (s->run != NULL) ADN_TRY(st, adn_plan_json(&s->plan, s->run, &plan), done);
    c.given = given;
    c.resolved = resolved;
    c.env_json = env;
    c.plan_json = plan;
    ADN_TRY(st, adn_rundir_open(&c, &s->dir), done);
    adn_log_tee_set(adn_rundir_log_fd(s->dir));
done:
    adn_free(given);
    adn_free(resolved);
    adn_free(env);
    adn_free(plan);
    return st;
}

/* The config that an existing run was resolved to. Gives (adn_config_free). */
static adn_status load_old(const adn_setup *s, adn_config **out)
{
    char *path = adn_path_join(adn_rundir_path(s->dir), "config.resolved.yaml");
    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "run: no memory");
    adn_status st = adn_config_load(path, NULL, 0, out);
    adn_free(path);
    return st;
}

/* A resumed run keeps the devices it began on where they are left to choose: each kind rounds in
 * its own way. */
static void keep_devices(adn_setup *s, const adn_config *old)
{
    for (int j = 0; j < s->plan.n_block && j < old->n_block; j++) {
        const adn_block_conf *was = &old->blocks[j];
        adn_plan_block *b = &s->plan.blocks[j];
        bool is_open = s->conf->n_block == 0 || s->conf->blocks[j].place == ADN_PLACE_AUTO;
        int n_gpu = s->plan.n_column > 1 ? s->plan.column_gpus : s->devices.gpus.n;
        bool is_there = was->place == ADN_PLACE_GPU && was->gpu < n_gpu;
        if (is_open && is_there && b->gpu != ADN_ON_CPU) b->gpu = was->gpu;
        if ((was->place == ADN_PLACE_GPU) != (b->gpu != ADN_ON_CPU))
            adn_warn("block %d began on %s and goes on on %s: results will differ in rounding", j,
                     was->device, adn_plan_device(&s->plan, 0, j).s);
    }
}

/* And its teams: sums depend on how work is split. */
static void keep_teams(adn_setup *s, const adn_config *old)
{
    int cores[1024], n_core = adn_cores_allowed(cores, (int)ADN_COUNT(cores));

    for (int j = 0; j < s->plan.n_block && j < old->n_block; j++) {
        int n = old->blocks[j].threads;
        if (n <= 0 || s->plan.blocks[j].gpu != ADN_ON_CPU) continue;
        if (n > n_core && n != s->plan.blocks[j].queue.n_thread)
            adn_warn("block %d began with %d threads; this machine gives %d cores", j, n, n_core);
        s->plan.blocks[j].queue.n_thread = n;
    }
}

/* A resumed run keeps its blocks too, however this machine is doing now. */
static adn_status plan_cuts(adn_setup *s, const adn_config *old, adn_cuts *cuts)
{
    if (!adn_cuts_are_auto(s->conf)) return ADN_OK;
    if (old == NULL || old->model.cuts_kind != ADN_CUTS_LIST)
        return adn_devices_cut(&s->devices, s->conf, &s->data, cuts);
    cuts->n_block = old->model.n_cut + 1;
    if (cuts->n_block > ADN_MAX_BLOCKS)
        return ADN_FAIL(ADN_BADCONF, "%d blocks; at most %d", cuts->n_block, ADN_MAX_BLOCKS);
    for (int i = 0; i < old->model.n_cut; i++) cuts->end[i] = old->model.cuts[i];
    return ADN_OK;
}

static adn_status plan(adn_setup *s)
{
    adn_status st;
    adn_config *old = NULL;
    adn_cuts cuts = {0};

    if (s->dir != NULL) ADN_TRY(st, load_old(s, &old), done);
    ADN_TRY(st, plan_cuts(s, old, &cuts), done);
    ADN_TRY(st, adn_plan_create_cut(s->conf, &s->data, &cuts, &s->devices.gpus, &s->plan), done);
    if (s->plan.n_block > ADN_MAX_BLOCKS) {
        st = ADN_FAIL(ADN_BADCONF, "%d blocks; at most %d", s->plan.n_block, ADN_MAX_BLOCKS);
        goto done;
    }
    if (old != NULL) {
        keep_devices(s, old);
        keep_teams(s, old);
    }
done:
    adn_config_free(old);
    return st;
}

static adn_status resolve_cuts(adn_setup *s)
{
    char text[8 * ADN_MAX_BLOCKS] = "[";
    size_t n = 1;

    if (!adn_cuts_are_auto(s->conf)) return ADN_OK;
    for (int j = 0; j < s->plan.n_block - 1; j++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d", j == 0 ? "" : ", ",
                              s->plan.cuts[j]);
    snprintf(text + n, sizeof(text) - n, "]");
    return adn_config_resolve(s->conf, "model.cuts", text);
}

static adn_status resolve_block(adn_setup *s, int j)
{
    adn_status st = ADN_OK;
    const adn_plan_block *b = &s->plan.blocks[j];
    char key[40], value[24];

    if (s->conf->n_block == 0 || s->conf->blocks[j].place == ADN_PLACE_AUTO) {
        snprintf(key, sizeof(key), "blocks[%d].device", j);
        st = adn_config_resolve(s->conf, key, adn_plan_device(&s->plan, 0, j).s);
    }
    if (st != ADN_OK || b->gpu != ADN_ON_CPU) return st;
    snprintf(key, sizeof(key), "blocks[%d].threads", j);
    snprintf(value, sizeof(value), "%d", b->queue.n_thread);
    return adn_config_resolve(s->conf, key, value);
}

/* What `auto` became goes into the config, so that the stored one says it. */
static adn_status resolve(adn_setup *s)
{
    adn_status st = resolve_cuts(s);
    char value[200];
    const adn_data_conf *d = &s->conf->data;

    for (int j = 0; j < s->plan.n_block && st == ADN_OK; j++) st = resolve_block(s, j);
    for (int what = 0; what < 2 && st == ADN_OK; what++) {
        const double *v = what == 0 ? s->data.mean : s->data.std;
        int n = 0;
        if (!(what == 0 ? d->auto_mean : d->auto_std)) continue;
        for (int c = 0; c < s->plan.image.c; c++)
            n += snprintf(value + n, sizeof(value) - (size_t)n, "%s%.17g", c == 0 ? "[" : ", ",
                          v[c]);
        snprintf(value + n, sizeof(value) - (size_t)n, "]");
        st = adn_config_resolve(s->conf, what == 0 ? "data.mean" : "data.std", value);
    }
    if (st == ADN_OK && d->classes == 0) {
        snprintf(value, sizeof(value), "%d", s->plan.classes);
        st = adn_config_resolve(s->conf, "data.classes", value);
    }
    if (st == ADN_OK && d->readers == 0) st = adn_config_resolve(s->conf, "data.readers", "1");
    return st;
}

/* The run has decided. One that is resumed decides anew: it makes no difference to its numbers. */
static adn_status resolve_resident(adn_setup *s)
{
    if (s->conf->data.resident != ADN_RESIDENT_AUTO) return ADN_OK;
    return adn_config_resolve(s->conf, "data.resident",
                              adn_run_is_resident(s->run) ? "true" : "false");
}

static adn_status load_newest(adn_setup *s)
{
    adn_status st;
    adn_ckpt_info info;
    char *path = NULL;
    int epochs[ADN_MAX_BLOCKS];

    st = adn_ckpt_newest(adn_rundir_path(s->dir), &info);
    if (st == ADN_END) {
        adn_info("no checkpoint yet: the run begins again");
        for (int j = 0; j < s->plan.n_block; j++) epochs[j] = 0;
        return adn_rundir_cut_block_rows(s->dir, epochs, s->plan.n_block);
    }
    if (st != ADN_OK) return st;
    if (info.n_block != s->plan.n_block)
        return ADN_FAIL(ADN_BADCKPT, "%s: has %d blocks, the config makes %d", info.name,
                        info.n_block, s->plan.n_block);
    ADN_TRY(st, adn_env_compare(adn_rundir_path(s->dir), &s->plan), done);
    ADN_TRY(st, adn_ckpt_path(adn_rundir_path(s->dir), info.name, &path), done);
    ADN_TRY(st, adn_run_load(s->run, path, info.step, true), done);
    adn_run_set_seconds(s->run, info.seconds);
    for (int j = 0; j < s->plan.n_block; j++)
        epochs[j] = adn_stage_open_epoch(adn_run_stage(s->run, j)) - 1;
    st = adn_rundir_cut_block_rows(s->dir, epochs, s->plan.n_block);
    s->start.step = info.step;
    s->start.epoch = info.epoch;
done:
    adn_free(path);
    return st;
}

static void tell_left_out(const adn_plan *p)
{
    if (p->left_out == 0) return;
    if (p->n_column > 1)
        adn_info("the last %d samples of an epoch, others in each, make no step of %d batches of "
                 "%d: they are left out",
                 p->left_out, p->n_column, p->batch);
    else if (!p->conf->data.drop_last)
        adn_info("the last batch of an epoch would have one sample: it is left out (batch norm "
                 "cannot learn from it)");
}

adn_status adn_setup_init(adn_setup *s, const adn_run_conf *tells)
{
    adn_status st;
    char *path = NULL;

    ADN_TRY(st, run_path(s->conf, &path), done);
    if (adn_path_exists(path) && !s->options->fresh_suffix) {
        ADN_TRY(st, open_dir(s), done);
        if (adn_rundir_state(s->dir) == ADN_RUN_FINISHED) goto done;
    }
    ADN_TRY(st, adn_dataset_open(&s->conf->data, &s->data), done);
    ADN_TRY(st, adn_devices_init(&s->devices, s->conf), done);
    if (s->dir != NULL) ADN_TRY(st, adn_devices_recall(&s->devices, path), done);
    ADN_TRY(st, plan(s), done);
    ADN_TRY(st, adn_devices_open(&s->devices, &s->plan), done);
    tell_left_out(&s->plan);
    ADN_TRY(st, resolve(s), done);
    adn_run_conf rc = {.plan = &s->plan,
                       .data = &s->data,
                       .devs = s->devices.of_block,
                       .must_stop = tells->must_stop,
                       .on_row = tells->on_row,
                       .on_edge_row = tells->on_edge_row,
                       .on_save = tells->on_save,
                       .user = tells->user};
    ADN_TRY(st, adn_run_create(&rc, &s->run), done);
    ADN_TRY(st, resolve_resident(s), done);
    if (s->dir == NULL) ADN_TRY(st, open_dir(s), done);
    ADN_TRY(st, adn_run_set_dir(s->run, adn_rundir_path(s->dir)), done);
    if (adn_rundir_state(s->dir) == ADN_RUN_UNFINISHED) {
        s->start.is_resumed = true;
        st = load_newest(s);
    }
done:
    if (st == ADN_OK) {
        s->start.run_dir = adn_rundir_path(s->dir);
        s->start.n_block = s->plan.n_block;
        s->start.was_finished = adn_rundir_state(s->dir) == ADN_RUN_FINISHED;
    }
    adn_free(path);
    return st;
}

void adn_setup_clear(adn_setup *s)
{
    adn_run_destroy(s->run);
    adn_devices_close(&s->devices);
    adn_log_tee_set(-1);
    adn_rundir_close(s->dir);
    adn_plan_clear_all(&s->plan);
    adn_dataset_close(&s->data);
}

adn_status adn_stand(adn_standing *s, const adn_config *conf, const adn_run_conf *tells)
{
    adn_status st;
    adn_run_conf rc = *tells;
    adn_cuts cuts = {0};

    ADN_TRY(st, adn_devices_cut(&s->devices, conf, &s->data, &cuts), done);
    ADN_TRY(st, adn_plan_create_cut(conf, &s->data, &cuts, &s->devices.gpus, &s->plan), done);
    s->plan.gpu_model = s->devices.model;
    ADN_TRY(st, adn_devices_open(&s->devices, &s->plan), done);
    rc.plan = &s->plan;
    rc.data = &s->data;
    rc.devs = s->devices.of_block;
    st = adn_run_create(&rc, &s->run);
done:
    return st;
}

void adn_stand_clear(adn_standing *s)
{
    adn_run_destroy(s->run);
    adn_devices_close(&s->devices);
    adn_plan_clear_all(&s->plan);
    adn_dataset_close(&s->data);
}
