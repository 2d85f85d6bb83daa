/* Checkpoints of a running pipeline: each block saves on its own when it meets a marker. */
#include <math.h>

#include "pipeline/inside.h"

typedef struct open_save {
    int64_t step;
    int n_saved; /* blocks that are through with it */
    char *dir;   /* NULL: could not be made */
    adn_ckpt_info info;
    bool is_open, is_lost;
} open_save;

struct adn_saver {
    adn_run *run;
    pthread_mutex_t lock;
    open_save saves[ADN_EDGE_MARKERS];
    int n_announced;        /* saves that are not finished */
    adn_epoch_row last_row; /* of the last block */
};

adn_status adn_saver_create(adn_run *r, adn_saver **out)
{
    adn_saver *s = adn_alloc(sizeof(*s));

    if (s == NULL) return ADN_FAIL(ADN_NOMEM, "checkpoints: no memory");
    s->run = r;
    s->last_row.test_top1 = NAN;
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return ADN_OK;
}

static void clear(open_save *o)
{
    if (o->dir != NULL) adn_ckpt_abandon(o->dir); /* one that was committed is gone already */
    adn_free(o->dir);
    *o = (open_save){0};
}

void adn_saver_destroy(adn_saver *s)
{
    if (s == NULL) return;
    for (int i = 0; i < ADN_EDGE_MARKERS; i++)
        if (s->saves[i].is_open) clear(&s->saves[i]);
    pthread_mutex_destroy(&s->lock);
    adn_free(s);
}

void adn_saver_score(adn_saver *s, const adn_epoch_row *row)
{
    pthread_mutex_lock(&s->lock);
    s->last_row = *row;
    pthread_mutex_unlock(&s->lock);
}

bool adn_saver_announce(adn_saver *s)
{
    pthread_mutex_lock(&s->lock);
    bool has_room = s->n_announced < ADN_EDGE_MARKERS;
    s->n_announced += has_room;
    pthread_mutex_unlock(&s->lock);
    return has_room;
}

bool adn_saver_is_busy(adn_saver *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_busy = s->n_announced > 0;
    pthread_mutex_unlock(&s->lock);
    return is_busy;
}

/* The disk's troubles cost this checkpoint and are said; anything else ends the run. */
static adn_status forgive(open_save *o, adn_status st)
{
    if (st != ADN_IO) return st;
    if (!o->is_lost)
        adn_warn("the checkpoint after step %lld is lost; the one before stays, training goes on",
                 (long long)o->step);
    o->is_lost = true;
    return ADN_OK;
}

/* The entry of a step, begun by the first block that comes. Locked. */
static adn_status enter(adn_saver *s, int64_t step, open_save **out)
{
    const adn_plan *p = s->run->plan;
    open_save *o = NULL;

    for (int i = 0; i < ADN_EDGE_MARKERS; i++)
        if (s->saves[i].is_open && s->saves[i].step == step) {
            *out = &s->saves[i];
            return ADN_OK;
        }
    for (int i = 0; i < ADN_EDGE_MARKERS && o == NULL; i++)
        if (!s->saves[i].is_open) o = &s->saves[i];
    ADN_ASSERT(o != NULL);
    *o = (open_save){.step = step, .is_open = true};
    o->info = (adn_ckpt_info){.epoch = (int)(step / p->epoch_steps),
                              .batch = (int)(step % p->epoch_steps),
                              .step = step,
                              .n_block = p->n_block,
                              .seconds = p->until_steps > 0 ? 0 : adn_run_seconds(s->run),
                              .score = NAN};
    *out = o;
    return forgive(o, adn_ckpt_begin(s->run->run_dir, &o->info, &o->dir));
}

static adn_status finish(adn_saver *s, open_save *o)
{
    const adn_config *conf = s->run->plan->conf;
    adn_status st = ADN_OK;

    if (!o->is_lost) {
        st = adn_ckpt_commit(s->run->run_dir, o->dir, &o->info, conf->keep_last, conf->keep_best);
        if (st == ADN_OK && s->run->conf.on_save != NULL)
            s->run->conf.on_save(s->run->conf.user, &o->info);
        st = forgive(o, st);
    }
    clear(o);
    s->n_announced--;
    adn_bell_ring(&s->run->source.bell);
    return st;
}

/* async: of the last pass, whenever that was; else of a pass that this very step ended with. */
static double score_now(const adn_saver *s, adn_stage *last)
{
    adn_stage_view v = adn_stage_look(last);
    if (s->run->is_async) return v.test_top1;
    return v.samples == s->last_row.samples ? s->last_row.test_top1 : NAN;
}

adn_status adn_saver_block(adn_saver *s, int block, int64_t step)
{
    adn_stage *stage = s->run->stages[block];
    open_save *o = NULL;
    adn_status st = adn_stage_drain(stage); /* its rows first: they have the score */

    if (st != ADN_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = enter(s, step, &o);
    const char *dir =
        o->is_lost ? NULL : o->dir; /* lives until the last block, this one included, is through */
    pthread_mutex_unlock(&s->lock);
    if (st != ADN_OK) return st;
    adn_status saved = dir != NULL ? adn_stage_save(stage, dir) : ADN_OK;
    pthread_mutex_lock(&s->lock);
    st = forgive(o, saved);
    if (block == o->info.n_block - 1) o->info.score = score_now(s, stage);
    if (++o->n_saved == o->info.n_block && st == ADN_OK) st = finish(s, o);
    pthread_mutex_unlock(&s->lock);
    return st;
}
