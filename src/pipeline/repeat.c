/* A run's recorded order, taken again, and its rows held against epochs.csv. */
#include <stdio.h>
#include <string.h>

#include "adonis/train.h"
#include "core/file.h"
#include "pipeline/setup.h"
#include "pipeline/text.h"

typedef struct repeat {
    adn_epoch_row *rows; /* of epochs.csv */
    int n_row;
    void (*on_row)(void *user, const adn_epoch_row *row, bool is_same);
    void *user;
    adn_replay_result result;
} repeat;

static bool same(double a, double b)
{
    return (a != a && b != b) || a == b;
}

/* What a run does to the mathematics, and to its clock. */
static bool is_same(const adn_epoch_row *a, const adn_epoch_row *b)
{
    return a->steps == b->steps && a->samples == b->samples && a->reread == b->reread &&
           same(a->lr, b->lr) && same(a->train_loss, b->train_loss) &&
           same(a->train_top1, b->train_top1) && same(a->test_loss, b->test_loss) &&
           same(a->test_top1, b->test_top1);
}

static adn_status compare_row(void *user, const adn_epoch_row *row)
{
    repeat *p = user;
    adn_replay_result *r = &p->result;
    const adn_epoch_row *was = NULL;

    for (int i = 0; i < p->n_row && was == NULL; i++)
        if (p->rows[i].block == row->block && p->rows[i].epoch == row->epoch) was = &p->rows[i];
    if (was == NULL) {
        r->n_more++;
        return ADN_OK;
    }
    bool good = is_same(was, row);
    if (!good && r->n_differ == 0) {
        r->was = *was;
        r->is = *row;
    }
    r->n_same += good;
    r->n_differ += !good;
    if (p->on_row != NULL) p->on_row(p->user, row, good);
    return ADN_OK;
}

/* The same teams as it had, on any cores. */
static adn_status loosen(adn_config *conf, const char *run_dir)
{
    adn_sched_kind kind = conf->optim.schedule.kind;
    bool is_virtual = conf->schedule == ADN_SCHEDULE_VIRTUAL;

    if (is_virtual && conf->until.unit == ADN_SECONDS &&
        (kind == ADN_SCHED_LINEAR || kind == ADN_SCHED_COSINE))
        return ADN_FAIL(ADN_USAGE,
                        "%s: its learning rates follow modelled time, which is not recorded; the "
                        "virtual schedule repeats by itself: train the same config again",
                        run_dir);
    for (int j = 0; j < conf->n_block; j++) {
        conf->blocks[j].first_core = conf->blocks[j].last_core = -1;
        if (is_virtual) conf->blocks[j].threads = conf->blocks[0].threads;
    }
    conf->schedule = ADN_SCHEDULE_THREADS; /* a queue for each block; nobody waits on the host */
    return ADN_OK;
}

/* The checkpoint that the order begins at. */
static adn_status load_start(adn_standing *s, const char *run_dir, int64_t step)
{
    char name[48], *path = NULL;
    adn_status st;

    if (step == 0) return ADN_OK;
    snprintf(name, sizeof(name), "e%04lld-b%04lld", (long long)(step / s->plan.epoch_steps),
             (long long)(step % s->plan.epoch_steps));
    ADN_TRY(st, adn_ckpt_path(run_dir, name, &path), done);
    st = adn_run_load(s->run, path, step, true);
done:
    adn_free(path);
    return st;
}

static adn_status open_order(const char *run_dir, adn_order_reader **out)
{
    char *path = NULL;
    int64_t first_step;
    adn_status st = adn_order_newest(run_dir, &path, &first_step);

    if (st == ADN_END)
        return ADN_FAIL(ADN_USAGE, "%s: has no order.bin: nothing was recorded", run_dir);
    if (st == ADN_OK) st = adn_order_open(path, out);
    adn_free(path);
    return st;
}

adn_status adn_replay_run(const char *run_dir,
                          void (*on_row)(void *user, const adn_epoch_row *row, bool is_same),
                          void *user, adn_replay_result *out)
{
    adn_status st = ADN_NOMEM;
    adn_config *conf = NULL;
    adn_standing s = {0};
    adn_order_reader *order = NULL;
    repeat p = {.on_row = on_row, .user = user};
    adn_run_conf rc = {.on_row = compare_row, .user = &p};
    char *path = adn_path_join(run_dir, "config.resolved.yaml");

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "replay: no memory");
    ADN_TRY(st, open_order(run_dir, &order), done);
    ADN_TRY(st, adn_rows_read(run_dir, &p.rows, &p.n_row), done);
    ADN_TRY(st, adn_config_load(path, NULL, 0, &conf), done);
    ADN_TRY(st, loosen(conf, run_dir), done);
    ADN_TRY(st, adn_dataset_open(&conf->data, &s.data), done);
    ADN_TRY(st, adn_devices_init(&s.devices, conf), done);
    ADN_TRY(st, adn_devices_recall(&s.devices, run_dir), done);
    ADN_TRY(st, adn_stand(&s, conf, &rc), done);
    ADN_TRY(st, adn_env_compare(run_dir, &s.plan), done);
    p.result.n_step = adn_order_about(order).n_step;
    p.result.first_step = adn_order_about(order).first_step;
    ADN_TRY(st, load_start(&s, run_dir, p.result.first_step), done);
    st = adn_run_replay(s.run, order);
    *out = p.result;
done:
    adn_stand_clear(&s);
    adn_order_reader_close(order);
    adn_config_free(conf);
    adn_free(p.rows);
    adn_free(path);
    return st;
}
